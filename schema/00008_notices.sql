-- +goose Up

-- When a member with a grant last edited the document, as the import tells; NULL where nobody knows.
ALTER TABLE grants ADD COLUMN last_edited_at timestamptz;

-- When a pending request went to the owners of the organization; NULL while it has not.
ALTER TABLE ownership_requests ADD COLUMN escalated_at timestamptz;
CREATE INDEX ownership_requests_to_escalate_idx ON ownership_requests (case_id, created_at)
    WHERE status = 'pending' AND escalated_at IS NULL;

-- What people are to be told, a row for each recipient: recorded in the
-- transaction that decides it, and marked when the notifier has taken it.
CREATE TABLE notices (
    key             text PRIMARY KEY, -- what the notifier deduplicates by
    organization_id uuid NOT NULL,
    case_id         uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('RemindGraceEnding', 'EscalateRequest')),
    request_id      uuid REFERENCES ownership_requests (id), -- that is escalated
    recipient_id    uuid NOT NULL,
    reason          text NOT NULL CHECK (reason IN ('manager', 'editor', 'owner')), -- why the recipient is told
    documents       integer NOT NULL CHECK (documents > 0), -- that wait for an owner and concern the recipient
    grace_ends_at   timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz,
    FOREIGN KEY (organization_id, case_id) REFERENCES cases (organization_id, id),
    FOREIGN KEY (organization_id, recipient_id) REFERENCES members (organization_id, id),
    CHECK ((kind = 'EscalateRequest') = (request_id IS NOT NULL))
);
CREATE INDEX notices_unsent_idx ON notices (case_id, key) WHERE sent_at IS NULL;

-- +goose Down
DROP TABLE notices;
DROP INDEX ownership_requests_to_escalate_idx;
ALTER TABLE ownership_requests DROP COLUMN escalated_at;
ALTER TABLE grants DROP COLUMN last_edited_at;
