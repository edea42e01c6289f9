package workflows

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// Input is the request that starts a case. A case that continues as new hands
// itself what it has to remember; anybody else's is ignored.
type Input struct {
	offboarding.Request
	Carried *state `json:"carried,omitempty"`
}

// recheckEvery is how often a case that waits without an end looks whether its
// documents have found owners outside of it.
const recheckEvery = 7 * 24 * time.Hour

// act names the activities; it is never called.
var act *activities.Activities

// Offboarding is one case, from start to end (docs/architecture.md walks
// through it). It ends when no document of the leaver is unowned.
func Offboarding(ctx workflow.Context, in Input) (offboarding.Result, error) {
	// A cancellation request from outside must not tear a case apart; the
	// message `cancel` ends one that has not begun.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	c, err := setup(ctx, in)
	if err != nil {
		return offboarding.Result{}, err
	}
	err = c.run(ctx)
	if errors.Is(err, errRollover) {
		return offboarding.Result{}, c.continueAsNew(ctx)
	}
	c.finish(ctx, err)
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		return offboarding.Result{}, activities.RefusalError(refusal)
	}
	return c.result(), err
}

// caseID is the same for every run of a case and for every reset of it, so that
// the steps of a case are recognized whichever run does them.
func caseID(info *workflow.Info) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("handover:"+info.WorkflowExecution.ID+":"+info.FirstRunID)).String()
}

