-- +goose Up

-- Times are written by the application from the workflow's clock; no column has
-- a default of now().

CREATE TABLE organizations (
    id                      uuid PRIMARY KEY,
    parent_id               uuid REFERENCES organizations (id),
    slug                    text NOT NULL UNIQUE CHECK (slug <> ''),
    name                    text NOT NULL CHECK (name <> ''),
    domains                 text[] NOT NULL,
    seat_limit              integer NOT NULL CHECK (seat_limit >= 0), -- 0: no limit
    claim_policy            text NOT NULL CHECK (claim_policy IN ('self_serve', 'admin_approval')),
    grace_period_seconds    bigint NOT NULL CHECK (grace_period_seconds >= 0),
    default_disposition     text NOT NULL CHECK (default_disposition IN ('transfer', 'archive', 'retain')),
    time_zone               text NOT NULL CHECK (time_zone <> ''),
    identity_provider       text NOT NULL CHECK (identity_provider <> ''),
    enterprise_plan_manager boolean NOT NULL,
    created_at              timestamptz NOT NULL,
    CHECK (parent_id <> id)
);

CREATE TABLE members (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    external_id     text NOT NULL CHECK (external_id <> ''),
    email           text NOT NULL CHECK (email LIKE '%_@_%'),
    display_name    text NOT NULL CHECK (display_name <> ''),
    role            text NOT NULL CHECK (role IN ('owner', 'admin', 'contributor', 'reviewer', 'reader')),
    account_type    text NOT NULL CHECK (account_type IN ('maker', 'editor', 'viewer')),
    status          text NOT NULL CHECK (status IN ('active', 'inactive', 'archived', 'deleted')),
    manager_id      uuid,
    managed_by      text NOT NULL, -- identity provider; empty for none
    time_zone       text NOT NULL, -- IANA name; empty for the organization's
    created_at      timestamptz NOT NULL,
    deactivated_at  timestamptz,
    UNIQUE (organization_id, id),
    UNIQUE (organization_id, external_id),
    FOREIGN KEY (organization_id, manager_id) REFERENCES members (organization_id, id),
    CHECK (manager_id <> id),
    CHECK (status <> 'inactive' OR deactivated_at IS NOT NULL)
);
CREATE UNIQUE INDEX members_email_key ON members (organization_id, lower(email));
CREATE INDEX members_external_id_idx ON members (external_id);
CREATE INDEX members_active_idx ON members (organization_id, role) WHERE status = 'active';
CREATE INDEX members_manager_idx ON members (organization_id, manager_id) WHERE manager_id IS NOT NULL;

-- A folder is shared (no owner) or personal, below its owner's My Documents.
CREATE TABLE folders (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    owner_id        uuid,
    parent_id       uuid,
    name            text NOT NULL CHECK (name <> ''),
    leaver_id       uuid, -- the member whose My Documents this folder stands for (rule D1)
    source_id       uuid, -- the leaver's folder that this folder stands for (rule D1)
    created_at      timestamptz NOT NULL,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, owner_id) REFERENCES members (organization_id, id),
    FOREIGN KEY (organization_id, parent_id) REFERENCES folders (organization_id, id),
    FOREIGN KEY (organization_id, leaver_id) REFERENCES members (organization_id, id),
    FOREIGN KEY (organization_id, source_id) REFERENCES folders (organization_id, id),
    CHECK (parent_id <> id),
    CHECK (owner_id IS NOT NULL OR (leaver_id IS NULL AND source_id IS NULL))
);
CREATE UNIQUE INDEX folders_name_key ON folders (organization_id, owner_id, parent_id, name) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX folders_leaver_key ON folders (owner_id, leaver_id) WHERE leaver_id IS NOT NULL;
CREATE UNIQUE INDEX folders_source_key ON folders (owner_id, source_id) WHERE source_id IS NOT NULL;

