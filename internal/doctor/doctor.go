// Package doctor finds what has drifted apart between Temporal, the database and the
// audit, and mends it by the ordinary steps. offboarding.Checks says what it looks for.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"handover/client"
	"handover/offboarding"
	"handover/postgres"
)

// Options say what to look for, and what to do about it.
type Options struct {
	Store     *postgres.Store
	Cases     *client.Client
	Namespace string // of the connection to Temporal

	Repair         bool
	ActorID        string              // who repairs: the audit names them
	OrganizationID string              // "" for all
	Only           []offboarding.Drift // none for all
	Settle         time.Duration       // a drift has to be there twice, so long apart
	Rate           int                 // questions to Temporal a second
	Keep           int                 // findings of a check that the report names
}

// The bounds of what is worked on at a time.
const (
	pageSize   = 500
	atOnce     = 16
	suspectsAt = 1000 // suspects that wait for their second look
	passesAt   = 4    // mending may bring to light what stood behind it
)

// Report is what was found, and what became of it.
type Report struct {
	Checks    []CheckReport `json:"checks"`    // those with findings
	Cases     int           `json:"cases"`     // open ones that were compared with their workflows
	Workflows int           `json:"workflows"` // runs that were listed
	Found     int           `json:"found"`
	Mended    int           `json:"mended"`
	Left      int           `json:"left"`
}

// CheckReport is what a check has found: Found is Mended and Left together.
type CheckReport struct {
	offboarding.Check
	Found    int                   `json:"found"`
	Mended   int                   `json:"mended"`
	Left     int                   `json:"left"`
	Findings []offboarding.Finding `json:"findings"` // as many as the options keep, those that are left last
}

// Run looks for drifts. To repair is to look, mend and look again until nothing is left
// that it can mend.
func Run(ctx context.Context, o Options) (Report, error) {
	d := &doctor{Options: o, limit: rate.NewLimiter(rate.Limit(o.Rate), max(1, o.Rate/10)), before: map[string]bool{}}
	var total tally
	for pass := 1; ; pass++ {
		d.tally = tally{}
		d.silent.answered.Store(0)
		d.silent.unanswered.Store(0)
		d.mending = o.Repair && pass < passesAt
		err := d.pass(ctx)
		total.add(d.tally)
		if err != nil || d.mended == 0 {
			return total.report(d.tally, o.Keep), err
		}
	}
}

// doctor is a run.
type doctor struct {
	Options
	limit    *rate.Limiter
	mending  bool
	noWorker bool
	before   map[string]bool // what passes before have mended
	suspects []suspect
	silent   silence

	mu sync.Mutex // of what follows
	tally
}

// tally counts what a pass has found.
type tally struct {
	cases, workflows, mended, mendable int
	done, left                         map[offboarding.Drift]*found
	back                               map[offboarding.Drift]int // was mended, and is there again
}

type found struct {
	n    int
	some []offboarding.Finding
}

// suspect is a drift that was seen once.
type suspect struct {
	offboarding.Finding
	seen  time.Time
	again func(context.Context) (offboarding.Finding, bool, error) // looks a second time
	mend  func(context.Context) error                              // nil where only a person can
}

// wants says whether some of the drifts are looked for.
func (d *doctor) wants(drifts ...offboarding.Drift) bool {
	return len(d.Only) == 0 || slices.ContainsFunc(drifts, func(drift offboarding.Drift) bool { return slices.Contains(d.Only, drift) })
}

// pass makes all checks once.
func (d *doctor) pass(ctx context.Context) error {
	looks := []func(context.Context) error{
		d.lookForGuards, d.lookForWorkers, d.lookIntoDatabase, d.lookAtOpenCases, d.lookAtRunning, d.lookAtCompleted, d.lookAtBulk, d.lookAtArchivals,
		d.lookAtDeletions, d.lookAtWebhooks,
	}
	for _, look := range looks {
		if err := look(ctx); err != nil {
			return err
		}
	}
	if err := d.confirm(ctx); err != nil {
		return err
	}
	return d.lookAtInvariants(ctx)
}

// judge looks for a drift; what it finds is judged so again for the second look, unless
// it says itself how.
func (d *doctor) judge(ctx context.Context, look func(context.Context) (suspect, bool, error)) error {
	s, drifted, err := look(ctx)
	if err != nil || !drifted {
		return err
	}
	if s.again == nil {
		s.again = func(ctx context.Context) (offboarding.Finding, bool, error) {
			again, drifted, err := look(ctx)
			return again.Finding, drifted, err
		}
	}
	return d.suspect(ctx, s)
}

// suspect keeps what was seen for a second look. It is looked at when many have gathered,
// or at the end.
func (d *doctor) suspect(ctx context.Context, s suspect) error {
	if !d.wants(s.Drift) {
		return nil
	}
	s.seen = time.Now()
	d.suspects = append(d.suspects, s)
	if len(d.suspects) < suspectsAt {
		return nil
	}
	return d.confirm(ctx)
}

