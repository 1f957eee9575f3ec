-- Offering freed time to who waits for it is work of the jobs slot, too.
ALTER TABLE public.due_work DROP CONSTRAINT due_work_kind_check,
  ADD CONSTRAINT due_work_kind_check CHECK (kind IN ('outbox','agenda','waitlist'));
