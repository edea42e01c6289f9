package workflows

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// How much of what only the status shows is kept.
const (
	keptRefusals = 20
	keptSteps    = 50
	keptPending  = 100
)

// state is what a case remembers when it continues as new. Its size does not
// depend on the number of documents, claims or days.
type state struct {
	asked
	CaseID           string             `json:"case_id"`
	WorkflowID       string             `json:"workflow_id"`
	OrganizationID   string             `json:"organization_id"`
	WorkspaceID      string             `json:"workspace_id,omitempty"`
	MemberID         string             `json:"member_id"`
	RequestedBy      string             `json:"requested_by"`
	Existing         bool               `json:"existing,omitempty"`
	Resumed          string             `json:"resumed,omitempty"` // names what this workflow numbers, where it took over a case
	Phase            offboarding.Phase  `json:"phase"`
	Plan             offboarding.Plan   `json:"plan"`
	Waited           bool               `json:"waited,omitempty"`          // for the effective time
	SessionsEndAt    *time.Time         `json:"sessions_end_at,omitempty"` // while the deactivation waits for SSO sessions
	DeactivatedAt    *time.Time         `json:"deactivated_at,omitempty"`
	ArchiveAt        *time.Time         `json:"archive_at,omitempty"` // until somebody has been told to archive the leaver then
	GraceEndsAt      *time.Time         `json:"grace_ends_at,omitempty"`
	GraceSpread      time.Duration      `json:"grace_spread_ns,omitempty"` // after it, the case acts
	ClosedAt         *time.Time         `json:"closed_at,omitempty"`
	RemindedUntil    time.Time          `json:"reminded_until"`
	RecheckAt        time.Time          `json:"recheck_at"`
	Disposed         bool               `json:"disposed,omitempty"`   // the plan has been done, and counted
	Unarchived       bool               `json:"unarchived,omitempty"` // what a refused reactivation has restored is to be archived again
	Locked           bool               `json:"locked,omitempty"`     // the unowned documents are read-only
	Recount          bool               `json:"recount,omitempty"`    // what waits is to be counted afresh
	Documents        offboarding.Counts `json:"documents"`
	Pending          []string           `json:"pending,omitempty"`
	PendingCount     int                `json:"pending_count,omitempty"`
	Steps            []string           `json:"steps,omitempty"`
	Settles          int                `json:"settles,omitempty"`        // names the next settle
	SessionChecks    int                `json:"session_checks,omitempty"` // names the next one
	NextSessionCheck time.Time          `json:"next_session_check,omitzero"`
	Restores         int                `json:"restores,omitempty"` // reactivations refused at the last moment; names what is done again
	Messages         int                `json:"messages,omitempty"` // names the next signal, in a case of an earlier build
	Received         map[string]int     `json:"received,omitzero"`  // names the next signal of each name
	Handled          int                `json:"handled,omitempty"`
	Continued        int                `json:"continued,omitempty"`

	Inbox        []message                    `json:"inbox,omitempty"`        // signals not handled yet
	Outbox       []offboarding.Notice         `json:"outbox,omitempty"`       // notices of an earlier build, not handed over yet
	Reactivation *offboarding.Reactivation    `json:"reactivation,omitempty"` // allowed, and not done yet
	Reactivated  string                       `json:"reactivated,omitempty"`  // ID of the message whose reactivation is done
	Refused      []offboarding.RefusedMessage `json:"refused,omitempty"`
	Troubles     troubles                     `json:"troubles,omitempty"`

	Recorded    int        `json:"recorded,omitempty"`    // notices that the table has got from this case
	Sent        int        `json:"sent,omitempty"`        // of them, those that have been handed to the notifier
	EscalateAt  *time.Time `json:"escalate_at,omitempty"` // when the next request may be due to go to the owners
	Escalations int        `json:"escalations,omitempty"` // names the next escalation
}

