-- A day that was imported is known by its event: imported again it is the same day.
CREATE UNIQUE INDEX schedule_exception_uid ON schedule_exception(uid) WHERE uid IS NOT NULL;
