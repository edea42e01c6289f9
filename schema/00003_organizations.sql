-- +goose Up

-- What identity providers and organizations bring: who set up provisioning, the
-- policies that came later, cases started by a provider, and sessions that end
-- by themselves.
ALTER TABLE organizations
    ADD COLUMN provisioning_admin_id uuid, -- owns what a provider's leavers leave (rule N2); NULL: nobody set it up
    ADD COLUMN sso_sessions          text NOT NULL DEFAULT 'revoke' CHECK (sso_sessions IN ('revoke', 'wait')),
    ADD COLUMN attribution           text NOT NULL DEFAULT 'name' CHECK (attribution IN ('name', 'anonymous')),
    ADD COLUMN bulk_limit_percent    integer NOT NULL DEFAULT 20 CHECK (bulk_limit_percent BETWEEN 1 AND 100),
    ADD FOREIGN KEY (id, provisioning_admin_id) REFERENCES members (organization_id, id);
CREATE INDEX organizations_parent_idx ON organizations (parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE cases
    ADD COLUMN provider        text NOT NULL DEFAULT '' CHECK (provider IN ('', 'okta', 'entra')), -- on whose behalf; '' for a person's
    ADD COLUMN revoked_at      timestamptz, -- NULL in cases of older builds
    ADD COLUMN sessions_end_at timestamptz, -- until when the deactivation waits for SSO sessions (rule S1)
    ADD CHECK (sessions_end_at IS NULL OR revoked_at IS NOT NULL);

-- A session ends when its member signs out, or when its time has passed.
ALTER TABLE sessions
    ADD COLUMN expires_at timestamptz, -- NULL: it lasts until somebody ends it
    DROP CONSTRAINT sessions_status_check,
    ADD CONSTRAINT sessions_status_check CHECK (status IN ('active', 'ended', 'revoked'));
CREATE TRIGGER sessions_ended_stays BEFORE UPDATE OF status ON sessions
    FOR EACH ROW WHEN (OLD.status = 'ended' AND NEW.status = 'active') EXECUTE FUNCTION guard_revoked_stays();

-- Rule A1 follows the parents: no organization is above itself.
-- +goose StatementBegin
CREATE FUNCTION guard_parents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        WITH RECURSIVE up AS (
            SELECT NEW.parent_id AS id
            UNION SELECT o.parent_id FROM organizations o JOIN up ON o.id = up.id)
        SELECT 1 FROM up WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'an organization cannot be above itself'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'organizations_no_circle';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER organizations_no_circle BEFORE INSERT OR UPDATE OF parent_id ON organizations
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION guard_parents();

-- +goose Down
DROP TRIGGER organizations_no_circle ON organizations;
DROP FUNCTION guard_parents();
DROP TRIGGER sessions_ended_stays ON sessions;
-- What has ended has to be something that the older schema knows.
UPDATE sessions SET status = 'revoked', revoked_at = coalesce(expires_at, created_at) WHERE status = 'ended';
ALTER TABLE sessions
    DROP CONSTRAINT sessions_status_check,
    ADD CONSTRAINT sessions_status_check CHECK (status IN ('active', 'revoked')),
    DROP COLUMN expires_at;
ALTER TABLE cases
    DROP COLUMN sessions_end_at,
    DROP COLUMN revoked_at,
    DROP COLUMN provider;
DROP INDEX organizations_parent_idx;
ALTER TABLE organizations
    DROP COLUMN bulk_limit_percent,
    DROP COLUMN attribution,
    DROP COLUMN sso_sessions,
    DROP COLUMN provisioning_admin_id;
