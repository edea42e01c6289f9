-- +goose Up

-- Workspaces, and cases that remove a member from one of them (rule W1).

CREATE TABLE workspaces (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    external_id     text NOT NULL CHECK (external_id <> ''),
    name            text NOT NULL CHECK (name <> ''),
    created_at      timestamptz NOT NULL,
    UNIQUE (organization_id, id),
    UNIQUE (organization_id, external_id)
);

-- A workspace's admin has no authority outside of it (rule A1).
CREATE TABLE workspace_members (
    organization_id uuid NOT NULL,
    workspace_id    uuid NOT NULL,
    member_id       uuid NOT NULL,
    role            text NOT NULL CHECK (role IN ('admin', 'member')),
    PRIMARY KEY (workspace_id, member_id),
    FOREIGN KEY (organization_id, workspace_id) REFERENCES workspaces (organization_id, id),
    FOREIGN KEY (organization_id, member_id) REFERENCES members (organization_id, id)
);
CREATE INDEX workspace_members_member_idx ON workspace_members (member_id);

ALTER TABLE documents ADD COLUMN workspace_id uuid; -- NULL: in no workspace
ALTER TABLE documents ADD CONSTRAINT documents_workspace_fkey
    FOREIGN KEY (organization_id, workspace_id) REFERENCES workspaces (organization_id, id);
CREATE INDEX documents_workspace_idx ON documents (workspace_id, owner_id, id) WHERE workspace_id IS NOT NULL;

ALTER TABLE cases
    ADD COLUMN workspace_id   uuid,          -- NULL: the whole organization
    ADD COLUMN workspace_role text;          -- what the member was there, until they were removed
ALTER TABLE cases ADD CONSTRAINT cases_workspace_fkey
    FOREIGN KEY (organization_id, workspace_id) REFERENCES workspaces (organization_id, id);

-- One open offboarding per member (rule E2), and one open removal per member and workspace.
DROP INDEX cases_one_open_per_member;
CREATE UNIQUE INDEX cases_one_open_per_member ON cases (member_id) WHERE closed_at IS NULL AND workspace_id IS NULL;
CREATE UNIQUE INDEX cases_one_open_per_workspace ON cases (workspace_id, member_id) WHERE closed_at IS NULL AND workspace_id IS NOT NULL;

-- +goose Down
-- The older schema takes every case for an offboarding: open removals end, and
-- what they have locked is its owner's again.
UPDATE ownership_requests r SET status = 'withdrawn', decided_at = r.created_at FROM cases c
WHERE c.id = r.case_id AND c.workspace_id IS NOT NULL AND r.status = 'pending';
UPDATE documents d SET access = 'editable', access_case_id = NULL FROM cases c
WHERE c.id = d.access_case_id AND c.workspace_id IS NOT NULL AND d.access = 'read_only';
UPDATE cases SET phase = 'canceled', closed_at = created_at, reactivation = NULL WHERE workspace_id IS NOT NULL AND closed_at IS NULL;
DROP INDEX cases_one_open_per_workspace;
DROP INDEX cases_one_open_per_member;
CREATE UNIQUE INDEX cases_one_open_per_member ON cases (member_id) WHERE closed_at IS NULL;
ALTER TABLE cases DROP COLUMN workspace_id, DROP COLUMN workspace_role;
ALTER TABLE documents DROP COLUMN workspace_id;
DROP TABLE workspace_members, workspaces;
