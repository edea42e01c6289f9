-- A list names members that have been found, and cases that are opened or found in the
-- same transaction; members, cases and runs are never deleted. To look each of them up
-- again took two thirds of the time in which a list is written, and until it is, nobody
-- on it loses access.
-- +goose NO TRANSACTION

-- +goose Up
-- One after the other: each takes its own short lock on the table that it refers to.
ALTER TABLE bulk_members DROP CONSTRAINT IF EXISTS bulk_members_bulk_id_fkey;
ALTER TABLE bulk_members DROP CONSTRAINT IF EXISTS bulk_members_member_id_fkey;
ALTER TABLE bulk_members DROP CONSTRAINT IF EXISTS bulk_members_case_id_fkey;

-- +goose Down
-- Checked without a lock that others wait for.
ALTER TABLE bulk_members DROP CONSTRAINT IF EXISTS bulk_members_bulk_id_fkey; -- what an attempt has left that was broken off
ALTER TABLE bulk_members ADD CONSTRAINT bulk_members_bulk_id_fkey FOREIGN KEY (bulk_id) REFERENCES bulk_runs (id) NOT VALID;
ALTER TABLE bulk_members VALIDATE CONSTRAINT bulk_members_bulk_id_fkey;
ALTER TABLE bulk_members DROP CONSTRAINT IF EXISTS bulk_members_member_id_fkey;
ALTER TABLE bulk_members ADD CONSTRAINT bulk_members_member_id_fkey FOREIGN KEY (member_id) REFERENCES members (id) NOT VALID;
ALTER TABLE bulk_members VALIDATE CONSTRAINT bulk_members_member_id_fkey;
ALTER TABLE bulk_members DROP CONSTRAINT IF EXISTS bulk_members_case_id_fkey;
ALTER TABLE bulk_members ADD CONSTRAINT bulk_members_case_id_fkey FOREIGN KEY (case_id) REFERENCES cases (id) NOT VALID;
ALTER TABLE bulk_members VALIDATE CONSTRAINT bulk_members_case_id_fkey;
