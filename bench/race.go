package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	cases "handover/client"
	"handover/postgres"
)

// race starts cases of one organization's members, each once.
type race struct {
	org    organization
	next   int // who has not been started yet
	atOnce int
}

// lane is one of the two that race: how a case is started, and who sees what comes of it.
type lane struct {
	watch *watch
	start func(ctx context.Context, i int) error
}

// someone is a member who has no case yet.
func (r *race) someone() int {
	r.next++
	return r.next - 1
}

// parkedWithin is how long a case may take at the most.
const parkedWithin = time.Minute

// await waits for what a watch sees.
func await(ctx context.Context, seen <-chan time.Time) (time.Time, error) {
	select {
	case at := <-seen:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-time.After(parkedWithin):
		return time.Time{}, fmt.Errorf("a case is not parked after %s", parkedWithin)
	}
}

// revoked starts n cases, each when the one before is parked, and gives the median
// milliseconds from the call to the commit of the revocation.
func (r *race) revoked(ctx context.Context, l lane, n int) func(int) (float64, error) {
	return func(int) (float64, error) {
		took := make([]float64, n)
		for i := range took {
			began := time.Now()
			if err := l.start(ctx, r.someone()); err != nil {
				return 0, err
			}
			revoked, err := await(ctx, l.watch.revoked)
			if err == nil {
				_, err = await(ctx, l.watch.parked)
			}
			if err != nil {
				return 0, err
			}
			took[i] = revoked.Sub(began).Seconds() * 1000
		}
		return quantile(took, 0.5), nil
	}
}

// rate starts cases, so many at once, a next one when one is parked, and gives the cases a
// second of n of them that are parked while so many are on their way: the clock begins when
// as many are parked, and as many are left when it ends.
func (r *race) rate(ctx context.Context, l lane, n int) func(int) (float64, error) {
	return func(int) (float64, error) {
		first, all := r.next, r.cases(n)
		r.next += all
		g, started := errgroup.WithContext(ctx)
		var began, ended time.Time
		for i := range all + r.atOnce {
			if i >= r.atOnce {
				at, err := await(started, l.watch.parked)
				if err != nil {
					return 0, errors.Join(g.Wait(), err)
				}
				switch i - r.atOnce + 1 { // so many are parked
				case r.atOnce:
					began = at
				case r.atOnce + n:
					ended = at
				}
			}
			if i < all {
				g.Go(func() error { return l.start(started, first+i) })
			}
		}
		for range all {
			<-l.watch.revoked
		}
		return float64(n) / ended.Sub(began).Seconds(), g.Wait()
	}
}

// cases is how many are started to measure the rate of n of them.
func (r *race) cases(n int) int { return n + 2*r.atOnce }

// answered starts n cases for a caller who waits until the member is inactive, and
// gives the median milliseconds until the answer.
func (r *race) answered(ctx context.Context, c *cases.Client, l lane, n int) (float64, error) {
	took, err := each(ctx, n, 1, func(ctx context.Context, _ int) error {
		_, err := c.StartAndAwait(ctx, r.org.request(r.someone()))
		return err
	})
	for range took {
		if err == nil {
			_, err = await(ctx, l.watch.parked)
		}
		if err == nil {
			_, err = await(ctx, l.watch.revoked)
		}
	}
	return quantile(took, 0.5) * 1000, err
}

// warm does a round of everything that nobody measures: connections and statements
// are made then.
func (r *race) warm(ctx context.Context, lanes ...lane) error {
	for _, l := range lanes {
		if _, err := r.rate(ctx, l, 1)(0); err != nil {
			return err
		}
	}
	return nil
}

var errNotParked = errors.New("not every case that was started is in grace")

// allParked checks that every case that was started has come to its grace.
func (r *race) allParked(ctx context.Context, store *postgres.Store) error {
	var parked int
	err := store.DB().GetContext(ctx, &parked, `SELECT count(*) FROM cases WHERE phase = 'grace' AND organization_id = $1`, r.org.id)
	if err == nil && parked != r.next {
		err = fmt.Errorf("%w: %d of %d", errNotParked, parked, r.next)
	}
	return err
}