// offboardingCase is a case while a run of its workflow lasts.
type offboardingCase struct {
	state
	request  offboarding.Request
	gate     gate
	refusal  *offboarding.Refusal // of the start
	parked   bool                 // has waited in this run: everything due has been done
	rollover bool                 // about to continue as new: nothing new begins
	ended    bool                 // run has returned
	unjudged *troubles            // until it is known who has handed on the state, which nobody is shown

	reactivationRefused *offboarding.Refusal // of the latest reactivation, in the transaction that acted
}

// setup takes over what an earlier run remembered and registers the handlers,
// so that a message that comes before the first phase finds them.
func setup(ctx workflow.Context, in Input, start *offboarding.Sent) (*offboardingCase, error) {
	info := workflow.GetInfo(ctx)
	c := &offboardingCase{request: in.Request}
	if in.Carried != nil && continued(info) {
		c.state = *in.Carried
		c.Continued++
		c.unjudged = new(troubles)
	} else {
		c.CaseID, c.WorkflowID = caseID(info), info.WorkflowExecution.ID
		c.MemberID, c.RequestedBy = in.MemberID, in.RequestedBy // as asked for, until admitted
		c.Start = start
	}
	if err := workflow.SetQueryHandler(ctx, offboarding.QueryStatus, func() (offboarding.Status, error) {
		return c.status(ctx), nil
	}); err != nil {
		return nil, err
	}
	c.handOutbox(ctx)
	workflow.Go(ctx, c.sendNotices)
	return c, c.listen(ctx)
}

// now is the case's clock, in the precision that the database keeps.
func now(ctx workflow.Context) time.Time { return workflow.Now(ctx).UTC().Truncate(time.Microsecond) }

func (c *offboardingCase) step(ctx workflow.Context, name string) offboarding.Step {
	return offboarding.Step{CaseID: c.CaseID, Name: name, At: now(ctx)}
}

// numbered names what is done more than once.
func (c *offboardingCase) numbered(name string, n int) string {
	if c.Resumed != "" {
		name += "/" + c.Resumed
	}
	return name + "/" + strconv.Itoa(n)
}

// closed reports whether nothing is left to do in this workflow. A member is
// active again before the documents are settled: that has still to be done.
func (c *offboardingCase) closed() bool {
	return c.Existing || c.Phase.Closed() && c.Reactivation == nil
}

func (c *offboardingCase) close(ctx workflow.Context, phase offboarding.Phase) {
	at := now(ctx)
	c.Phase, c.ClosedAt = phase, &at
}

func (c *offboardingCase) done(step string) {
	if len(c.Steps) < keptSteps && !slices.Contains(c.Steps, step) {
		c.Steps = append(c.Steps, step)
	}
}

// wait parks the case until the deadline, or until something is to be done: the
// condition, a reactivation, a change of phase, or a history that has grown long.
func (c *offboardingCase) wait(ctx workflow.Context, deadline time.Time, changed func() bool) error {
	c.parked = true
	phase := c.Phase
	if c.historyLong(ctx) {
		return errRollover
	}
	timed, cancel := workflow.WithCancel(ctx)
	_, err := workflow.AwaitWithTimeout(timed, deadline.Sub(now(ctx)), func() bool {
		return changed() || c.Phase != phase || c.Reactivation != nil || c.Recount || c.historyLong(ctx)
	})
	cancel() // the timer of a wait that ended early; not deferred, or it would run when a worker lets go of the workflow
	return err
}

// finish answers whoever still waits, once the case is closed or refused.
func (c *offboardingCase) finish(ctx workflow.Context, err error) {
	errors.As(err, &c.refusal)
	c.ended = true
	if len(c.Troubles) > 0 { // of a notice that nobody needs any more
		c.Troubles = nil
		c.recordTrouble(ctx)
	}
	c.drain(ctx)
	_ = workflow.Await(ctx, func() bool { // a disconnected context is not canceled
		return len(c.Inbox) == 0 && c.gate.idle() && workflow.AllHandlersFinished(ctx)
	})
}

// refused reports whether err is a refusal with the code.
func refused(err error, code offboarding.Code) bool {
	refusal := activities.RefusalFrom(err)
	return refusal != nil && refusal.Has(code)
}
