-- What the overview counts of an organization, and what lists narrow by, is found by an
-- index, however much there is beside it.
-- +goose NO TRANSACTION

-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS cases_open_phase_idx; -- what an attempt has left that was broken off
CREATE INDEX CONCURRENTLY cases_open_phase_idx ON cases (organization_id, phase, deactivated_at) WHERE closed_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS cases_deactivated_idx;
CREATE INDEX CONCURRENTLY cases_deactivated_idx ON cases (organization_id, deactivated_at) WHERE workspace_id IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS cases_in_trouble_idx;
CREATE INDEX CONCURRENTLY cases_in_trouble_idx ON cases (organization_id, created_at, id) WHERE trouble_step <> '';
DROP INDEX CONCURRENTLY IF EXISTS cases_open_newest_idx;
CREATE INDEX CONCURRENTLY cases_open_newest_idx ON cases (organization_id, created_at, id) WHERE closed_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS members_status_idx;
CREATE INDEX CONCURRENTLY members_status_idx ON members (organization_id, status, id);
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_case_pending_idx;
CREATE INDEX CONCURRENTLY ownership_requests_case_pending_idx ON ownership_requests (case_id, created_at) WHERE status = 'pending';
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_status_idx;
CREATE INDEX CONCURRENTLY ownership_requests_status_idx ON ownership_requests (organization_id, status, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS audit_events_event_idx;
CREATE INDEX CONCURRENTLY audit_events_event_idx ON audit_events (organization_id, event, id);
DROP INDEX CONCURRENTLY IF EXISTS audit_events_at_idx; -- of ranges: the audit is written nearly in the order of its times
CREATE INDEX CONCURRENTLY audit_events_at_idx ON audit_events USING brin (at timestamptz_minmax_multi_ops) WITH (autosummarize = on);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS audit_events_at_idx;
DROP INDEX CONCURRENTLY IF EXISTS audit_events_event_idx;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_status_idx;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_case_pending_idx;
DROP INDEX CONCURRENTLY IF EXISTS members_status_idx;
DROP INDEX CONCURRENTLY IF EXISTS cases_open_newest_idx;
DROP INDEX CONCURRENTLY IF EXISTS cases_in_trouble_idx;
DROP INDEX CONCURRENTLY IF EXISTS cases_deactivated_idx;
DROP INDEX CONCURRENTLY IF EXISTS cases_open_phase_idx;
