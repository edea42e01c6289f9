-- What was decided, and what somebody has asked for, are lists that grow for ever and
-- are read from their new end.

-- +goose Up
CREATE INDEX ownership_requests_decided_idx ON ownership_requests (organization_id, created_at, id) WHERE status <> 'pending';
CREATE INDEX ownership_requests_asked_idx ON ownership_requests (member_id, created_at, id);

-- +goose Down
DROP INDEX ownership_requests_asked_idx;
DROP INDEX ownership_requests_decided_idx;
