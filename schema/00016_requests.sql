-- What was decided, and what somebody has asked for, are lists that grow for ever and
-- are read from their new end.
-- +goose NO TRANSACTION

-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_decided_idx; -- what an attempt has left that was broken off
CREATE INDEX CONCURRENTLY ownership_requests_decided_idx ON ownership_requests (organization_id, created_at, id) WHERE status <> 'pending';
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_asked_idx;
CREATE INDEX CONCURRENTLY ownership_requests_asked_idx ON ownership_requests (member_id, created_at, id);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_asked_idx;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_decided_idx;
