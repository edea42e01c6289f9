-- Worker, server and command line run as a role that may only add to the audit
-- (docs/adr/0037). What a deletion takes out of it (rule X1) is taken by a function of
-- the owner; the trigger audit_events_texts_only says when, and what.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION erase_audit_texts(member uuid) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    erased integer;
BEGIN
    UPDATE audit_events SET before = without_texts(before), after = without_texts(after)
    WHERE id = ANY (ARRAY(SELECT e.id FROM audit_events e WHERE e.member_id = member
            UNION SELECT e.id FROM cases c JOIN audit_events e ON e.case_id = c.id WHERE c.member_id = member))
        AND (before <> without_texts(before) OR after <> without_texts(after));
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN erased;
END $$;
-- +goose StatementEnd

-- It runs as the owner: nothing that a caller has made may stand for what it names.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION erase_audit_texts(uuid) SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION erase_audit_texts(uuid) FROM PUBLIC;

-- +goose Down
DROP FUNCTION erase_audit_texts(uuid);
