-- What was sent under a signature is kept until it has expired: who keeps one more
-- forgets those that expired first.
-- +goose NO TRANSACTION

-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS case_steps_signed_idx; -- what an attempt has left that was broken off
CREATE INDEX CONCURRENTLY case_steps_signed_idx ON case_steps (at) WHERE step = 'signed';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS case_steps_signed_idx;
