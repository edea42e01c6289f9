package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"handover/client"
	"handover/internal/terminal"
	"handover/offboarding"
	"handover/postgres"
)

// The outcomes of a row.
const (
	rowStarted    = "started"   // the member can no longer get in
	rowScheduled  = "scheduled" // the case waits for its effective time
	rowExisting   = "existing"  // the case was open already; nothing was changed (rule E2)
	rowRefused    = "refused"
	rowFailed     = "failed"
	rowNotStarted = "not_started"
)

// bulkRow is what became of one row of the list.
type bulkRow struct {
	Line       int                     `json:"line"`
	Email      string                  `json:"email"`
	Outcome    string                  `json:"outcome"`
	CaseID     string                  `json:"case_id,omitempty"`
	Phase      offboarding.Phase       `json:"phase,omitempty"`
	Code       string                  `json:"code,omitempty"`
	Message    string                  `json:"message,omitempty"`
	Violations []offboarding.Violation `json:"violations,omitempty"`

	leaver *offboarding.Leaver // nil when the row is malformed
}

// reason is the case, or why there is none.
func (r bulkRow) reason() string {
	if r.Code == "" {
		return first(r.CaseID, r.Message)
	}
	return r.Code + ": " + short(r.Message, 90)
}

func (r *bulkRow) fail(err error) {
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		r.Outcome, r.Code, r.Message, r.Violations = rowRefused, string(refusal.Code()), refusal.Violations[0].Message, refusal.Violations
		return
	}
	r.Outcome, r.Code, r.Message = rowFailed, "failed", safeText(err)
}

// bulkAnswer is the answer for scripts.
type bulkAnswer struct {
	Result  string      `json:"result"` // SUCCESS, PARTIAL_SUCCESS, REFUSED or FAILED (rule B1, seed 003)
	Summary bulkSummary `json:"summary"`
	Items   []bulkRow   `json:"items"`
}

type bulkSummary struct {
	Total    int `json:"total"`
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
	Failed   int `json:"failed"`
	// NotStarted rows were left alone: another was refused with --all-or-nothing, or the command was stopped.
	NotStarted int `json:"not_started"`
}

func (s bulkSummary) exitCode() int {
	switch {
	case s.Accepted == s.Total:
		return exitDone
	case s.Accepted > 0:
		return exitPartly
	case s.Failed > 0 || s.Refused == 0:
		return exitFailed
	}
	return exitRefused
}

func (s bulkSummary) result() string {
	return map[int]string{
		exitDone: "SUCCESS", exitPartly: "PARTIAL_SUCCESS", exitFailed: "FAILED", exitRefused: "REFUSED",
	}[s.exitCode()]
}

// bulk is a list of leavers on its way.
type bulk struct {
	opts  *bulkOptions
	store *postgres.Store
	cases *client.Client
	rows  []bulkRow
}

