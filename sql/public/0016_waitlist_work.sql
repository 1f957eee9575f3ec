-- Offering freed time to who waits for it is work of the jobs slot, too.
ALTER TABLE public.due_work DROP CONSTRAINT due_work_kind_check,
  ADD CONSTRAINT due_work_kind_check CHECK (kind IN ('outbox','agenda','waitlist'));

-- The latest word of such work of the practice whose role is set.
CREATE FUNCTION ext.work_raised(work text) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT raised FROM public.due_work WHERE tenant_id = ext.current_practice() AND kind = work;
$$;
