-- +goose Up

-- What must never be, refused by the database itself whoever asks. Each
-- exception carries the name of its guard as the constraint, so that the store
-- can tell them apart without reading messages.

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_is_append_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Rule A3: an organization keeps an active owner. The row of the organization is
-- locked, so that two last owners cannot leave at the same moment.
-- +goose StatementBegin
CREATE FUNCTION guard_last_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM organizations WHERE id = OLD.organization_id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT 1 FROM members WHERE organization_id = OLD.organization_id
                   AND role = 'owner' AND status = 'active' AND id <> OLD.id) THEN
        RAISE EXCEPTION 'the last active owner stays'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'members_last_owner';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
-- +goose StatementEnd
CREATE TRIGGER members_last_owner BEFORE UPDATE OF status, role, organization_id ON members
    FOR EACH ROW WHEN (OLD.role = 'owner' AND OLD.status = 'active'
        AND (NEW.role <> 'owner' OR NEW.status <> 'active' OR NEW.organization_id <> OLD.organization_id))
    EXECUTE FUNCTION guard_last_owner();
CREATE TRIGGER members_last_owner_deleted BEFORE DELETE ON members
    FOR EACH ROW WHEN (OLD.role = 'owner' AND OLD.status = 'active') EXECUTE FUNCTION guard_last_owner();

-- Rule R1: a member becomes active only where a seat is free. Rows that arrive
-- active are counted by the import.
-- +goose StatementBegin
CREATE FUNCTION guard_seat_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    seats integer;
BEGIN
    SELECT seat_limit INTO seats FROM organizations WHERE id = NEW.organization_id FOR NO KEY UPDATE;
    IF seats > 0 AND (SELECT count(*) FROM members WHERE organization_id = NEW.organization_id AND status = 'active') >= seats THEN
        RAISE EXCEPTION 'no seat is free'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'members_seat_limit';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER members_seat_limit BEFORE UPDATE OF status ON members
    FOR EACH ROW WHEN (OLD.status <> 'active' AND NEW.status = 'active')
    EXECUTE FUNCTION guard_seat_limit();

-- Invariant 2: nobody who is not active has a live credential or session.
-- +goose StatementBegin
CREATE FUNCTION guard_no_live_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM credentials WHERE member_id = NEW.id AND status = 'active')
       OR EXISTS (SELECT 1 FROM sessions WHERE member_id = NEW.id AND status = 'active') THEN
        RAISE EXCEPTION 'a member with live credentials or sessions cannot be deactivated'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'members_no_live_access';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER members_no_live_access BEFORE UPDATE OF status ON members
    FOR EACH ROW WHEN (OLD.status = 'active' AND NEW.status <> 'active')
    EXECUTE FUNCTION guard_no_live_access();

-- A credential or session of somebody who is not active cannot come alive; the
-- member's row is locked against a deactivation at the same moment.
-- +goose StatementBegin
CREATE FUNCTION guard_access_of_inactive() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM members WHERE id = NEW.member_id AND status = 'active' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'only an active member has live credentials and sessions'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'access_of_inactive_member';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER credentials_of_active BEFORE INSERT OR UPDATE OF status, member_id ON credentials
    FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION guard_access_of_inactive();
CREATE TRIGGER sessions_of_active BEFORE INSERT OR UPDATE OF status, member_id ON sessions
    FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION guard_access_of_inactive();

-- A revoked credential or session never comes back (reactivation included).
-- +goose StatementBegin
CREATE FUNCTION guard_revoked_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was revoked stays revoked'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'revoked_stays_revoked';
END $$;
-- +goose StatementEnd
CREATE TRIGGER credentials_revoked_stays BEFORE UPDATE OF status ON credentials
    FOR EACH ROW WHEN (OLD.status = 'revoked' AND NEW.status <> 'revoked') EXECUTE FUNCTION guard_revoked_stays();
CREATE TRIGGER sessions_revoked_stays BEFORE UPDATE OF status ON sessions
    FOR EACH ROW WHEN (OLD.status = 'revoked' AND NEW.status <> 'revoked') EXECUTE FUNCTION guard_revoked_stays();

-- +goose Down
DROP TRIGGER sessions_revoked_stays ON sessions;
DROP TRIGGER credentials_revoked_stays ON credentials;
DROP TRIGGER sessions_of_active ON sessions;
DROP TRIGGER credentials_of_active ON credentials;
DROP TRIGGER members_no_live_access ON members;
DROP TRIGGER members_seat_limit ON members;
DROP TRIGGER members_last_owner_deleted ON members;
DROP TRIGGER members_last_owner ON members;
DROP TRIGGER audit_events_append_only ON audit_events;
DROP FUNCTION guard_revoked_stays(), guard_access_of_inactive(), guard_no_live_access(), guard_seat_limit(),
    guard_last_owner(), refuse_change();
