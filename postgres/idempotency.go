package postgres

import (
	"context"
	"encoding/json"
	"time"
)

// KeyLifetime is how long an idempotency key is known.
const KeyLifetime = 24 * time.Hour

// KeyedRequest is a request that carries an idempotency key.
type KeyedRequest struct {
	ID          string // of the key and its caller
	Fingerprint []byte // of the request
	RequestID   string // what a new request names by what it makes
	Lease       time.Duration
}

// KeyUse is what became of a request that carries an idempotency key.
type KeyUse struct {
	RequestID string    `db:"request_id"` // the same for every attempt
	Attempt   int       `db:"attempt"`    // to answer it; 0 where that is not for the caller to do
	Reused    bool      `db:"reused"`     // the key belongs to another request
	BusyUntil time.Time `db:"busy_until"` // somebody else answers it, until then at least

	Answer *KeyedAnswer `db:"-"` // it was answered already
}

// KeyedAnswer is the answer that repeats of a request get.
type KeyedAnswer struct {
	Status int
	Header map[string][]string
	Body   []byte
}

const (
	// A key that nobody knows any more is anybody's; one whose server has not been
	// heard of is taken over, with everything named as before.
	claimKey = `INSERT INTO idempotency_keys AS k (id, fingerprint, request_id, attempt, leased_until, expires_at)
	VALUES ($1, $2, $3, 1, $4, $5)
	ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, attempt = k.attempt + 1, leased_until = excluded.leased_until,
		request_id = CASE WHEN k.expires_at <= $6 THEN excluded.request_id ELSE k.request_id END,
		expires_at = CASE WHEN k.expires_at <= $6 THEN excluded.expires_at ELSE k.expires_at END,
		status = NULL, header = NULL, body = NULL
	WHERE k.leased_until <= $6 AND (k.expires_at <= $6 OR k.status IS NULL AND k.fingerprint = excluded.fingerprint)
	RETURNING request_id, attempt, false AS reused, leased_until AS busy_until`

	selectKey = `SELECT request_id, 0 AS attempt, fingerprint <> $2 AS reused, leased_until AS busy_until,
	status, header::text AS header, body FROM idempotency_keys WHERE id = $1`

	leaseKey  = `UPDATE idempotency_keys SET leased_until = $3 WHERE id = $1 AND attempt = $2 AND status IS NULL`
	answerKey = `UPDATE idempotency_keys SET leased_until = $3, status = $4, header = $5, body = $6
	WHERE id = $1 AND attempt = $2 AND status IS NULL`

	// A few with every new one: more go than come.
	sweepKeys = `DELETE FROM idempotency_keys WHERE id = ANY (ARRAY(
		SELECT id FROM idempotency_keys WHERE expires_at <= $1 AND leased_until <= $1 ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED))`
)

// ClaimKey takes up a request that carries an idempotency key, or says why it is
// not to be done. Keys that have expired are forgotten.
func (s *Store) ClaimKey(ctx context.Context, r KeyedRequest, at time.Time) (KeyUse, error) {
	var use struct {
		KeyUse
		Status *int    `db:"status"`
		Header *string `db:"header"`
		Body   []byte  `db:"body"`
	}
	err := s.inTx(ctx, "claim an idempotency key", func(t *tx) error {
		if _, err := t.exec(sweepKeys, at); err != nil {
			return err
		}
		claimed, err := t.find(&use.KeyUse, claimKey, r.ID, r.Fingerprint, r.RequestID, at.Add(r.Lease), at.Add(KeyLifetime), at)
		if err != nil || claimed {
			return err
		}
		if err := t.get(&use, selectKey, r.ID, r.Fingerprint); err != nil || use.Status == nil || use.Reused {
			return err
		}
		use.Answer = &KeyedAnswer{Status: *use.Status, Body: use.Body}
		return json.Unmarshal([]byte(*use.Header), &use.Answer.Header)
	})
	return use.KeyUse, err
}

// LeaseKey says that an attempt is still being answered. until in the past gives
// it up: a repeat may take over at once.
func (s *Store) LeaseKey(ctx context.Context, id string, attempt int, until time.Time) error {
	return s.inTx(ctx, "lease an idempotency key", func(t *tx) error {
		_, err := t.exec(leaseKey, id, attempt, until)
		return err
	})
}

// AnswerKey keeps an answer for repeats. That of an attempt which was taken over
// meanwhile is not kept.
func (s *Store) AnswerKey(ctx context.Context, id string, attempt int, a KeyedAnswer, at time.Time) error {
	return s.inTx(ctx, "keep an answer", func(t *tx) error {
		_, err := t.exec(answerKey, id, attempt, at, a.Status, string(mustJSON(a.Header)), a.Body)
		return err
	})
}
