// Package workflows holds the Temporal workflows: they put the activities in
// sequence and wait; they do no I/O.
package workflows

import (
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// Register makes a worker know every workflow under its name in the contract,
// and every activity.
func Register(r worker.Registry, a *activities.Activities) {
	RegisterWorkflows(r)
	r.RegisterActivityWithOptions(a, activity.RegisterOptions{})
}

// RegisterWebhooks is Register for a worker on the task queue of webhooks.
func RegisterWebhooks(r worker.Registry, a *activities.Webhooks) {
	r.RegisterWorkflowWithOptions(WebhookDelivery, workflow.RegisterOptions{Name: offboarding.WorkflowWebhookDelivery})
	r.RegisterActivityWithOptions(a, activity.RegisterOptions{})
}

// RegisterWorkflows is Register for who replays histories and runs no activity.
func RegisterWorkflows(r interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
},
) {
	r.RegisterWorkflowWithOptions(Offboarding, workflow.RegisterOptions{Name: offboarding.WorkflowOffboarding})
	r.RegisterWorkflowWithOptions(WorkspaceRemoval, workflow.RegisterOptions{Name: offboarding.WorkflowWorkspaceRemoval})
	r.RegisterWorkflowWithOptions(MemberArchival, workflow.RegisterOptions{Name: offboarding.WorkflowMemberArchival})
	r.RegisterWorkflowWithOptions(Reactivation, workflow.RegisterOptions{Name: offboarding.WorkflowReactivation})
	r.RegisterWorkflowWithOptions(BulkOffboarding, workflow.RegisterOptions{Name: offboarding.WorkflowBulkOffboarding})
	r.RegisterWorkflowWithOptions(MemberDeletion, workflow.RegisterOptions{Name: offboarding.WorkflowMemberDeletion})
	r.RegisterWorkflowWithOptions(WebhookDelivery, workflow.RegisterOptions{Name: offboarding.WorkflowWebhookDelivery})
}