CREATE TABLE cases (
    id                   uuid PRIMARY KEY,
    workflow_id          text NOT NULL CHECK (workflow_id <> ''),
    organization_id      uuid NOT NULL REFERENCES organizations (id),
    member_id            uuid NOT NULL,
    requested_by         uuid NOT NULL REFERENCES members (id), -- of this organization or of an ancestor
    origin               text NOT NULL,
    reason               text NOT NULL,
    phase                text NOT NULL CHECK (phase IN ('scheduled', 'revoking', 'deactivated', 'transferring', 'grace',
                             'read_only', 'completed', 'canceled', 'reactivated', 'failed')),
    disposition          text NOT NULL CHECK (disposition IN ('transfer', 'archive', 'retain')),
    new_owner_id         uuid,
    fallback_reason      text NOT NULL DEFAULT '',
    archive_schedules    boolean NOT NULL,
    grace_period_seconds bigint NOT NULL CHECK (grace_period_seconds >= 0),
    created_at           timestamptz NOT NULL,
    effective_at         timestamptz NOT NULL,
    deactivated_at       timestamptz,
    grace_ends_at        timestamptz,
    closed_at            timestamptz,
    failure              text NOT NULL DEFAULT '', -- codes of a failed case
    reactivation         jsonb,                    -- what a reactivation still has to settle, once the member is active
    trouble_step         text NOT NULL DEFAULT '',
    trouble_attempt      integer NOT NULL DEFAULT 0,
    trouble_error        text NOT NULL DEFAULT '',
    trouble_since        timestamptz,
    UNIQUE (organization_id, id),
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id),
    FOREIGN KEY (organization_id, new_owner_id) REFERENCES members (organization_id, id),
    CHECK (new_owner_id <> member_id),
    CHECK ((disposition = 'transfer') = (new_owner_id IS NOT NULL)),
    CHECK (NOT archive_schedules OR disposition = 'transfer'),
    CHECK (phase NOT IN ('completed', 'canceled', 'failed') OR closed_at IS NOT NULL),
    CHECK (closed_at IS NULL OR phase IN ('completed', 'canceled', 'reactivated', 'failed')),
    CHECK (phase NOT IN ('deactivated', 'transferring', 'grace', 'read_only', 'completed') OR deactivated_at IS NOT NULL),
    CHECK (phase NOT IN ('grace', 'read_only') OR grace_ends_at IS NOT NULL),
    CHECK ((phase = 'reactivated') = (reactivation IS NOT NULL))
);
-- One open case per member (rule E2).
CREATE UNIQUE INDEX cases_one_open_per_member ON cases (member_id) WHERE closed_at IS NULL;
CREATE INDEX cases_member_idx ON cases (member_id, created_at);
CREATE INDEX cases_organization_idx ON cases (organization_id, id);

CREATE TABLE documents (
    id                uuid PRIMARY KEY,
    organization_id   uuid NOT NULL REFERENCES organizations (id),
    external_id       text NOT NULL CHECK (external_id <> ''),
    title             text NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('document', 'workbook', 'data_model', 'dataset', 'article', 'sheet', 'doc')),
    folder_id         uuid, -- NULL: the owner's My Documents
    owner_id          uuid NOT NULL,
    access            text NOT NULL CHECK (access IN ('editable', 'read_only', 'archived')),
    access_case_id    uuid REFERENCES cases (id), -- the case that locked or archived it
    moved_by_case_id  uuid REFERENCES cases (id), -- the case that gave it to its present owner
    moved_to_id       uuid,                       -- to whom that case gave it; another owner has been passed it on
    prior_folder_id   uuid,                       -- where it was before that case moved it
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    UNIQUE (organization_id, id),
    UNIQUE (organization_id, external_id),
    FOREIGN KEY (organization_id, owner_id) REFERENCES members (organization_id, id),
    FOREIGN KEY (organization_id, folder_id) REFERENCES folders (organization_id, id),
    CHECK (access <> 'read_only' OR access_case_id IS NOT NULL),
    CHECK (access <> 'editable' OR access_case_id IS NULL),
    CHECK ((moved_by_case_id IS NULL) = (moved_to_id IS NULL))
);
CREATE INDEX documents_owner_idx ON documents (owner_id, id);
CREATE INDEX documents_folder_idx ON documents (folder_id) WHERE folder_id IS NOT NULL;
CREATE INDEX documents_moved_idx ON documents (moved_by_case_id, id) WHERE moved_by_case_id IS NOT NULL;

