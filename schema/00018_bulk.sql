-- Each row of a list is written with its run and again when it is processed. The second
-- time finds room beside the first and touches no index: rows are found by their run and
-- place, or by their member.
-- +goose NO TRANSACTION

-- +goose Up
ALTER TABLE bulk_members SET (fillfactor = 60);
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_pending_idx;
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_waiting_idx;
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_case_idx;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_case_idx; -- what an attempt has left that was broken off
CREATE INDEX CONCURRENTLY bulk_members_case_idx ON bulk_members (case_id) WHERE to_start;
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_waiting_idx;
CREATE INDEX CONCURRENTLY bulk_members_waiting_idx ON bulk_members (bulk_id, position) WHERE to_start AND running_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_pending_idx;
CREATE INDEX CONCURRENTLY bulk_members_pending_idx ON bulk_members (bulk_id, position) WHERE result = 'pending';
ALTER TABLE bulk_members RESET (fillfactor);
