-- +goose Up

-- How a credential, its tokens and a session are told from a guess: SHA-256 of 256
-- random bits, never the bits. A credential's ID is its client ID.
ALTER TABLE credentials
    ADD COLUMN secret_hash bytea CHECK (length(secret_hash) = 32); -- NULL: imported, known elsewhere, opens nothing here
ALTER TABLE sessions
    ADD COLUMN token_hash bytea CHECK (length(token_hash) = 32);   -- NULL: of another product, opens nothing here
CREATE UNIQUE INDEX sessions_token_key ON sessions (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX members_sign_in_idx ON members (lower(email)) WHERE status = 'active'; -- who signs in is known by an address

-- Tokens that a credential was given by /oauth/token. They open what the credential
-- does, while it does, until they expire; rows that have expired go with the next.
CREATE TABLE access_tokens (
    token_hash    bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    credential_id uuid NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    CHECK (expires_at > created_at)
);
CREATE INDEX access_tokens_credential_idx ON access_tokens (credential_id, expires_at);

-- +goose Down
DROP TABLE access_tokens;
DROP INDEX members_sign_in_idx;
DROP INDEX sessions_token_key;
ALTER TABLE sessions DROP COLUMN token_hash;
ALTER TABLE credentials DROP COLUMN secret_hash;
