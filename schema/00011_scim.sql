-- +goose Up

-- What an identity provider writes over SCIM, and the tokens that it comes with.

CREATE TABLE scim_tokens (
    id              uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id),
    hash            bytea NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256; the token itself is shown once and kept nowhere
    created_by      uuid NOT NULL REFERENCES members (id),           -- of this organization or of an ancestor
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz, -- to the hour
    revoked_at      timestamptz
);
CREATE INDEX scim_tokens_organization_idx ON scim_tokens (organization_id, id);

ALTER TABLE organizations
    ADD COLUMN scim_delete       text NOT NULL DEFAULT 'archive' CHECK (scim_delete IN ('archive', 'delete')),
    ADD COLUMN scim_role         text NOT NULL DEFAULT 'reader' CHECK (scim_role IN ('contributor', 'reviewer', 'reader')),
    ADD COLUMN scim_account_type text NOT NULL DEFAULT 'viewer' CHECK (scim_account_type IN ('maker', 'editor', 'viewer'));

-- external_id stays what the HR system knows the member by.
ALTER TABLE members
    ADD COLUMN user_name        text CHECK (user_name <> ''),   -- NULL: the email
    ADD COLUMN provider_id      text CHECK (provider_id <> ''), -- what the provider knows the member by (externalId)
    ADD COLUMN profile          jsonb NOT NULL DEFAULT '{}',    -- what the provider wrote and nothing else here is made of
    ADD COLUMN updated_at       timestamptz,                    -- by a provider; NULL: never
    ADD COLUMN deprovisioned_at timestamptz,                    -- the provider deleted the account, which it does not see any more
    ADD CONSTRAINT members_deleted_profile_check CHECK (status <> 'deleted' OR (
        user_name IS NULL AND provider_id IS NULL AND profile = '{}')) NOT VALID;
CREATE UNIQUE INDEX members_user_name_key ON members (organization_id, lower(coalesce(user_name, email)));
CREATE UNIQUE INDEX members_provider_id_key ON members (organization_id, provider_id);

-- A deleted workspace keeps its row, to which closed removals refer.
ALTER TABLE workspaces
    ADD COLUMN provider_id text CHECK (provider_id <> ''),
    ADD COLUMN updated_at  timestamptz,
    ADD COLUMN deleted_at  timestamptz;
CREATE UNIQUE INDEX workspaces_provider_id_key ON workspaces (organization_id, provider_id);

-- +goose Down
ALTER TABLE workspaces DROP COLUMN provider_id, DROP COLUMN updated_at, DROP COLUMN deleted_at;
ALTER TABLE members
    DROP CONSTRAINT members_deleted_profile_check,
    DROP COLUMN user_name,
    DROP COLUMN provider_id,
    DROP COLUMN profile,
    DROP COLUMN updated_at,
    DROP COLUMN deprovisioned_at;
ALTER TABLE organizations DROP COLUMN scim_delete, DROP COLUMN scim_role, DROP COLUMN scim_account_type;
DROP TABLE scim_tokens;
