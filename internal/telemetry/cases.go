package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"handover/offboarding"
)

// Figures are read when a scrape asks for them, at most once in this time and within
// this time: nobody scrapes the database to death.
const (
	figuresAge     = 15 * time.Second
	figuresTimeout = 5 * time.Second
)

// Cases tells how all cases are. What cannot be read is left out, and counted: a
// figure that stands still would look like one that is well.
func (t *Telemetry) Cases(read func(context.Context, time.Time) (offboarding.Figures, error), log *slog.Logger) error {
	c := &figures{read: read, log: log}
	var all []metric.Observable
	var failed error
	gauge := func(name, says string) metric.Int64ObservableGauge {
		g, err := t.meter.Int64ObservableGauge(name, metric.WithDescription(says))
		if err != nil {
			failed = err
		}
		all = append(all, g)
		return g
	}
	open := gauge("handover.cases.open", "Open cases by phase")
	overdue := gauge("handover.cases.overdue", "Open cases whose next step was due and has not been done")
	troubled := gauge("handover.cases.troubled", "Cases that cannot go on")
	waiting := gauge("handover.documents.waiting", "Documents that wait for an owner in an open case")
	pending := gauge("handover.requests.pending", "Ownership requests that nobody has decided")
	late := gauge("handover.requests.overdue", "Ownership requests that nobody has decided for two days")
	age, err := t.meter.Float64ObservableGauge("handover.requests.oldest.age", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest undecided ownership request has waited"))
	if err != nil {
		failed = err
	}
	unsealed, err := t.meter.Float64ObservableGauge("handover.audit.unsealed.age", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest audit event has waited for its seal"))
	if err != nil {
		failed = err
	}
	errors, err := t.meter.Int64ObservableCounter("handover.cases.read.errors", metric.WithDescription("How often the cases could not be counted"))
	if err != nil {
		failed = err
	}
	if failed != nil {
		return fmt.Errorf("metrics of cases: %w", failed)
	}
	_, err = t.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		f, misses, ok := c.now(ctx)
		o.ObserveInt64(errors, misses)
		if !ok {
			return nil
		}
		for _, phase := range offboarding.OpenPhases {
			o.ObserveInt64(open, int64(f.Open[phase]), metric.WithAttributes(attribute.String("phase", string(phase))))
		}
		for gauge, n := range map[metric.Int64Observable]int{
			overdue: f.Overdue, troubled: f.Troubled, waiting: f.Waiting, pending: f.PendingRequests, late: f.OverdueRequests,
		} {
			o.ObserveInt64(gauge, int64(n))
		}
		o.ObserveFloat64(age, f.OldestRequestAge.Seconds())
		o.ObserveFloat64(unsealed, f.OldestUnsealedAge.Seconds())
		return nil
	}, append(all, age, unsealed, errors)...)
	if err != nil {
		return fmt.Errorf("metrics of cases: %w", err)
	}
	return nil
}

// figures remembers the last ones.
type figures struct {
	read func(context.Context, time.Time) (offboarding.Figures, error)
	log  *slog.Logger

	mu     sync.Mutex
	at     time.Time
	last   offboarding.Figures
	ok     bool
	misses int64
}

func (c *figures) now(ctx context.Context) (offboarding.Figures, int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.at) >= figuresAge {
		ctx, cancel := context.WithTimeout(ctx, figuresTimeout)
		defer cancel()
		var err error
		if c.last, err = c.read(ctx, now); err != nil {
			c.misses++
			c.log.WarnContext(ctx, "the cases cannot be counted for the metrics", "error", err)
		}
		c.at, c.ok = now, err == nil
	}
	return c.last, c.misses, c.ok
}