// run tells the story: phase after phase until the case is closed.
func (c *offboardingCase) run(ctx workflow.Context) error {
	for !c.closed() {
		var err error
		switch {
		case c.Reactivation != nil:
			err = c.reactivate(ctx)
		case c.Recount && c.parked:
			c.Recount = false
			err = c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
		case c.Phase == "":
			err = c.admit(ctx)
		case c.Phase == offboarding.PhaseScheduled:
			err = c.scheduled(ctx)
		case c.Phase == offboarding.PhaseRevoking:
			err = c.deactivate(ctx)
		case c.Phase == offboarding.PhaseDeactivated, c.Phase == offboarding.PhaseTransferring:
			err = c.dispose(ctx)
		case c.Phase == offboarding.PhaseGrace:
			err = c.grace(ctx)
		case c.Phase == offboarding.PhaseReadOnly:
			err = c.readOnly(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// admit judges the start and opens the case.
func (c *offboardingCase) admit(ctx workflow.Context) error {
	in := offboarding.AdmitInput{CaseID: c.CaseID, WorkflowID: c.WorkflowID, At: now(ctx), Request: c.request}
	a, err := do[offboarding.Admission](ctx, c, "admit", local(act.Admit, in))
	if err != nil {
		return err
	}
	c.OrganizationID, c.MemberID, c.RequestedBy, c.Plan = a.OrganizationID, a.MemberID, a.RequestedBy, a.Plan
	c.Existing, c.CaseID, c.WorkflowID = a.Existing, a.CaseID, a.WorkflowID
	c.DeactivatedAt, c.GraceEndsAt, c.Phase = a.DeactivatedAt, a.GraceEndsAt, a.Phase
	if a.Resumed {
		// What this run counts must not go by a name that an earlier one used.
		c.Resumed, c.Waited, c.Recount = in.CaseID[:8], true, a.DeactivatedAt != nil
	}
	c.done("admit")
	return nil
}

// scheduled waits for the effective time, then revokes what the leaver can do.
func (c *offboardingCase) scheduled(ctx workflow.Context) error {
	if effective := c.Plan.EffectiveAt; now(ctx).Before(effective) {
		c.Waited = true
		return c.wait(ctx, effective, func() bool { return !c.Plan.EffectiveAt.Equal(effective) })
	}
	c.parked = false // messages wait until the member is inactive
	return c.exclusively(ctx, func() error {
		if c.Phase != offboarding.PhaseScheduled || now(ctx).Before(c.Plan.EffectiveAt) {
			return nil // canceled or rescheduled at the last moment
		}
		in := offboarding.RevokeInput{Step: c.step(ctx, "revoke"), SecondLook: c.Waited}
		revoked, err := do[offboarding.Revoked](ctx, c, "revoke", local(act.Revoke, in))
		if err != nil {
			return c.fail(ctx, err)
		}
		c.Plan, c.Phase = revoked.Plan, offboarding.PhaseRevoking
		c.done("revoke")
		return nil
	})
}

// deactivate makes the leaver inactive; from here on the case can only be left
// by completion or reactivation.
func (c *offboardingCase) deactivate(ctx workflow.Context) error {
	return c.exclusively(ctx, func() error {
		step := c.step(ctx, "deactivate")
		d, err := do[offboarding.Deactivated](ctx, c, "deactivate", local(act.Deactivate, step))
		if err != nil {
			return c.fail(ctx, err)
		}
		at := step.At
		c.DeactivatedAt, c.Phase = &at, offboarding.PhaseDeactivated
		c.Documents.Total, c.Documents.Unowned = d.Documents, d.Documents
		c.done("deactivate")
		return nil
	})
}

// fail ends a case that the rules no longer allow, and says so in the database
// before it ends.
func (c *offboardingCase) fail(ctx workflow.Context, err error) error {
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	in := offboarding.FailInput{Step: c.step(ctx, "fail"), Refusal: *refusal}
	if _, err := do[struct{}](ctx, c, "fail", local(act.Fail, in)); err != nil {
		return err
	}
	c.close(ctx, offboarding.PhaseFailed)
	return refusal
}

// dispose does with the documents what the plan says, then lets the grace begin
// for what is unowned.
func (c *offboardingCase) dispose(ctx workflow.Context) error {
	if c.Plan.Disposition != offboarding.DispositionRetain && c.Phase == offboarding.PhaseDeactivated {
		in := offboarding.AdvanceInput{Step: c.step(ctx, "transferring"), Phase: offboarding.PhaseTransferring}
		if _, err := do[struct{}](ctx, c, "transferring", local(act.Advance, in)); err != nil {
			return err
		}
		c.Phase = offboarding.PhaseTransferring
	}
	disposition := c.Plan.Disposition
	if c.Disposed {
		disposition = offboarding.DispositionRetain // what is left is done
	}
	switch disposition {
	case offboarding.DispositionTransfer:
		in := offboarding.SweepInput{
			Step: c.step(ctx, "transfer/"+c.Plan.NewOwnerID), NewOwnerID: c.Plan.NewOwnerID, ArchiveSchedules: c.Plan.ArchiveSchedules,
		}
		moved, err := c.sweepTogether(ctx, act.TransferDocuments, in)
		if refused(err, offboarding.CodeNewOwnerNotEligible) {
			return c.fallBack(ctx)
		}
		if err != nil {
			return err
		}
		c.Documents.Transferred += moved.Documents
		c.done("transfer")
	case offboarding.DispositionArchive:
		archived, err := c.sweepTogether(ctx, act.ArchiveDocuments, offboarding.SweepInput{Step: c.step(ctx, c.numbered("archive", c.Restores))})
		if err != nil {
			return err
		}
		c.Documents.Archived += archived.Documents
		c.done("archive")
	case offboarding.DispositionRetain:
	}
	c.Disposed = true
	ends := c.DeactivatedAt.Add(c.Plan.GracePeriod)
	return c.exclusively(ctx, func() error { return c.settle(ctx, &ends) })
}

// fallBack replaces a new owner who left between the plan and the transfer.
func (c *offboardingCase) fallBack(ctx workflow.Context) error {
	name := "fall-back/" + c.Plan.NewOwnerID
	plan, err := do[offboarding.Plan](ctx, c, name, local(act.FallBack, c.step(ctx, name)))
	if err != nil {
		return err
	}
	c.Plan = plan
	return nil
}

// grace waits for claims, decisions and transfers, and reminds before its end.
func (c *offboardingCase) grace(ctx workflow.Context) error {
	if c.Documents.Unowned == 0 {
		return c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
	}
	ends := *c.GraceEndsAt
	if !now(ctx).Before(ends) {
		return c.exclusively(ctx, func() error { return c.endGrace(ctx) })
	}
	next, lead, remind := offboarding.NextReminder(ends, c.RemindedUntil)
	if remind && !now(ctx).Before(next) {
		return c.remind(ctx, next, lead)
	}
	deadline := ends
	if remind {
		deadline = next
	}
	return c.wait(ctx, deadline, func() bool { return !c.GraceEndsAt.Equal(ends) || c.Documents.Unowned == 0 })
}

// endGrace is reached when the grace has run out; a message may have extended it
// or settled the last document at the same moment.
func (c *offboardingCase) endGrace(ctx workflow.Context) error {
	if c.Phase != offboarding.PhaseGrace || now(ctx).Before(*c.GraceEndsAt) {
		return nil
	}
	in := offboarding.AdvanceInput{Step: c.step(ctx, "end-grace"), Phase: offboarding.PhaseReadOnly}
	if _, err := do[struct{}](ctx, c, "end-grace", local(act.Advance, in)); err != nil {
		return err
	}
	c.Phase = offboarding.PhaseReadOnly
	c.done("end-grace")
	return nil
}

// readOnly locks what is still unowned, then waits until nothing is.
func (c *offboardingCase) readOnly(ctx workflow.Context) error {
	if !c.Locked {
		_, err := c.sweepTogether(ctx, act.LockDocuments, offboarding.SweepInput{Step: c.step(ctx, c.numbered("lock", c.Restores))})
		if err != nil {
			return err
		}
		c.Locked = true
		c.done("lock")
		return c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
	}
	if c.Documents.Unowned == 0 || !now(ctx).Before(c.RecheckAt) {
		c.RecheckAt = now(ctx).Add(recheckEvery)
		return c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
	}
	return c.wait(ctx, c.RecheckAt, func() bool { return c.Documents.Unowned == 0 })
}

// countReadOnly: once the grace's end is done, all that is unowned is locked.
func (c *offboardingCase) countReadOnly() {
	c.Documents.ReadOnly = 0
	if c.Locked {
		c.Documents.ReadOnly = c.Documents.Unowned
	}
}

// settle completes the case when nothing is unowned, lets the grace begin where
// asked, and counts afresh what waits.
func (c *offboardingCase) settle(ctx workflow.Context, graceEnds *time.Time) error {
	if c.Phase.Closed() || c.Reactivation != nil {
		return nil
	}
	c.Settles++
	in := offboarding.SettleInput{Step: c.step(ctx, c.numbered("settle", c.Settles)), GraceEndsAt: graceEnds}
	s, err := do[offboarding.Settled](ctx, c, "settle", local(act.Settle, in))
	if err != nil {
		return err
	}
	c.Documents.Unowned, c.Pending, c.PendingCount = s.Unowned, s.Pending, s.PendingCount
	c.Documents.Total = max(c.Documents.Total, s.Unowned) // of a case that was resumed
	c.countReadOnly()
	switch {
	case s.Phase == offboarding.PhaseCompleted:
		c.close(ctx, s.Phase)
		c.done("complete")
	case s.Phase == offboarding.PhaseGrace && c.Phase != offboarding.PhaseGrace && graceEnds != nil:
		c.Phase, c.GraceEndsAt, c.RemindedUntil = s.Phase, graceEnds, in.At
		c.done("grace")
	}
	return nil
}
