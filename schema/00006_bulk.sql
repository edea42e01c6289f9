-- +goose Up

-- A bulk offboarding (rule B1): one run over a list of members. The run and its
-- whole list are written in one go; what the workflow needs afterwards is the
-- run's ID.
CREATE TABLE bulk_runs (
    id              text PRIMARY KEY CHECK (id <> ''), -- chosen by whoever asks
    workflow_id     text NOT NULL CHECK (workflow_id <> ''),
    organization_id uuid NOT NULL REFERENCES organizations (id), -- the actor's
    requested_by    uuid NOT NULL REFERENCES members (id),
    origin          text NOT NULL,
    all_or_nothing  boolean NOT NULL,
    rate            integer NOT NULL CHECK (rate > 0), -- cases started a second
    phase           text NOT NULL CHECK (phase IN ('judging', 'revoking', 'starting', 'completed')),
    created_at      timestamptz NOT NULL,
    access_gone_at  timestamptz, -- everybody has been processed
    canceled_at     timestamptz,
    closed_at       timestamptz,
    trouble_step    text NOT NULL DEFAULT '',
    trouble_attempt integer NOT NULL DEFAULT 0,
    trouble_error   text NOT NULL DEFAULT '',
    trouble_since   timestamptz,
    CHECK ((phase = 'completed') = (closed_at IS NOT NULL))
);
CREATE INDEX bulk_runs_organization_idx ON bulk_runs (organization_id, created_at);

-- A row of the list and what became of it.
CREATE TABLE bulk_members (
    bulk_id    text NOT NULL REFERENCES bulk_runs (id),
    position   integer NOT NULL CHECK (position > 0), -- in the list, from 1
    reference  text NOT NULL,                         -- what the list says, where it names nobody; else empty
    member_id  uuid REFERENCES members (id),
    request    jsonb,                                 -- the start; forgotten once it is processed, the case keeps it
    at_once    boolean NOT NULL,                      -- leaves at once, and is nobody's new owner (rule N1)
    result     text NOT NULL CHECK (result IN ('pending', 'started', 'scheduled', 'existing', 'refused', 'failed', 'canceled', 'not_started')),
    violations jsonb,                                 -- why it was refused
    error      text NOT NULL DEFAULT '',              -- why it failed
    case_id    uuid REFERENCES cases (id),
    to_start   boolean NOT NULL DEFAULT false,        -- the run opened the case, and it has something left to settle
    started_at timestamptz,                           -- its workflow was started
    running_at timestamptz,                           -- its workflow has taken the case over
    PRIMARY KEY (bulk_id, position),
    CHECK ((result = 'pending') = (request IS NOT NULL)),
    CHECK ((result IN ('started', 'scheduled', 'existing')) = (case_id IS NOT NULL)),
    CHECK ((result = 'refused') = (violations IS NOT NULL)),
    CHECK (NOT to_start OR case_id IS NOT NULL)
);
CREATE INDEX bulk_members_pending_idx ON bulk_members (bulk_id, position) WHERE result = 'pending';
CREATE INDEX bulk_members_waiting_idx ON bulk_members (bulk_id, position) WHERE to_start AND running_at IS NULL;
CREATE INDEX bulk_members_case_idx ON bulk_members (case_id) WHERE to_start;
CREATE INDEX bulk_members_member_idx ON bulk_members (member_id) WHERE member_id IS NOT NULL;

-- +goose Down
DROP TABLE bulk_members, bulk_runs;
