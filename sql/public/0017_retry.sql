-- What a statement found has changed under it: the request runs again, as after any serialization failure.
CREATE FUNCTION ext.retry_unless(ok boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF ok IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'what was found has changed';
  END IF;
  RETURN true;
END $$;
