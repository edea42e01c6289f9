-- The audit is sealed: each organization's events in batches, each seal with the hash of
-- the one before, so that a changed or removed row is found (docs/audit.md has the form
-- of what is hashed, docs/adr/0038 the reasons).

-- +goose Up

CREATE TABLE audit_seals (
    organization_id uuid NOT NULL,
    number          bigint NOT NULL CHECK (number > 0),
    format          smallint NOT NULL DEFAULT 1,
    first_event     bigint NOT NULL,
    last_event      bigint NOT NULL,
    previous        bytea CHECK ((previous IS NULL) = (number = 1)),
    hash            bytea NOT NULL,
    entries         bytea NOT NULL, -- 40 bytes for each event, in order: its ID (big-endian), its digest
    at              timestamptz NOT NULL,
    PRIMARY KEY (organization_id, number)
);
ALTER TABLE audit_seals ALTER entries SET STORAGE EXTERNAL; -- nobody compresses digests
CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The newest seal of each organization.
CREATE TABLE audit_heads (
    organization_id uuid PRIMARY KEY,
    number          bigint NOT NULL,
    hash            bytea NOT NULL
);

-- Of events with texts that a deletion erases: what can be checked when they are gone.
CREATE TABLE audit_texts (
    organization_id uuid NOT NULL,
    event_id        bigint NOT NULL,
    neutral         bytea NOT NULL, -- digest of the event without the texts
    salt            uuid,           -- goes with the texts: without it nobody can try what they were
    commitment      bytea NOT NULL, -- digest of the salt and the whole event
    about           uuid[] NOT NULL, -- whose deletion erases them
    PRIMARY KEY (organization_id, event_id)
);
CREATE TRIGGER audit_texts_append_only BEFORE UPDATE OF organization_id, event_id, neutral, commitment, about OR DELETE OR TRUNCATE ON audit_texts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- How far the sealing has come; one row.
CREATE TABLE audit_horizon (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    sealed_id bigint NOT NULL, -- every event up to it is sealed
    final_id  bigint NOT NULL, -- no event up to it can still come
    next_id   bigint,          -- will be the final one when all transactions before next_xid have ended
    next_xid  xid8
);
INSERT INTO audit_horizon (sealed_id, final_id) VALUES (0, 0);

-- A transaction has its own ID before any of its events has one. So who sees an event's
-- ID handed out, and then takes a transaction ID, has the higher one.
-- +goose StatementBegin
CREATE FUNCTION audit_xid_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_xid_first BEFORE INSERT ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_xid_first();