// confirm looks at the suspects a second time, and mends what is there still, and still
// the same: what moves is being worked on.
func (d *doctor) confirm(ctx context.Context) error {
	suspects := d.suspects
	d.suspects = nil
	for _, s := range suspects {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(s.seen.Add(d.Settle))):
		}
		f, still, err := s.again(ctx)
		if err != nil {
			return err
		}
		if !still || f.Drift != s.Drift || f.Detail != s.Detail {
			continue
		}
		if err := d.treat(ctx, f, s.mend); err != nil {
			return err
		}
	}
	return nil
}

// treat mends what is sure to be a drift, or keeps that it is there.
func (d *doctor) treat(ctx context.Context, f offboarding.Finding, mend func(context.Context) error) error {
	if mend != nil {
		d.mendable++
		_, subject := f.Subject()
		key := string(f.Drift) + " " + subject + " " + f.WorkflowID
		switch {
		case d.before[key]:
			if f.Error = "it was mended, and is there again"; d.back == nil {
				d.back = map[offboarding.Drift]int{}
			}
			d.back[f.Drift]++
		case d.mending:
			err := mend(ctx)
			var failed *client.Error
			if ctx.Err() != nil || errors.As(err, &failed) && failed.Unavailable {
				return err // nothing can be mended now
			}
			if f.Mended = err == nil; err != nil {
				f.Error = err.Error()
			} else {
				d.before[key] = true
			}
		}
	}
	if f.Mended {
		d.mended++
		keep(&d.done, f, d.Keep)
	} else {
		keep(&d.left, f, d.Keep)
	}
	return nil
}

func keep(to *map[offboarding.Drift]*found, f offboarding.Finding, some int) {
	if *to == nil {
		*to = map[offboarding.Drift]*found{}
	}
	of := (*to)[f.Drift]
	if of == nil {
		of = &found{}
		(*to)[f.Drift] = of
	}
	if of.n++; len(of.some) < some {
		of.some = append(of.some, f)
	}
}

// add takes over what another pass has mended.
func (t *tally) add(pass tally) {
	t.cases, t.workflows = max(t.cases, pass.cases), max(t.workflows, pass.workflows)
	for drift, mended := range pass.done {
		if t.done == nil {
			t.done = map[offboarding.Drift]*found{}
		}
		if t.done[drift] == nil {
			t.done[drift] = &found{}
		}
		t.done[drift].n += mended.n
		t.done[drift].some = append(t.done[drift].some, mended.some...)
	}
	for drift, n := range pass.back {
		t.done[drift].n -= n
	}
}

// report is what all passes have mended, and what the last has left.
func (t *tally) report(last tally, some int) Report {
	r := Report{Checks: []CheckReport{}, Cases: t.cases, Workflows: t.workflows}
	for _, check := range offboarding.Checks {
		c := CheckReport{Check: check}
		if mended := t.done[check.Drift]; mended != nil {
			c.Mended, c.Findings = mended.n, mended.some[:min(some, len(mended.some))]
		}
		if left := last.left[check.Drift]; left != nil {
			c.Left, c.Findings = left.n, append(c.Findings, left.some...)
		}
		if c.Found = c.Mended + c.Left; c.Found > 0 {
			r.Checks = append(r.Checks, c)
		}
		r.Found, r.Mended, r.Left = r.Found+c.Found, r.Mended+c.Mended, r.Left+c.Left
	}
	return r
}

// beside does something for each of a page, a bounded number at a time, and no faster
// than the rate.
func beside[T any](ctx context.Context, d *doctor, page []T, do func(context.Context, T) error) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, item := range page {
		if err := d.limit.Wait(within); err != nil {
			break // one has failed, or the caller has gone
		}
		group.Go(func() error { return do(within, item) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// repaired makes a mending that changes nothing in the database leave its trace there
// first, and ends a stranger's run that is in its way: one under the ID that is not of
// the type that belongs there, or not ours.
func (d *doctor) repaired(f offboarding.Finding, workflowType string, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if f.OrganizationID == "" {
			return fmt.Errorf("the database does not know whose it is")
		}
		if err := d.Store.RecordRepair(ctx, f, d.repair()); err != nil {
			return err
		}
		e, _, err := d.Cases.Execution(ctx, f.WorkflowID, "")
		if err == nil && e.Running && !ours(e, []string{workflowType}) {
			err = d.Cases.Terminate(ctx, e, reason(f.Drift))
		}
		if err != nil {
			return err
		}
		return do(ctx)
	}
}

// startedOver mends by setting a workflow back to its beginning.
func (d *doctor) startedOver(f offboarding.Finding, e client.Execution) func(context.Context) error {
	return d.repaired(f, e.Type, func(ctx context.Context) error { return d.Cases.StartOver(ctx, d.Namespace, e, reason(f.Drift)) })
}

func (d *doctor) repair() offboarding.Repair {
	return offboarding.Repair{ActorID: d.ActorID, At: time.Now()}
}