CREATE TABLE grants (
    organization_id uuid NOT NULL,
    document_id     uuid NOT NULL,
    member_id       uuid NOT NULL,
    level           text NOT NULL CHECK (level IN ('edit', 'view')),
    PRIMARY KEY (document_id, member_id),
    FOREIGN KEY (organization_id, document_id) REFERENCES documents (organization_id, id),
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id)
);
CREATE INDEX grants_member_idx ON grants (member_id, document_id);

CREATE TABLE schedules (
    id                  uuid PRIMARY KEY,
    organization_id     uuid NOT NULL,
    document_id         uuid NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('materialization', 'export')),
    cron                text NOT NULL CHECK (cron <> ''),
    status              text NOT NULL CHECK (status IN ('active', 'archived')),
    archived_by_case_id uuid REFERENCES cases (id),
    FOREIGN KEY (organization_id, document_id) REFERENCES documents (organization_id, id),
    CHECK (status = 'archived' OR archived_by_case_id IS NULL)
);
CREATE INDEX schedules_document_idx ON schedules (document_id);
CREATE INDEX schedules_archived_idx ON schedules (archived_by_case_id, document_id) WHERE archived_by_case_id IS NOT NULL;

CREATE TABLE credentials (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    member_id       uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('api', 'embed')),
    name            text NOT NULL CHECK (name <> ''),
    status          text NOT NULL CHECK (status IN ('active', 'revoked')),
    created_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id),
    CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE INDEX credentials_member_idx ON credentials (member_id);

CREATE TABLE sessions (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    member_id       uuid NOT NULL,
    sso             boolean NOT NULL,
    status          text NOT NULL CHECK (status IN ('active', 'revoked')),
    created_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id),
    CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE INDEX sessions_member_idx ON sessions (member_id);

CREATE TABLE ownership_requests (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    case_id         uuid NOT NULL,
    document_id     uuid NOT NULL,
    member_id       uuid NOT NULL,
    note            text NOT NULL,
    status          text NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'superseded', 'withdrawn')),
    created_at      timestamptz NOT NULL,
    decided_at      timestamptz,
    decided_by      uuid REFERENCES members (id),
    decision_note   text NOT NULL DEFAULT '',
    new_owner_id    uuid,
    FOREIGN KEY (organization_id, case_id) REFERENCES cases (organization_id, id),
    FOREIGN KEY (organization_id, document_id) REFERENCES documents (organization_id, id),
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id),
    FOREIGN KEY (organization_id, new_owner_id) REFERENCES members (organization_id, id),
    CHECK ((status = 'pending') = (decided_at IS NULL)),
    CHECK ((status = 'approved') = (new_owner_id IS NOT NULL)),
    CHECK (status NOT IN ('approved', 'rejected') OR decided_by IS NOT NULL)
);
-- One pending request per member and document (rule C2).
CREATE UNIQUE INDEX ownership_requests_one_pending ON ownership_requests (document_id, member_id) WHERE status = 'pending';
CREATE INDEX ownership_requests_case_idx ON ownership_requests (case_id, created_at);
CREATE INDEX ownership_requests_member_idx ON ownership_requests (member_id) WHERE status = 'pending';

-- What each step of a case came to: a step that runs again finds its outcome
-- here and does nothing.
CREATE TABLE case_steps (
    case_id uuid NOT NULL,
    step    text NOT NULL,
    outcome jsonb NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (case_id, step)
);

-- The audit has no foreign keys: it outlives what it describes.
CREATE TABLE audit_events (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL,
    event           text NOT NULL CHECK (event <> ''),
    actor_id        uuid,
    origin          text NOT NULL,
    member_id       uuid,
    document_id     uuid,
    case_id         uuid,
    subject_kind    text NOT NULL,
    subject_id      text NOT NULL,
    before          jsonb NOT NULL,
    after           jsonb NOT NULL,
    at              timestamptz NOT NULL
);
CREATE INDEX audit_events_organization_idx ON audit_events (organization_id, id);
CREATE INDEX audit_events_case_idx ON audit_events (case_id, id) WHERE case_id IS NOT NULL;
CREATE INDEX audit_events_member_idx ON audit_events (member_id, id) WHERE member_id IS NOT NULL;
CREATE INDEX audit_events_document_idx ON audit_events (document_id, id) WHERE document_id IS NOT NULL;

-- +goose Down
DROP TABLE audit_events, case_steps, ownership_requests, sessions, credentials, schedules, grants, documents, cases,
    folders, members, organizations;
