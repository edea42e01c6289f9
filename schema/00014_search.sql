-- People are found by how the words of their name, address and external ID begin; cases
-- by whose they are, and without reading all of an organization's for a page of them.
-- Whatever is a sign of ASCII stands between words: an address is four words, not one.
-- postgres/search.go has the same expression.
-- +goose NO TRANSACTION

-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS members_search_idx; -- what an attempt has left that was broken off
CREATE INDEX CONCURRENTLY members_search_idx ON members USING gin
    (to_tsvector('simple', regexp_replace(display_name || ' ' || email || ' ' || external_id, '[!-/:-@[-`{-~]+', ' ', 'g')));
DROP INDEX CONCURRENTLY IF EXISTS cases_newest_idx;
CREATE INDEX CONCURRENTLY cases_newest_idx ON cases (organization_id, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS cases_phase_idx;
CREATE INDEX CONCURRENTLY cases_phase_idx ON cases (organization_id, phase, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS cases_organization_idx; -- a constraint has an index of the same columns

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS cases_organization_idx;
CREATE INDEX CONCURRENTLY cases_organization_idx ON cases (organization_id, id);
DROP INDEX CONCURRENTLY IF EXISTS cases_phase_idx;
DROP INDEX CONCURRENTLY IF EXISTS cases_newest_idx;
DROP INDEX CONCURRENTLY IF EXISTS members_search_idx;
