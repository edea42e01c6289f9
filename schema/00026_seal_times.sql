-- No role chooses when a seal was made: it may be some minutes beside the clock of the
-- database, which seals. And every event has a time that can be written and read.
-- +goose NO TRANSACTION

-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION guard_seal_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '5 minutes' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the time of a seal is %, and has to be within five minutes of the clock of the database', NEW.at
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_seals_timely';
END $$;
-- +goose StatementEnd
DROP TRIGGER IF EXISTS audit_seals_timely ON audit_seals; -- what an attempt has left that was broken off
CREATE TRIGGER audit_seals_timely BEFORE INSERT ON audit_seals FOR EACH ROW EXECUTE FUNCTION guard_seal_time();
-- Checked without a lock that others wait for.
ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS audit_events_at_check;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_at_check CHECK (at >= '0001-01-01 00:00:00+00' AND at < '10000-01-01 00:00:00+00') NOT VALID;
ALTER TABLE audit_events VALIDATE CONSTRAINT audit_events_at_check;

-- +goose Down
ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS audit_events_at_check;
DROP TRIGGER IF EXISTS audit_seals_timely ON audit_seals;
DROP FUNCTION IF EXISTS guard_seal_time();
