package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// allowReactivation judges a reactivate. The case remembers it and carries it out
// itself, so that it survives whoever asked for it.
func (c *offboardingCase) allowReactivation(ctx workflow.Context, m message, p offboarding.Reactivate) error {
	in := offboarding.ReactivateInput{Step: c.step(ctx, m.ID), Sent: sentAs(ctx, m), Message: p}
	adminID, err := do[string](ctx, c, m.Name, local(act.AuthorizeReactivation, in))
	if err == nil {
		c.reactivationRefused = nil
		c.Reactivation = &offboarding.Reactivation{ID: m.ID, AdminID: adminID, Message: p}
	}
	return err
}

// reactivated waits until the case has carried out the reactivation of a message.
func (c *offboardingCase) reactivated(ctx workflow.Context, m message) (offboarding.Outcome, error) {
	out := offboarding.Outcome{Outcome: offboarding.OutcomeReactivated, OwnerID: c.MemberID}
	err := workflow.Await(ctx, func() bool { return c.Reactivation == nil || c.Reactivation.ID != m.ID || c.rollover })
	switch {
	case err != nil:
		return out, err
	case c.reactivationRefused != nil:
		return out, c.reactivationRefused
	case c.Reactivation != nil:
		return out, errRollover
	}
	out.Documents = c.Documents.Returned
	return out, nil
}

// reactivate makes what is left the leaver's again, then the member active, then
// settles what has found a new owner. The documents come first: none is
// read-only while its owner is active (invariant 3).
func (c *offboardingCase) reactivate(ctx workflow.Context) error {
	r := c.Reactivation
	restore := offboarding.SweepInput{Step: c.step(ctx, r.ID+"/restore"), ActorID: r.AdminID, Origin: r.Message.Origin}
	if _, err := c.sweepTogether(ctx, act.RestoreDocuments, restore); err != nil {
		return err
	}
	in := offboarding.ReactivateInput{Step: c.step(ctx, r.ID+"/member"), ID: r.ID, Message: r.Message}
	_, err := do[offboarding.Outcome](ctx, c, "reactivate", local(act.ReactivateMember, in))
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		// Another member took the last seat meanwhile: lock again what was unlocked.
		c.Reactivation, c.reactivationRefused, c.Locked = nil, refusal, false
		c.Restores++
		if c.Plan.Disposition == offboarding.DispositionArchive {
			c.Disposed, c.Documents.Archived = false, 0
			c.Unarchived = c.GraceEndsAt != nil && workflow.GetVersion(ctx, "archive again after the plan", workflow.DefaultVersion, 1) == 1
		}
		return nil
	}
	if err != nil {
		return err
	}
	c.Phase, c.SessionsEndAt = offboarding.PhaseReactivated, nil
	settle := offboarding.SweepInput{Step: c.step(ctx, r.ID+"/return"), ActorID: r.AdminID, Origin: r.Message.Origin}
	if r.Message.ReturnDocuments {
		returned, err := c.sweepTogether(ctx, act.ReturnDocuments, settle)
		if err != nil {
			return err
		}
		c.Documents.Returned = returned.Documents
	}
	settle.Name = r.ID + "/grant"
	if _, err := c.sweepTogether(ctx, act.GrantEdit, settle); err != nil {
		return err
	}
	if _, err := do[struct{}](ctx, c, "close", local(act.CloseReactivated, c.step(ctx, r.ID+"/close"))); err != nil {
		return err
	}
	c.Documents.Unowned, c.Documents.ReadOnly, c.Pending, c.PendingCount = 0, 0, nil, 0
	c.close(ctx, offboarding.PhaseReactivated)
	c.Reactivation, c.Reactivated = nil, r.ID
	c.done("reactivate")
	return nil
}

// archiveAgain archives what a reactivation has restored that was refused after the plan
// had been done: what legal holds are on has kept the case open.
func (c *offboardingCase) archiveAgain(ctx workflow.Context) error {
	if err := c.archive(ctx); err != nil {
		return err
	}
	c.Disposed, c.Unarchived = true, false
	return c.exclusively(ctx, func() error { return c.settle(ctx, nil) })
}
