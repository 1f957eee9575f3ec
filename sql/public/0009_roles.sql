-- What was "staff" is one of several roles now. A practice's roles_version tells routers and slots that its own roles changed.
UPDATE public.membership SET role = 'receptionist' WHERE role = 'staff';
ALTER TABLE public.tenant ADD COLUMN roles_version int NOT NULL DEFAULT 0;

-- The practice whose role is set changed what its roles may do.
CREATE FUNCTION ext.roles_changed() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  UPDATE public.tenant t SET roles_version = t.roles_version + 1 WHERE t.id = ext.current_practice();
  RETURN FOUND;
END $$;
