-- A second wall around each organization (docs/adr/0043): what the server may see and
-- change of the rows is decided here too, for the role that `starter migrate
-- --server-role` names. Policies are made there; without such a role nothing is different.

-- +goose Up

-- The organizations that this transaction is about, as the server has named them; none
-- where it has not.
CREATE FUNCTION walled() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT coalesce(nullif(current_setting('handover.wall', true), ''), '{}')::uuid[] $$;

-- Behind the wall an index is not used for what might tell of rows that are not to be
-- seen, such as lower() and a search for words. These do it instead.

-- The members within the wall who go by one of some addresses or user names.
-- +goose StatementBegin
CREATE FUNCTION members_called(names text[]) RETURNS SETOF uuid LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER AS $$
DECLARE
    reach uuid[] = walled();
BEGIN
    names = ARRAY(SELECT lower(n) FROM unnest(names) n);
    RETURN QUERY SELECT m.id FROM members m WHERE m.organization_id = ANY (reach) AND lower(m.email) = ANY (names)
        UNION SELECT m.id FROM members m WHERE m.organization_id = ANY (reach) AND lower(coalesce(m.user_name, m.email)) = ANY (names);
END $$;
-- +goose StatementEnd

-- So many members of some organizations within the wall as match a search at the most.
-- +goose StatementBegin
CREATE FUNCTION members_found(organizations uuid[], query text, most integer) RETURNS SETOF uuid LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER AS $$
BEGIN
    RETURN QUERY EXECUTE $q$SELECT m.id FROM members m WHERE m.organization_id = ANY ($1)
        AND to_tsvector('simple', regexp_replace(m.display_name || ' ' || m.email || ' ' || m.external_id, '[!-/:-@[-`{-~]+', ' ', 'g')) @@ to_tsquery('simple', $2)
        LIMIT $3$q$ USING ARRAY(SELECT unnest(organizations) INTERSECT SELECT unnest(walled())), query, most;
END $$;
-- +goose StatementEnd

-- What somebody is called who acts in an organization within the wall from above it (rule
-- A1): all that is seen there of the organizations above.
-- +goose StatementBegin
CREATE FUNCTION name_above(member uuid) RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER AS $$
BEGIN
    RETURN (WITH RECURSIVE up AS (
            SELECT o.parent_id FROM organizations o WHERE o.id = ANY (walled())
            UNION SELECT o.parent_id FROM organizations o JOIN up ON o.id = up.parent_id)
        SELECT m.display_name FROM members m WHERE m.id = member AND m.organization_id IN (SELECT parent_id FROM up));
END $$;
-- +goose StatementEnd

-- They run as the owner: nothing that a caller has made may stand for what they name.
-- +goose StatementBegin
DO $$
DECLARE
    f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['members_called(text[])', 'members_found(uuid[], text, integer)', 'name_above(uuid)'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', f, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down
-- A role that had the wall around it has nothing without it. The policies are found by
-- what they are: a role may have got another name since.
-- +goose StatementBegin
DO $$
DECLARE
    wall record;
BEGIN
    FOR wall IN SELECT c.oid::regclass AS relation, p.polname, g.rolname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        JOIN pg_class m ON m.oid = 'members'::regclass AND m.relnamespace = c.relnamespace
        LEFT JOIN pg_roles g ON g.oid = p.polroles[1] WHERE p.polname = 'everybody' OR pg_get_expr(p.polqual, p.polrelid) LIKE '%walled()%' LOOP
        IF wall.rolname IS NOT NULL THEN
            EXECUTE format('REVOKE ALL ON %s FROM %I', wall.relation, wall.rolname);
        END IF;
        EXECUTE format('DROP POLICY %I ON %s', wall.polname, wall.relation);
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', wall.relation);
    END LOOP;
END $$;
-- +goose StatementEnd
DROP FUNCTION name_above(uuid), members_found(uuid[], text, integer), members_called(text[]), walled();
