-- +goose Up

-- Deletion is for good (rule X1): the row stays as a tombstone that documents and
-- the audit refer to, and holds nothing about the person but, by policy, the name.
ALTER TABLE members ADD CONSTRAINT members_deleted_check CHECK (status <> 'deleted' OR (
    email = 'deleted-' || id || '@deleted.invalid' AND external_id = 'deleted:' || id
    AND manager_id IS NULL AND managed_by = '' AND time_zone = '')) NOT VALID;

-- +goose StatementBegin
CREATE FUNCTION guard_deleted_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'deleted' THEN
        RAISE EXCEPTION 'a deleted member never comes back'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'members_deleted_stays';
    END IF;
    RAISE EXCEPTION 'an active member is offboarded before the deletion'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'members_offboarded_first';
END $$;
-- +goose StatementEnd
CREATE TRIGGER members_deleted_stays BEFORE UPDATE OF status ON members
    FOR EACH ROW WHEN ((OLD.status = 'deleted') <> (NEW.status = 'deleted') AND OLD.status IN ('deleted', 'active'))
    EXECUTE FUNCTION guard_deleted_stays();
CREATE TRIGGER members_deleted_remains BEFORE DELETE ON members
    FOR EACH ROW WHEN (OLD.status = 'deleted') EXECUTE FUNCTION guard_deleted_stays();

-- What an audit detail comes to when the person it is about is deleted: IDs,
-- times, numbers and the words of the domain (phases, statuses, codes) stay, texts
-- that people have written do not.
-- +goose StatementBegin
CREATE FUNCTION without_texts(detail jsonb, key text DEFAULT '') RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE jsonb_typeof(detail)
    WHEN 'object' THEN
        RETURN coalesce((SELECT jsonb_object_agg(e.key, without_texts(e.value, e.key)) FROM jsonb_each(detail) e), '{}');
    WHEN 'array' THEN
        RETURN coalesce((SELECT jsonb_agg(without_texts(e.value, without_texts.key) ORDER BY e.n)
            FROM jsonb_array_elements(detail) WITH ORDINALITY e (value, n)), '[]');
    WHEN 'string' THEN
        IF detail = '""' OR key !~ '(reason|note|name|email|title|text|comment|external)' AND detail #>> '{}'
            ~ '^([a-z][a-z0-9_,]*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d))$' THEN
            RETURN detail;
        END IF;
        RETURN '"erased"';
    ELSE
        RETURN detail;
    END CASE;
END $$;
-- +goose StatementEnd

-- The audit stays append-only, with one exception: the transaction that deletes a
-- member takes the texts out of the details of the events about that member.
DROP TRIGGER audit_events_append_only ON audit_events;
CREATE TRIGGER audit_events_append_only BEFORE DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- +goose StatementBegin
CREATE FUNCTION guard_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER audit_events_texts_only BEFORE UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION guard_audit_change();

-- A workflow ID that says no more than IDs; the caller's own may name the person.
-- +goose StatementBegin
CREATE FUNCTION neutral_workflow_id(workflow_id text, member_id uuid) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN workflow_id ~ '^[a-z-]+(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})+$' THEN workflow_id
        ELSE 'offboarding/' || member_id END;
-- +goose StatementEnd

-- An open case of a deleted member goes on, and needs its workflow ID and steps
-- until it closes.
-- +goose StatementBegin
CREATE FUNCTION forget_case_of_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM members WHERE id = NEW.member_id AND status = 'deleted') THEN
        NEW.workflow_id = neutral_workflow_id(NEW.workflow_id, NEW.member_id);
        NEW.trouble_error = '';
        DELETE FROM case_steps WHERE case_id = NEW.id;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER cases_of_deleted BEFORE UPDATE OF closed_at ON cases
    FOR EACH ROW WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL) EXECUTE FUNCTION forget_case_of_deleted();

-- +goose Down
DROP TRIGGER cases_of_deleted ON cases;
DROP TRIGGER audit_events_texts_only ON audit_events;
DROP TRIGGER audit_events_append_only ON audit_events;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER members_deleted_remains ON members;
DROP TRIGGER members_deleted_stays ON members;
DROP FUNCTION forget_case_of_deleted(), neutral_workflow_id(text, uuid), guard_audit_change(), without_texts(jsonb, text),
    guard_deleted_stays();
ALTER TABLE members DROP CONSTRAINT members_deleted_check;
