-- Wrong codes in a row: beyond a hundred, codes by time are not taken until a backup code was, so that whoever has the password cannot guess
-- on for months (NIST SP 800-63B 5.2.2).
ALTER TABLE public.second_factor ADD COLUMN failures int NOT NULL DEFAULT 0;
