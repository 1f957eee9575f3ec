-- When a signing key got its state: a next one signs once routers have had time to meet it, a retiring one goes when its last token
-- has expired.
ALTER TABLE public.signing_key ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
