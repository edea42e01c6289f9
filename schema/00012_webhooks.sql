-- +goose Up

-- Where an organization wants to be told of events. No secret is kept: it is derived
-- from a key of the configuration and what secret_ref says (docs/adr/0023).
CREATE TABLE webhooks (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    url             text NOT NULL, -- '' once deleted
    description     text NOT NULL,
    events          text[] NOT NULL, -- empty: every case and document event
    status          text NOT NULL CHECK (status IN ('active', 'disabled', 'deleted')),
    disabled_reason text NOT NULL DEFAULT '' CHECK (disabled_reason IN ('', 'gone', 'failing')), -- '': by an admin
    secret_ref      text NOT NULL CHECK (secret_ref <> ''),
    previous_ref    text NOT NULL DEFAULT '', -- the secret before the last roll, which signs too
    previous_until  timestamptz,              -- until then
    created_by      uuid NOT NULL REFERENCES members (id), -- of this organization or of an ancestor
    created_at      timestamptz NOT NULL,
    deleted_at      timestamptz,
    failures        integer NOT NULL DEFAULT 0 CHECK (failures >= 0), -- attempts that failed since one went well
    failing_since   timestamptz, -- the first of them
    paused_until    timestamptz, -- nothing is sent before
    CHECK (status <> 'active' OR disabled_reason = ''),
    CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
    CHECK ((previous_ref = '') = (previous_until IS NULL)),
    CHECK ((failures = 0) = (failing_since IS NULL))
);
CREATE INDEX webhooks_organization_idx ON webhooks (organization_id, id);

-- The outbox: what is to be sent where, written in the transaction of the audit event.
-- What is sent is read from the event when it is sent, so that nothing outlives an
-- erasure here. No foreign keys: the transactions of all cases of an organization
-- would lock one row. What belongs to no webhook any more is pruned.
CREATE TABLE webhook_deliveries (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- msg_<id> deduplicates
    webhook_id       uuid NOT NULL,
    event_id         bigint NOT NULL, -- of audit_events
    event            text NOT NULL,
    created_at       timestamptz NOT NULL, -- when the event happened
    status           text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts         integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    first_attempt_at timestamptz,
    last_attempt_at  timestamptz,
    next_attempt_at  timestamptz, -- of one that was tried and is to be tried again; a new one is due at once
    ended_at         timestamptz, -- when it was delivered or given up
    last_status      integer NOT NULL DEFAULT 0, -- of HTTP, 0 where there was no answer
    last_error       text NOT NULL DEFAULT '',   -- a word for what went wrong
    last_ms          integer NOT NULL DEFAULT 0, -- how long the last attempt took
    CHECK ((status = 'pending') = (ended_at IS NULL)),
    CHECK ((next_attempt_at IS NOT NULL) = (status = 'pending' AND attempts > 0)),
    CHECK ((attempts = 0) = (first_attempt_at IS NULL))
);
CREATE INDEX webhook_deliveries_new_idx ON webhook_deliveries (webhook_id, id) WHERE status = 'pending' AND attempts = 0;
CREATE INDEX webhook_deliveries_again_idx ON webhook_deliveries (webhook_id, next_attempt_at) WHERE status = 'pending' AND attempts > 0;
CREATE INDEX webhook_deliveries_webhook_idx ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_ended_idx ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- Case and document events: what happens in a case or to a document, holds, and the
-- end of an account. The audit knows more than that; it is not sent.
-- +goose StatementBegin
CREATE FUNCTION webhook_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (webhook_id, event_id, event, created_at)
    SELECT w.id, e.id, e.event, e.at FROM added e JOIN webhooks w ON w.organization_id = e.organization_id
    WHERE w.status = 'active' AND (e.case_id IS NOT NULL OR e.document_id IS NOT NULL
        OR e.event IN ('DeleteMember', 'PlaceLegalHold', 'LiftLegalHold'))
        AND (w.events = '{}' OR e.event = ANY (w.events))
    ORDER BY e.id, w.id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_to_webhooks AFTER INSERT ON audit_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION webhook_outbox();

-- +goose Down
DROP TRIGGER audit_events_to_webhooks ON audit_events;
DROP FUNCTION webhook_outbox();
DROP TABLE webhook_deliveries, webhooks;
