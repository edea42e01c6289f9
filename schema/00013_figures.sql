-- What is open is counted for the metrics again and again, and is few rows beside
-- what has closed.

-- +goose Up
CREATE INDEX cases_open_idx ON cases (phase) WHERE closed_at IS NULL;
CREATE INDEX cases_troubled_idx ON cases (id) WHERE trouble_step <> '';
CREATE INDEX ownership_requests_pending_idx ON ownership_requests (created_at) WHERE status = 'pending';

-- +goose Down
DROP INDEX ownership_requests_pending_idx;
DROP INDEX cases_troubled_idx;
DROP INDEX cases_open_idx;
