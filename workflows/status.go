package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"handover/offboarding"
)

func (c *offboardingCase) result() offboarding.Result {
	return offboarding.Result{
		CaseID: c.CaseID, WorkflowID: c.WorkflowID, MemberID: c.MemberID, Phase: c.Phase, Existing: c.Existing, Documents: c.Documents,
	}
}

// status is what the query shows.
func (c *offboardingCase) status(ctx workflow.Context) offboarding.Status {
	at := workflow.Now(ctx).UTC()
	if c.unjudged != nil {
		return offboarding.Status{
			WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID, PendingRequests: []string{}, StepsDone: []string{},
			Trouble: c.unjudged.worst(), WorkflowTime: at,
		}
	}
	s := offboarding.Status{
		CaseID: c.CaseID, WorkflowID: c.WorkflowID, OrganizationID: c.OrganizationID, WorkspaceID: c.WorkspaceID, MemberID: c.MemberID, RequestedBy: c.RequestedBy,
		Phase: c.Phase, Existing: c.Existing, Disposition: c.Plan.Disposition, NewOwnerID: c.Plan.NewOwnerID,
		FallbackReason: c.Plan.FallbackReason, SessionsEndAt: c.SessionsEndAt, DeactivatedAt: c.DeactivatedAt, GraceEndsAt: c.GraceEndsAt, ClosedAt: c.ClosedAt,
		Documents: c.Documents, PendingRequests: slices.Clone(c.Pending), PendingCount: c.PendingCount, StepsDone: slices.Clone(c.Steps),
		Trouble: c.Troubles.worst(), RefusedMessages: slices.Clone(c.Refused), MessagesHandled: c.Handled, ContinuedAsNew: c.Continued,
		WorkflowTime: at,
	}
	if !c.Plan.EffectiveAt.IsZero() {
		effective := c.Plan.EffectiveAt
		s.EffectiveAt = &effective
	}
	if c.Phase == offboarding.PhaseGrace {
		if next, _, ok := offboarding.NextReminder(*c.GraceEndsAt, c.RemindedUntil); ok {
			s.NextReminderAt = &next
		}
	}
	if c.PendingCount > 0 && !c.Phase.Closed() {
		s.NextEscalation = c.EscalateAt
	}
	if s.PendingRequests == nil {
		s.PendingRequests = []string{}
	}
	if s.StepsDone == nil {
		s.StepsDone = []string{}
	}
	return s
}
