-- Time that somebody takes for themselves, or takes from an asset, says why.
ALTER TABLE allocation ADD COLUMN reason text;
