package workflows

import (
	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

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
		c.DeactivatedAt, c.Phase, c.ArchiveAt = &at, offboarding.PhaseDeactivated, d.ArchiveAt
		c.Documents.Total, c.Documents.Unowned = d.Documents, d.Unowned
		c.done("deactivate")
		return nil
	})
}
