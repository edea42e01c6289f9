package main

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"
)

// alternate measures two things in turn, so that what else happens on the machine
// happens to both, and gives the median of each.
func alternate(rounds int, ours, other func(round int) (float64, error)) (us, them float64, err error) {
	var a, b []float64
	for i := range rounds {
		order := []struct {
			do   func(int) (float64, error)
			into *[]float64
		}{{ours, &a}, {other, &b}}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, o := range order {
			f, err := o.do(i)
			if err != nil {
				return 0, 0, err
			}
			*o.into = append(*o.into, f)
		}
	}
	return quantile(a, 0.5), quantile(b, 0.5), nil
}

// quantile is the value below which the share q of all lies; of an even number's
// median the upper one.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// timed is how many seconds something takes.
func timed(do func() error) (float64, error) {
	began := time.Now()
	err := do()
	return time.Since(began).Seconds(), err
}

// each does something n times, so many at once, and gives the seconds of each.
func each(ctx context.Context, n, atOnce int, do func(ctx context.Context, i int) error) ([]float64, error) {
	took := make([]float64, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range n {
		g.Go(func() (err error) {
			took[i], err = timed(func() error { return do(ctx, i) })
			return err
		})
	}
	return took, g.Wait()
}

// How often it is looked whether something holds: often where its moment counts, rarely
// where to look reads whole tables.
const (
	often  = 5 * time.Millisecond
	rarely = time.Second / 4
)

// until looks again and again until a query says true.
func until(ctx context.Context, db *sqlx.DB, every time.Duration, query string, args ...any) error {
	stmt, err := db.PreparexContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var holds bool
		if err := stmt.GetContext(ctx, &holds, args...); err != nil || holds {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
