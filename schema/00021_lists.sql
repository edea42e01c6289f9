-- What a list of a few among many reads, and what a deletion erases, is found by an
-- index; and there is no index that no statement uses.
-- +goose NO TRANSACTION

-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS webhook_deliveries_undelivered_idx; -- what an attempt has left that was broken off
CREATE INDEX CONCURRENTLY webhook_deliveries_undelivered_idx ON webhook_deliveries (webhook_id, id) WHERE status <> 'delivered';
DROP INDEX CONCURRENTLY IF EXISTS documents_not_editable_idx;
CREATE INDEX CONCURRENTLY documents_not_editable_idx ON documents (owner_id, id) WHERE access <> 'editable';
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_newest_idx;
CREATE INDEX CONCURRENTLY ownership_requests_newest_idx ON ownership_requests (organization_id, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_document_idx;
CREATE INDEX CONCURRENTLY ownership_requests_document_idx ON ownership_requests (document_id, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_decided_by_idx;
CREATE INDEX CONCURRENTLY ownership_requests_decided_by_idx ON ownership_requests (decided_by) WHERE decided_by IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS members_reports_idx;
CREATE INDEX CONCURRENTLY members_reports_idx ON members (manager_id) WHERE manager_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS legal_holds_of_member_idx;
CREATE INDEX CONCURRENTLY legal_holds_of_member_idx ON legal_holds (member_id) WHERE member_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_reference_idx;
CREATE INDEX CONCURRENTLY bulk_members_reference_idx ON bulk_members (lower(reference)) WHERE reference <> '';
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_decided_idx;     -- newest: nearly all have been decided
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_member_idx;      -- asked: a member asks for a few
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_to_escalate_idx; -- case_pending
DROP INDEX CONCURRENTLY IF EXISTS legal_holds_member_idx;             -- of_member
DROP INDEX CONCURRENTLY IF EXISTS members_manager_idx;                -- reports
DROP INDEX CONCURRENTLY IF EXISTS documents_folder_idx;               -- nothing asks what is in a folder

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS documents_folder_idx;
CREATE INDEX CONCURRENTLY documents_folder_idx ON documents (folder_id) WHERE folder_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS members_manager_idx;
CREATE INDEX CONCURRENTLY members_manager_idx ON members (organization_id, manager_id) WHERE manager_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS legal_holds_member_idx;
CREATE INDEX CONCURRENTLY legal_holds_member_idx ON legal_holds (member_id) WHERE member_id IS NOT NULL AND lifted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_to_escalate_idx;
CREATE INDEX CONCURRENTLY ownership_requests_to_escalate_idx ON ownership_requests (case_id, created_at) WHERE status = 'pending' AND escalated_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_member_idx;
CREATE INDEX CONCURRENTLY ownership_requests_member_idx ON ownership_requests (member_id) WHERE status = 'pending';
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_decided_idx;
CREATE INDEX CONCURRENTLY ownership_requests_decided_idx ON ownership_requests (organization_id, created_at, id) WHERE status <> 'pending';
DROP INDEX CONCURRENTLY IF EXISTS bulk_members_reference_idx;
DROP INDEX CONCURRENTLY IF EXISTS legal_holds_of_member_idx;
DROP INDEX CONCURRENTLY IF EXISTS members_reports_idx;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_decided_by_idx;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_document_idx;
DROP INDEX CONCURRENTLY IF EXISTS ownership_requests_newest_idx;
DROP INDEX CONCURRENTLY IF EXISTS webhook_deliveries_undelivered_idx;
DROP INDEX CONCURRENTLY IF EXISTS documents_not_editable_idx;
