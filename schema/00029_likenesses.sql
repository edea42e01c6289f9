-- A deletion finds the folders that stand for a member, and the likenesses of these at
-- the heirs of heirs, whoever has them.
-- +goose NO TRANSACTION

-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS folders_of_leaver_key; -- what an attempt has left that was broken off
CREATE UNIQUE INDEX CONCURRENTLY folders_of_leaver_key ON folders (leaver_id, owner_id) WHERE leaver_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS folders_of_source_key;
CREATE UNIQUE INDEX CONCURRENTLY folders_of_source_key ON folders (source_id, owner_id) WHERE source_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS folders_leaver_key;
DROP INDEX CONCURRENTLY IF EXISTS folders_source_key;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS folders_source_key;
CREATE UNIQUE INDEX CONCURRENTLY folders_source_key ON folders (owner_id, source_id) WHERE source_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS folders_leaver_key;
CREATE UNIQUE INDEX CONCURRENTLY folders_leaver_key ON folders (owner_id, leaver_id) WHERE leaver_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS folders_of_source_key;
DROP INDEX CONCURRENTLY IF EXISTS folders_of_leaver_key;
