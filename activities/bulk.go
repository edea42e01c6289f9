package activities

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"golang.org/x/sync/errgroup"

	"handover/offboarding"
)

// BulkStore keeps bulk runs and does their work, many members in one transaction.
type BulkStore interface {
	AdmitBulk(context.Context, offboarding.BulkAdmitInput) (offboarding.BulkRun, error)
	JudgeBulk(context.Context, offboarding.BulkStep) (offboarding.BulkRun, error)
	// OffboardBatch processes the next members of the list behind a place in one
	// transaction, and answers how far it has come, 0 when nobody is left.
	OffboardBatch(ctx context.Context, in offboarding.BulkStep, after int) (int, error)
	BulkRun(ctx context.Context, bulkID string) (offboarding.BulkRun, error)
	// StartableCases and CasesStarted find cases to start and keep that they were.
	StartableCases(ctx context.Context, in offboarding.BulkStartInput, limit int) ([]offboarding.BulkStart, error)
	CasesStarted(ctx context.Context, in offboarding.BulkStep, positions []int) (offboarding.BulkRun, error)
	CancelBulk(context.Context, offboarding.BulkCancelInput) (offboarding.BulkRun, error)
	AdvanceBulk(context.Context, offboarding.BulkStep) (offboarding.BulkRun, error)
	CompleteBulk(context.Context, offboarding.BulkStep) (offboarding.BulkRun, error)
	RecordBulkTrouble(context.Context, offboarding.BulkTroubleInput) error
}

// How much of a run one activity does, so that the run says how far it is and can
// be canceled in between.
const (
	batchesMost   = 24               // of members who lose access: a whole list, and some to spare
	batchesAtOnce = 4                // of these, side by side
	startFor      = 10 * time.Second // at the run's rate
	startersMost  = 16               // cases started side by side
)

// AdmitBulk judges a bulk run and writes its whole list (rule B1).
func (a *Activities) AdmitBulk(ctx context.Context, in offboarding.BulkAdmitInput) (offboarding.BulkRun, error) {
	return begun(ctx, a, in.CaseID, in.Sent, func(before bool) (offboarding.BulkRun, error) {
		in.Before = before
		return a.store.AdmitBulk(ctx, in)
	})
}

// JudgeBulk judges everybody before anything happens.
func (a *Activities) JudgeBulk(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	return answer(a.store.JudgeBulk(ctx, in))
}

// OffboardMembers takes the access of some batches of members, side by side. Who has been
// processed is known by the list, so another attempt goes on where this one was.
func (a *Activities) OffboardMembers(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	var done atomic.Int32
	side, sideCtx := errgroup.WithContext(ctx)
	for range batchesAtOnce {
		side.Go(func() error {
			var err error
			for after := 0; done.Add(1) <= batchesMost; activity.RecordHeartbeat(ctx) {
				if after, err = a.store.OffboardBatch(sideCtx, in, after); err != nil || after == 0 {
					return err
				}
			}
			return nil
		})
	}
	if err := side.Wait(); err != nil {
		return answer(offboarding.BulkRun{}, err)
	}
	return answer(a.store.BulkRun(ctx, in.BulkID))
}

// StartCases starts cases of the run at its rate. A case that is started again is
// found running.
func (a *Activities) StartCases(ctx context.Context, in offboarding.BulkStartInput) (offboarding.BulkRun, error) {
	startable, err := answer(a.store.StartableCases(ctx, in, in.Rate*int(startFor/time.Second)))
	if err != nil {
		return offboarding.BulkRun{}, err
	}
	for len(startable) > 0 {
		second := startable[:min(in.Rate, len(startable))]
		if err := a.startAll(ctx, second, time.Second/time.Duration(in.Rate)); err != nil {
			return offboarding.BulkRun{}, err
		}
		if _, err := answer(a.store.CasesStarted(ctx, in.BulkStep, places(second))); err != nil {
			return offboarding.BulkRun{}, err
		}
		startable = startable[len(second):]
		activity.RecordHeartbeat(ctx, len(startable))
	}
	return answer(a.store.CasesStarted(ctx, in.BulkStep, nil))
}

// startAll starts cases side by side, one at each tick. Its heartbeats are the activity's:
// the SDK sends one later, by the context that came with it.
func (a *Activities) startAll(beats context.Context, cases []offboarding.BulkStart, every time.Duration) error {
	ctx, cancel := context.WithCancelCause(beats)
	defer cancel(nil)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	free := make(chan struct{}, startersMost)
	var starters sync.WaitGroup
	for i, c := range cases {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if ctx.Err() != nil {
			break
		}
		free <- struct{}{}
		activity.RecordHeartbeat(beats, i) // the engine may be slower than the rate
		starters.Go(func() {
			defer func() { <-free }()
			r := offboarding.Request{MemberID: c.MemberID, RequestedBy: c.RequestedBy, CaseID: c.CaseID}
			if err := a.cases.StartCase(ctx, r); err != nil {
				cancel(err)
			}
		})
	}
	starters.Wait()
	return context.Cause(ctx)
}

func places(cases []offboarding.BulkStart) []int {
	positions := make([]int, len(cases))
	for i, c := range cases {
		positions[i] = c.Position
	}
	return positions
}

// CancelBulk takes off the list who has not been processed.
func (a *Activities) CancelBulk(ctx context.Context, in offboarding.BulkCancelInput) (offboarding.BulkRun, error) {
	if a.keys == nil {
		in.Sent = nil // as in a claim
	}
	return heard(ctx, a, in.Sent, func() (offboarding.BulkRun, error) { return a.store.CancelBulk(ctx, in) })
}

// AdvanceBulk moves a run on whose members have all been processed.
func (a *Activities) AdvanceBulk(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	return answer(a.store.AdvanceBulk(ctx, in))
}

// CompleteBulk closes a run that has nothing left to do.
func (a *Activities) CompleteBulk(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	return answer(a.store.CompleteBulk(ctx, in))
}

// RecordBulkTrouble shows in the list of runs that one cannot go on.
func (a *Activities) RecordBulkTrouble(ctx context.Context, in offboarding.BulkTroubleInput) error {
	return a.store.RecordBulkTrouble(ctx, in)
}
