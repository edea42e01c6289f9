-- +goose Up

-- Answers to requests that carried an Idempotency-Key, for those who repeat one. A
-- row is written before anything is done, so that whoever takes over from a server
-- that has died names what is done as that server did.
CREATE TABLE idempotency_keys (
    id           uuid PRIMARY KEY,    -- a hash of the caller and the key; neither is kept
    fingerprint  bytea NOT NULL CHECK (length(fingerprint) = 32), -- a hash of the request, salted with the key
    request_id   uuid NOT NULL,       -- what everything that the request makes is named by
    attempt      integer NOT NULL CHECK (attempt > 0), -- how often it was taken up
    leased_until timestamptz NOT NULL, -- whoever answers it has so long to say that they still do
    status       integer CHECK (status BETWEEN 200 AND 499), -- of the answer; NULL while there is none
    header       jsonb,
    body         bytea,
    expires_at   timestamptz NOT NULL, -- the key may be used for something else
    CHECK ((status IS NULL) = (header IS NULL)),
    CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_expiry_idx ON idempotency_keys (expires_at);

-- +goose Down
DROP TABLE idempotency_keys;
