package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"golang.org/x/sync/errgroup"
)

// claimsDuring is how many seconds claims took during a sweep.
type claimsDuring struct {
	any, next []float64
	blocked   float64 // the longest wait for a lock
}

// transferWithClaims is transfer while colleagues claim documents that are among them.
func (s *sweeping) transferWithClaims(ctx context.Context, caseID, leaver, heir string) (seconds float64, during claimsDuring, err error) {
	documents, err := s.grantSome(ctx, leaver)
	if err != nil {
		return 0, during, err
	}
	if err := s.warmClaims(ctx, caseID, documents[:warmingClaims]); err != nil {
		return 0, during, err
	}
	swept := make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer close(swept)
		seconds, err = s.transfer(ctx, caseID, leaver, heir)
		return err
	})
	g.Go(func() (err error) {
		during.any, err = s.claimUntil(ctx, swept, caseID, inTurn(documents[warmingClaims:]))
		return err
	})
	g.Go(func() (err error) {
		during.next, err = s.claimUntil(ctx, swept, caseID, s.nextOf(leaver, documents))
		return err
	})
	g.Go(func() (err error) {
		during.blocked, err = s.longestWait(ctx, swept)
		return err
	})
	return seconds, during, g.Wait()
}

// lookEvery is the time between two looks at who waits.
const lookEvery = 20 * time.Millisecond

// longestWait looks until done at who waits for a lock of this database, and gives the
// longest wait in seconds.
func (s *sweeping) longestWait(ctx context.Context, done <-chan struct{}) (longest float64, err error) {
	const query = `SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::float8
		FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted AND a.datname = current_database()`
	stmt, err := s.store.DB().PreparexContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stmt.Close() }()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return longest, nil
		case <-done:
			return longest, nil
		case <-tick.C:
		}
		var now float64
		if err := stmt.GetContext(ctx, &now); err != nil {
			return longest, err
		}
		longest = max(longest, now)
	}
}

// claimed is a document and who may claim it.
type claimed struct {
	DocumentID string `db:"document_id"`
	MemberID   string `db:"member_id"`
}

// grantSome lets some colleagues claim some of a leaver's documents.
func (s *sweeping) grantSome(ctx context.Context, leaver string) (documents []claimed, err error) {
	colleagues := make([]string, 8)
	for i := range colleagues {
		colleagues[i] = s.member()
	}
	err = s.store.DB().SelectContext(ctx, &documents, `WITH wanted AS (
			SELECT organization_id, id, row_number() OVER () AS n FROM (
				SELECT organization_id, id FROM documents WHERE owner_id = $1 ORDER BY random() LIMIT 20000) d),
		given AS (INSERT INTO grants (organization_id, document_id, member_id, level)
			SELECT organization_id, id, ($2::uuid[])[1 + n % cardinality($2::uuid[])], 'edit' FROM wanted RETURNING document_id, member_id)
		SELECT document_id, member_id FROM given ORDER BY random()`, leaver, pq.Array(colleagues))
	return documents, err
}

// claimEvery is the time between two claims of each kind, whether the ones before are answered or not.
const claimEvery = 50 * time.Millisecond

// choice is the next document to claim; there may be none.
type choice func(context.Context) (d claimed, found bool, err error)

// inTurn goes through documents.
func inTurn(documents []claimed) choice {
	return func(context.Context) (d claimed, found bool, err error) {
		if len(documents) == 0 {
			return d, false, nil
		}
		d, documents = documents[0], documents[1:]
		return d, true, nil
	}
}

// nextOf looks which document of a leaver, among those that somebody may edit, is transferred
// next: the first that is theirs, while the batch that it is in has not been committed.
func (s *sweeping) nextOf(leaver string, documents []claimed) choice {
	const query = `SELECT id FROM documents
		WHERE (owner_id, id) > ($1, $2) AND (owner_id, id) <= ($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff') ORDER BY owner_id, id LIMIT 500`
	editors := make(map[string]string, len(documents))
	for _, d := range documents {
		editors[d.DocumentID] = d.MemberID
	}
	last := uuid.Nil.String() // those before are not looked at again
	return func(ctx context.Context) (d claimed, found bool, err error) {
		var ids []string
		if err := s.store.DB().SelectContext(ctx, &ids, query, leaver, last); err != nil {
			return d, false, err
		}
		for _, id := range ids {
			if editor, ok := editors[id]; ok {
				last = id
				return claimed{DocumentID: id, MemberID: editor}, true, nil
			}
		}
		return d, false, nil
	}
}

// claimUntil claims document after document by the store, as a worker does it, until
// done, and gives the seconds that each took.
func (s *sweeping) claimUntil(ctx context.Context, done <-chan struct{}, caseID string, choose choice) (took []float64, err error) {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return took, g.Wait()
		case <-done:
			return took, g.Wait()
		case <-tick.C:
		}
		d, found, err := choose(ctx)
		if err != nil {
			return took, errors.Join(err, g.Wait())
		}
		if !found {
			continue
		}
		g.Go(func() error {
			seconds, err := timed(func() error { return s.claim(ctx, caseID, d) })
			mu.Lock()
			defer mu.Unlock()
			took = append(took, seconds)
			return err
		})
	}
}

// claim claims a document, unless the sweep was there before.
func (s *sweeping) claim(ctx context.Context, caseID string, d claimed) error {
	_, err := claimStep(ctx, s.store, caseID, d.DocumentID, d.MemberID)
	return err
}

// warmingClaims let each connection prepare its statements and plan them for any values.
const warmingClaims = 10 * poolSize

// warmClaims makes claims that nobody measures.
func (s *sweeping) warmClaims(ctx context.Context, caseID string, documents []claimed) error {
	_, err := each(ctx, len(documents), poolSize, func(ctx context.Context, i int) error { return s.claim(ctx, caseID, documents[i]) })
	return err
}