-- An event in the form that is hashed, which is that of jsonb: json_build_array is spaced
-- alike, and faster.
CREATE FUNCTION audit_encoded(e audit_events, before jsonb, after jsonb) RETURNS json LANGUAGE sql STABLE
    RETURN json_build_array((e).id, (e).organization_id, (e).event, coalesce((e).actor_id::text, ''), (e).origin, coalesce((e).member_id::text, ''),
        coalesce((e).document_id::text, ''), coalesce((e).case_id::text, ''), (e).subject_kind, (e).subject_id, before, after,
        to_char((e).at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
CREATE FUNCTION audit_digest(encoded json) RETURNS bytea LANGUAGE sql IMMUTABLE RETURN sha256(convert_to(encoded::text, 'UTF8'));

-- seal_audit seals what is next, so many events at most, of all organizations. One
-- transaction does so at a time, and nobody else waits for it.
-- +goose StatementBegin
CREATE FUNCTION seal_audit(now timestamptz, most integer, OUT sealed integer, OUT seals integer, OUT more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off SET jit = off AS $$
DECLARE
    known  audit_horizon;
    h      audit_horizon;
    handed bigint; -- the last ID that any event has been given
    mine   xid8;
    upto   bigint;
BEGIN
    sealed = 0; seals = 0; more = false;
    IF NOT isfinite(now) THEN
        RAISE EXCEPTION 'an audit is sealed at a time';
    END IF;
    most = least(greatest(most, 1), 10000);
    SELECT * INTO h FROM audit_horizon;
    SELECT CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - 1 END INTO handed FROM audit_events_id_seq s;
    IF h.sealed_id >= handed THEN
        RETURN;
    END IF;
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'seal_audit is called in a transaction that has written';
    END IF;
    mine = pg_current_xact_id(); -- after the look at the IDs: what got one of them has a lower one
    SELECT * INTO h FROM audit_horizon FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    known = h;
    IF h.next_xid < mine AND h.next_xid <= pg_snapshot_xmin(pg_current_snapshot()) THEN
        h.final_id = h.next_id;
        h.next_xid = NULL;
    END IF;
    IF h.next_xid IS NULL OR h.next_xid >= mine THEN -- from another server, by way of a dump
        h.next_id = greatest(handed, h.final_id); -- another may have sealed since the look
        h.next_xid = mine;
    END IF;
    SELECT count(*), max(b.id) INTO sealed, upto FROM (
        SELECT e.id FROM audit_events e WHERE e.id > h.sealed_id AND e.id <= h.final_id ORDER BY e.id LIMIT most) b;
    more = sealed = most;
    IF NOT more THEN
        upto = greatest(h.final_id, h.sealed_id); -- never back
    END IF;
    IF sealed > 0 THEN
        WITH batch AS MATERIALIZED (
            SELECT e.id, e.organization_id, e.before, e.after, e FROM audit_events e WHERE e.id > h.sealed_id AND e.id <= upto
        ), texts AS MATERIALIZED ( -- many events have the same details
            SELECT d.detail FROM (SELECT b.before AS detail FROM batch b UNION SELECT b.after FROM batch b) d WHERE d.detail <> without_texts(d.detail)
        ), personal AS MATERIALIZED (
            SELECT b.organization_id, b.id, audit_digest(audit_encoded(b.e, without_texts(b.before), without_texts(b.after))) AS neutral, s.salt,
                audit_digest(json_build_array(s.salt, audit_encoded(b.e, b.before, b.after))) AS commitment,
                ARRAY(SELECT a.id FROM (SELECT (b.e).member_id AS id UNION SELECT c.member_id FROM cases c WHERE c.id = (b.e).case_id) a
                    WHERE a.id IS NOT NULL ORDER BY a.id) AS about
            FROM batch b CROSS JOIN LATERAL (SELECT gen_random_uuid() AS salt WHERE b.id > 0) s
            WHERE b.before IN (SELECT t.detail FROM texts t) OR b.after IN (SELECT t.detail FROM texts t)
        ), kept AS (
            INSERT INTO audit_texts (organization_id, event_id, neutral, salt, commitment, about)
            SELECT p.organization_id, p.id, p.neutral, p.salt, p.commitment, p.about FROM personal p
        ), collected AS (
            SELECT b.organization_id, min(b.id) AS first_event, max(b.id) AS last_event, string_agg(int8send(b.id) || CASE
                WHEN p.id IS NULL THEN audit_digest(audit_encoded(b.e, b.before, b.after))
                ELSE audit_digest(json_build_array(encode(p.neutral, 'hex'), encode(p.commitment, 'hex'), to_jsonb(p.about))) END, ''::bytea ORDER BY b.id) AS entries
            FROM batch b LEFT JOIN personal p ON p.id = b.id GROUP BY b.organization_id
        ), linked AS (
            SELECT c.*, coalesce(head.number, 0) + 1 AS number, head.hash AS previous
            FROM collected c LEFT JOIN audit_heads head ON head.organization_id = c.organization_id
        ), hashed AS MATERIALIZED (
            SELECT l.*, audit_digest(json_build_array(1, l.organization_id, l.number, coalesce(encode(l.previous, 'hex'), ''),
                encode(sha256(l.entries), 'hex'), to_char(seal_audit.now AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))) AS hash FROM linked l
        ), written AS (
            INSERT INTO audit_seals (organization_id, number, first_event, last_event, previous, hash, entries, at)
            SELECT x.organization_id, x.number, x.first_event, x.last_event, x.previous, x.hash, x.entries, seal_audit.now FROM hashed x
        )
        INSERT INTO audit_heads AS head (organization_id, number, hash) SELECT x.organization_id, x.number, x.hash FROM hashed x
        ON CONFLICT (organization_id) DO UPDATE SET number = excluded.number, hash = excluded.hash;
        GET DIAGNOSTICS seals = ROW_COUNT;
    END IF;
    h.sealed_id = upto;
    IF h IS DISTINCT FROM known THEN
        UPDATE audit_horizon SET sealed_id = h.sealed_id, final_id = h.final_id, next_id = h.next_id, next_xid = h.next_xid;
    END IF;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION seal_audit(timestamptz, integer) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION seal_audit(timestamptz, integer) FROM PUBLIC;

-- Where texts go, the salt goes. No event is sealed meanwhile: who seals would have seen
-- the texts, and would leave a salt behind.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION guard_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.before = without_texts(OLD.before) AND NEW.after = without_texts(OLD.after)
        AND to_jsonb(NEW) - 'before' - 'after' = to_jsonb(OLD) - 'before' - 'after'
        AND EXISTS (SELECT 1 FROM members m WHERE m.status = 'deleted' AND m.xmin = pg_current_xact_id()::xid -- deleted by this transaction
            AND (m.id = OLD.member_id OR m.id = (SELECT c.member_id FROM cases c WHERE c.id = OLD.case_id))) THEN
        PERFORM 1 FROM audit_horizon FOR SHARE;
        UPDATE audit_texts SET salt = NULL WHERE organization_id = OLD.organization_id AND event_id = OLD.id;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_is_append_only';
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION guard_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.before = without_texts(OLD.before) AND NEW.after = without_texts(OLD.after)
        AND to_jsonb(NEW) - 'before' - 'after' = to_jsonb(OLD) - 'before' - 'after'
        AND EXISTS (SELECT 1 FROM members m WHERE m.status = 'deleted' AND m.xmin = pg_current_xact_id()::xid -- deleted by this transaction
            AND (m.id = OLD.member_id OR m.id = (SELECT c.member_id FROM cases c WHERE c.id = OLD.case_id))) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_is_append_only';
END $$;
-- +goose StatementEnd
DROP TRIGGER audit_events_xid_first ON audit_events;
DROP FUNCTION seal_audit(timestamptz, integer), audit_digest(json), audit_encoded(audit_events, jsonb, jsonb), audit_xid_first();
DROP TABLE audit_horizon, audit_texts, audit_heads, audit_seals;
