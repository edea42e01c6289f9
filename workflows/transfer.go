package workflows

import (
	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

// dispose does with the documents what the plan says, then lets the grace begin
// for what is unowned.
func (c *offboardingCase) dispose(ctx workflow.Context) error {
	if c.Plan.Disposition != offboarding.DispositionRetain && c.Phase == offboarding.PhaseDeactivated {
		in := offboarding.AdvanceInput{Step: c.step(ctx, "transferring"), Phase: offboarding.PhaseTransferring}
		owns, err := do[offboarding.Advanced](ctx, c, "transferring", local(act.Advance, in))
		if err != nil {
			return err
		}
		c.Phase = offboarding.PhaseTransferring
		if c.Documents.Total == 0 {
			c.Documents.Total, c.Documents.Unowned = owns.Documents, owns.Unowned
		}
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
		if err := c.archive(ctx); err != nil {
			return err
		}
		c.done("archive")
	case offboarding.DispositionRetain:
	}
	c.Disposed = true
	ends := c.DeactivatedAt.Add(c.Plan.GracePeriod)
	return c.exclusively(ctx, func() error { return c.settle(ctx, &ends) })
}

// archive archives the leaver's documents; it has another name when what it has archived
// was restored.
func (c *offboardingCase) archive(ctx workflow.Context) error {
	archived, err := c.sweepTogether(ctx, act.ArchiveDocuments, offboarding.SweepInput{Step: c.step(ctx, c.numbered("archive", c.Restores))})
	if err == nil {
		c.Documents.Archived += archived.Documents
	}
	return err
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

// transfer moves some or all of what the leaver still owns, beside claims, then
// counts afresh.
func (c *offboardingCase) transfer(ctx workflow.Context, m message, p offboarding.TransferDocuments) (offboarding.Outcome, error) {
	out := offboarding.Outcome{Outcome: offboarding.OutcomeTransferred}
	authorize := offboarding.AuthorizeTransferInput{Step: c.step(ctx, m.ID), Sent: sentAs(ctx, m), Message: p}
	allowed, err := do[offboarding.TransferAuthorized](ctx, c, m.Name, local(act.AuthorizeTransfer, authorize))
	if err != nil {
		return out, err
	}
	in := offboarding.SweepInput{
		Step: c.step(ctx, m.sweep()), ActorID: allowed.AdminID, Origin: p.Origin, NewOwnerID: allowed.NewOwnerID, DocumentIDs: p.DocumentIDs,
	}
	moved, err := c.sweep(ctx, act.TransferDocuments, in)
	c.Recount = true // archived documents may have been among them, and a refusal may have come after some
	if err != nil {
		return out, err
	}
	out.OwnerID, out.Documents = allowed.NewOwnerID, moved.Documents
	c.Documents.Transferred += moved.Documents
	return out, nil
}
