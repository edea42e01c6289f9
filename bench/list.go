package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"handover/internal/crowd"
)

// lists: all that the API lists and the console shows, as an admin and as a maker see
// it, in an organization and in one of a tenth of its size.
func (b *bench) lists(ctx context.Context) (err error) {
	members, rounds := 100_000, 6
	if b.scale == quick {
		members, rounds = 6_000, 2
	}
	var desks [2]*desk // few, many
	defer func() {
		for _, d := range desks {
			if d != nil {
				err = errors.Join(err, d.close())
			}
		}
	}()
	g, filling := errgroup.WithContext(ctx)
	for i, n := range []int{members / 10, members} {
		g.Go(func() (err error) {
			desks[i], err = b.desk(filling, fmt.Sprintf("lists_%d", i), n)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	looks, err := b.looksAt(ctx, desks)
	if err != nil {
		return err
	}
	b.say("  looking at %d lists and pages", len(looks))
	for i := range rounds {
		for _, l := range looks {
			if l.preview() && i%4 > 0 {
				continue
			}
			if err := l.once(ctx, desks); err != nil {
				return err
			}
		}
	}
	b.tellLooks(looks, members)
	return nil
}

// look is one thing that is looked at in both crowds.
type look struct {
	what   string
	member [2]string
	sight  [2]crowd.Sight
	length [2]int       // of the answers, in bytes
	took   [2][]float64 // ms
}

// page is whether it is one of the console.
func (l *look) page() bool { return strings.HasPrefix(l.what, "/console") }

// preview is whether it says in numbers, all of which are right, what would become of
// everything that one member has.
func (l *look) preview() bool {
	for _, end := range []string{"/deactivate", "/delete", "/transfer", "/reactivate", "-preview"} {
		if strings.HasSuffix(l.sight[1].Path, end) {
			return true
		}
	}
	return false
}

// alike is whether as much is shown of both crowds, as of a list that is longer than the
// page; else the lesser has less to show.
func (l *look) alike() bool {
	return math.Abs(float64(l.length[1]-l.length[0])) < 0.1*float64(l.length[1])
}

// once looks at both.
func (l *look) once(ctx context.Context, desks [2]*desk) error {
	for i, d := range desks {
		a, err := d.open(ctx, l.member[i], l.sight[i])
		if err != nil {
			return err
		}
		l.took[i] = append(l.took[i], a.ms)
	}
	return nil
}

// looksAt is all that there is to see for an admin and for a maker. What is not there for
// a maker, or for nobody, is left out.
func (b *bench) looksAt(ctx context.Context, desks [2]*desk) (all []*look, err error) {
	few, many := desks[0], desks[1]
	for _, r := range many.routes {
		small, err := few.Sights(r.method, r.path)
		if err != nil {
			return nil, err
		}
		large, err := many.Sights(r.method, r.path)
		if err != nil {
			return nil, err
		}
		for i := range large {
			for _, l := range []*look{
				{member: [2]string{few.Admin, many.Admin}}, {what: " (maker)", member: [2]string{few.Manager, many.Manager}},
			} {
				l.what, l.sight = large[i].String()+l.what, [2]crowd.Sight{small[i], large[i]}
				there, err := l.first(ctx, desks, b.scale == quick)
				if err != nil {
					return nil, err
				}
				if there {
					all = append(all, l)
				}
			}
		}
	}
	return all, nil
}

// first looks at both until statements are prepared, and planned for any values, or only
// once, and says whether there is something.
func (l *look) first(ctx context.Context, desks [2]*desk, once bool) (there bool, err error) {
	times := 7
	if once || l.preview() { // they take long
		times = 1
	}
	for range times {
		for i, d := range desks {
			a, err := d.open(ctx, l.member[i], l.sight[i])
			if err != nil || a.status != http.StatusOK {
				return false, err
			}
			l.length[i] = a.length
		}
	}
	return true, nil
}

// tellLooks adds to the table and to the results.
func (b *bench) tellLooks(looks []*look, members int) {
	var growth float64
	for _, kind := range []struct {
		what, key string
		of        func(*look) bool
	}{
		{"lists of the API", "list_p99_ms", func(l *look) bool { return !l.page() && !l.preview() }},
		{"pages of the console", "page_p99_ms", func(l *look) bool { return l.page() && !l.preview() }},
		{"previews", "", (*look).preview},
	} {
		var all []float64
		var took [2][]float64 // of those that are alike
		var slowest, steepest *look
		for _, l := range looks {
			if !kind.of(l) {
				continue
			}
			all = append(all, l.took[1]...)
			if slowest == nil || l.median(1) > slowest.median(1) {
				slowest = l
			}
			if l.alike() {
				took[0], took[1] = append(took[0], l.took[0]...), append(took[1], l.took[1]...)
				if steepest == nil || l.growth() > steepest.growth() {
					steepest = l
				}
			}
		}
		if kind.key != "" {
			b.result(kind.key, quantile(all, 0.99))
			b.row(kind.what+", p99", number(quantile(all, 0.99))+" ms", "", "", fmt.Sprintf("%d members, %d documents, compared to a tenth", members, 10*members))
			for _, q := range []float64{0.5, 0.99} {
				few, many := quantile(took[0], q), quantile(took[1], q)
				b.row(fmt.Sprintf("  p%.0f, where both show as much", 100*q), number(many)+" ms", number(few)+" ms", number(many/few), "")
				if q > 0.5 {
					growth = max(growth, many/few)
				}
			}
			b.row("  grows most", number(steepest.median(1))+" ms", number(steepest.median(0))+" ms", number(steepest.growth()), "median of "+steepest.what)
		}
		b.row("slowest of the "+kind.what, number(slowest.median(1))+" ms", number(slowest.median(0))+" ms", number(slowest.growth()), "median of "+slowest.what)
	}
	b.result("list_p99_growth", growth)
}

func (l *look) median(of int) float64 { return quantile(l.took[of], 0.5) }

func (l *look) growth() float64 { return l.median(1) / l.median(0) }
