package workflows

import (
	"errors"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// admit judges the start and opens the case.
func (c *offboardingCase) admit(ctx workflow.Context) error {
	in := offboarding.AdmitInput{CaseID: c.CaseID, WorkflowID: c.WorkflowID, At: now(ctx), Request: c.request, Sent: c.Start, AtOnce: true}
	a, err := do[offboarding.Admission](ctx, c, "admit", local(act.Admit, in))
	if err != nil {
		return err
	}
	c.Start = nil
	c.OrganizationID, c.WorkspaceID, c.MemberID = a.OrganizationID, a.WorkspaceID, a.MemberID
	c.RequestedBy, c.Plan = a.RequestedBy, a.Plan
	c.Existing, c.CaseID, c.WorkflowID = a.Existing, a.CaseID, a.WorkflowID
	c.DeactivatedAt, c.GraceEndsAt, c.GraceSpread, c.Phase = a.DeactivatedAt, a.GraceEndsAt, a.GraceSpread, a.Phase
	c.Reactivation, c.SessionsEndAt, c.ArchiveAt = a.Reactivation, a.SessionsEndAt, a.ArchiveAt
	if a.Resumed { // what this workflow numbers must not go by a name that an earlier one used
		c.Resumed = in.CaseID[:8]
	}
	if a.Resumed || a.Again {
		// Nor by one that it used itself before it was set back; earlier builds never said how many there are.
		c.Settles, c.Escalations, c.SessionChecks, c.Restores = a.Steps, a.Steps, a.Steps, a.Steps
		c.Waited, c.Recount = true, a.DeactivatedAt != nil && (a.Resumed || a.Steps > 0)
		if a.DeactivatedAt != nil {
			c.RemindedUntil = *a.DeactivatedAt // reminders sent already are recognized
		}
		c.Recorded += a.Unsent
	}
	c.nameSignals(a.SignalsByName)
	c.done("admit")
	c.Documents.Total, c.Documents.Unowned = a.Documents, a.Unowned
	if a.DeactivatedAt != nil && !a.Existing && !a.Resumed { // at once; histories of earlier builds have no such answer
		c.done("revoke")
		c.done("deactivate")
		if !a.Again {
			measureRevoked(ctx, workflow.GetInfo(ctx).WorkflowStartTime)
		}
	}
	if a.GraceBegun { // neither have they this one
		if !a.Resumed { // a reminder may be due by now
			c.RemindedUntil = in.At
		}
		c.Disposed, c.Recount = true, false
		c.done("grace")
	}
	return nil
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