func newBulk(ctx context.Context, opts *bulkOptions, leavers []offboarding.Leaver, wrong []offboarding.RowError) (*bulk, error) {
	b := &bulk{opts: opts, rows: []bulkRow{}}
	for _, l := range leavers {
		b.rows = append(b.rows, bulkRow{Line: l.Line, Email: l.Email, Outcome: rowNotStarted, leaver: &l})
	}
	for line, errs := range byLine(wrong) {
		row := bulkRow{Line: line, Outcome: rowRefused, Code: string(offboarding.CodeInvalidArgument), Message: errs[0].Field + ": " + errs[0].Message, Violations: errs}
		b.rows = append(b.rows, row)
	}
	slices.SortFunc(b.rows, func(a, b bulkRow) int { return cmp.Compare(a.Line, b.Line) })
	var err error
	if b.store, err = opts.store(); err != nil {
		return nil, err
	}
	if b.cases, err = opts.cases(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

func byLine(wrong []offboarding.RowError) map[int][]offboarding.Violation {
	lines := map[int][]offboarding.Violation{}
	for _, e := range wrong {
		lines[e.Line] = append(lines[e.Line], offboarding.Violation{Code: offboarding.CodeInvalidArgument, Field: e.Field, Message: e.Reason})
	}
	return lines
}

// judgeAll marks the rows that the rules refuse, and starts nothing.
func (b *bulk) judgeAll(ctx context.Context) {
	b.each(ctx, "judging", func(ctx context.Context, row *bulkRow) {
		request, err := b.request(ctx, row.leaver)
		var preview offboarding.Preview
		if err == nil {
			preview, err = b.store.Preview(ctx, request, b.opts.now().UTC())
		}
		if err == nil {
			err = offboarding.RefusalOf(preview.Violations)
		}
		if err != nil {
			row.fail(err)
		}
	})
}

// startAll starts the rows that are not refused yet.
func (b *bulk) startAll(ctx context.Context) {
	b.each(ctx, "offboarding", func(ctx context.Context, row *bulkRow) {
		request, err := b.request(ctx, row.leaver)
		ctx, stop := context.WithTimeout(ctx, b.opts.timeout)
		defer stop()
		var status offboarding.Status
		was := ""
		if err == nil {
			was, err = openCase(ctx, b.store, request.MemberID, b.opts.now())
		}
		if err == nil {
			status, err = b.cases.StartAndAwait(ctx, request)
		}
		if err != nil {
			row.fail(err)
			return
		}
		row.Outcome, row.CaseID, row.Phase = rowStarted, status.CaseID, status.Phase
		switch {
		case status.CaseID == was:
			row.Outcome = rowExisting
		case status.Phase == offboarding.PhaseScheduled:
			row.Outcome = rowScheduled
		}
	})
}

// each works on the rows that nothing is known of yet, some at the same time.
func (b *bulk) each(ctx context.Context, what string, work func(context.Context, *bulkRow)) {
	bar := terminal.NewBar(b.opts.err, what)
	defer bar.Done()
	var next, done atomic.Int64
	var workers sync.WaitGroup
	for range min(b.opts.concurrency, len(b.rows)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(b.rows)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if row := &b.rows[i]; row.Outcome == rowNotStarted {
					work(ctx, row)
				}
				bar.Set(int(done.Add(1)), len(b.rows))
			}
		})
	}
	workers.Wait()
}

// request is the start that a row asks for; flags fill what the row leaves out.
func (b *bulk) request(ctx context.Context, l *offboarding.Leaver) (offboarding.Request, error) {
	r := b.opts.request()
	n := &names{ctx: ctx, store: b.store, slug: b.opts.organization}
	leaver := n.memberOf("email:"+l.Email, "member_id", b.opts.organization)
	r.MemberID = leaver.ID
	r.RequestedBy = n.actor(b.opts.as, "requested_by", leaver.OrganizationID).ID
	if l.Disposition != "" {
		r.Disposition = l.Disposition
	}
	if l.NewOwnerEmail != "" {
		r.NewOwnerID = l.NewOwnerEmail
	}
	if l.Disposition != "" && l.Disposition != offboarding.DispositionTransfer && l.NewOwnerEmail == "" {
		r.NewOwnerID, r.ArchiveSchedules = "", false // the flags are about transfers
	}
	r.NewOwnerID = n.newOwner(r.NewOwnerID, leaver.OrganizationID)
	r.EffectiveAt, r.Reason = l.LastDay, l.Reason
	return r, n.err()
}

func (b *bulk) summarize() bulkSummary {
	s := bulkSummary{Total: len(b.rows)}
	for _, row := range b.rows {
		switch row.Outcome {
		case rowStarted, rowScheduled, rowExisting:
			s.Accepted++
		case rowRefused:
			s.Refused++
		case rowFailed:
			s.Failed++
		default:
			s.NotStarted++
		}
	}
	return s
}
