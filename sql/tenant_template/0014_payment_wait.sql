-- How long a visit that is to be paid first waits for that, in minutes; 0: nobody is asked to pay first. Workers of the version before write none.
UPDATE booking_policy SET rules = '{"pay_min": 0}'::jsonb || rules;
ALTER TABLE booking_policy ADD CHECK (coalesce((rules->>'pay_min')::int, -1) BETWEEN 0 AND 43200);
