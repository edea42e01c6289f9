package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"handover/client"
	"handover/offboarding"
	"handover/workflows"
)

// caseTypes are the workflow types of cases.
var caseTypes = []string{offboarding.WorkflowOffboarding, offboarding.WorkflowWorkspaceRemoval}

const (
	ofCases   = `WorkflowType IN ('` + offboarding.WorkflowOffboarding + `', '` + offboarding.WorkflowWorkspaceRemoval + `')`
	running   = `ExecutionStatus = 'Running'`
	completed = `ExecutionStatus = 'Completed'`
)

// queueOf is the task queue of our workflows of a type.
func queueOf(workflowType string) string {
	if workflowType == offboarding.WorkflowWebhookDelivery {
		return offboarding.WebhookTaskQueue
	}
	return offboarding.TaskQueue
}

// ours says whether a run is of a type that belongs under its ID, and is worked on by our
// workers. Anybody who reaches the namespace can take an ID with a run that is not.
func ours(e client.Execution, types []string) bool {
	return slices.Contains(types, e.Type) && e.TaskQueue == queueOf(e.Type)
}

// latest is the latest run of ours under a workflow ID, of the types that belong there;
// false where there is none. A stranger's that has taken the ID since does not count.
func (d *doctor) latest(ctx context.Context, workflowID string, types ...string) (client.Execution, bool, error) {
	e, found, err := d.Cases.Execution(ctx, workflowID, "")
	if err != nil || !found || ours(e, types) {
		return e, found, err
	}
	query := fmt.Sprintf(`WorkflowId = %q AND TaskQueue = '%s' AND WorkflowType IN ('%s')`, workflowID, queueOf(types[0]), strings.Join(types, "', '"))
	before, _, err := d.Cases.Executions(ctx, query, 1, nil)
	if err != nil || len(before) == 0 {
		return client.Execution{}, false, err
	}
	return d.Cases.Execution(ctx, workflowID, before[0].RunID)
}

// list goes through our runs that a query finds, a page at a time.
func (d *doctor) list(ctx context.Context, query string, each func([]client.Execution) error) error {
	query += ` AND TaskQueue = '` + offboarding.TaskQueue + `'`
	var token []byte
	for {
		if err := d.limit.Wait(ctx); err != nil {
			return err
		}
		page, next, err := d.Cases.Executions(ctx, query, pageSize, token)
		if err != nil {
			return err
		}
		d.workflows += len(page)
		if err := each(page); err != nil {
			return err
		}
		if token = next; len(token) == 0 {
			return nil
		}
	}
}

// lookAtRunning looks for workflows whose case has closed or is unknown.
func (d *doctor) lookAtRunning(ctx context.Context) error {
	if d.noWorker || !d.wants(offboarding.DriftCaseUnknown, offboarding.DriftCaseClosed) {
		return nil
	}
	return d.list(ctx, ofCases+` AND `+running, func(page []client.Execution) error {
		members := make([]string, 0, len(page))
		for _, e := range page {
			if id := e.WorkflowID[strings.LastIndex(e.WorkflowID, "/")+1:]; isID(id) {
				members = append(members, id)
			}
		}
		known, err := d.Store.RunningFor(ctx, members)
		if err != nil {
			return err
		}
		for _, e := range page {
			if known[e.WorkflowID] {
				continue
			}
			if err := d.judge(ctx, func(ctx context.Context) (suspect, bool, error) { return d.judgeRunning(ctx, e.WorkflowID) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// judgeRunning asks a workflow that runs for no case that could be found by its name.
func (d *doctor) judgeRunning(ctx context.Context, workflowID string) (suspect, bool, error) {
	s := suspect{Finding: offboarding.Finding{WorkflowID: workflowID}}
	if err := d.limit.Wait(ctx); err != nil {
		return s, false, err
	}
	e, _, err := d.latest(ctx, workflowID, caseTypes...)
	if err != nil || !e.Running {
		return s, false, err
	}
	var status offboarding.Status
	answered, err := d.ask(ctx, e, &status)
	if err != nil || !answered {
		s.Drift = offboarding.DriftNoAnswer
		return s, err == nil && !d.silent.all(), err
	}
	s.MemberID, s.CaseID, s.Detail = status.MemberID, status.CaseID, string(status.Phase)
	s.OrganizationID, err = d.organizationOf(ctx, status.OrganizationID, status.MemberID)
	if err != nil || status.Existing || d.OrganizationID != "" && s.OrganizationID != d.OrganizationID {
		return s, false, err
	}
	known, err := d.Store.KnownCases(ctx, []string{status.CaseID})
	if err != nil {
		return s, false, err
	}
	open, there := known[status.CaseID]
	switch {
	case !there && status.Phase == "" && status.Trouble == nil: // it is about to find or open its case
	case !there && status.Trouble != nil: // it is on its way, and says what keeps it
		s.Drift, s.Detail = offboarding.DriftStuck, fmt.Sprintf("%s: %s", status.Trouble.Step, status.Trouble.LastError)
	case !there:
		s.Drift = offboarding.DriftCaseUnknown
		s.mend = d.startedOver(s.Finding, e)
	case !open:
		s.Drift = offboarding.DriftCaseClosed
		s.mend = d.repaired(s.Finding, e.Type, func(ctx context.Context) error {
			return d.Cases.Terminate(ctx, e, reason(offboarding.DriftCaseClosed))
		})
	}
	return s, s.Drift != "", nil
}

// organizationOf is the organization of a member, where it is not known already.
func (d *doctor) organizationOf(ctx context.Context, organizationID, memberID string) (string, error) {
	if organizationID != "" || !isID(memberID) {
		return organizationID, nil
	}
	members, err := d.Store.MemberStates(ctx, []string{memberID})
	return members[memberID].OrganizationID, err
}

// lookAtCompleted looks for cases that have come to their end, of which the database
// knows nothing: it is older than that.
func (d *doctor) lookAtCompleted(ctx context.Context) error {
	if !d.wants(offboarding.DriftCaseUnknown) {
		return nil
	}
	return d.list(ctx, ofCases+` AND `+completed, func(page []client.Execution) error {
		ids := make([]string, len(page))
		for i, e := range page {
			ids[i] = workflows.CaseID(e.WorkflowID, e.RunID)
		}
		known, err := d.Store.KnownCases(ctx, ids)
		if err != nil {
			return err
		}
		for i, e := range page {
			if _, there := known[ids[i]]; there {
				continue
			}
			if err := d.judge(ctx, func(ctx context.Context) (suspect, bool, error) { return d.judgeCompleted(ctx, e) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// judgeCompleted reads what a case came to. Of one that was canceled, or whose leaver has
// come back, nothing is lost that has to be done again.
func (d *doctor) judgeCompleted(ctx context.Context, e client.Execution) (suspect, bool, error) {
	s := suspect{Finding: offboarding.Finding{WorkflowID: e.WorkflowID, Drift: offboarding.DriftCaseUnknown}}
	if err := d.limit.Wait(ctx); err != nil {
		return s, false, err
	}
	latest, found, err := d.latest(ctx, e.WorkflowID, caseTypes...)
	if err != nil || !found || latest.RunID != e.RunID { // a later one counts
		return s, false, err
	}
	result, err := d.Cases.ResultOfRun(ctx, e)
	if err != nil || result.Existing || result.Phase != offboarding.PhaseCompleted {
		return s, false, err
	}
	known, err := d.Store.KnownCases(ctx, []string{result.CaseID})
	if _, there := known[result.CaseID]; err != nil || there {
		return s, false, err
	}
	back, _, err := d.latest(ctx, offboarding.ReactivationWorkflowID(result.MemberID), offboarding.WorkflowReactivation)
	if err != nil || back.Completed && back.ClosedAt.After(e.ClosedAt) {
		return s, false, err
	}
	s.MemberID, s.CaseID, s.Detail = result.MemberID, result.CaseID, "completed"
	s.OrganizationID, err = d.organizationOf(ctx, "", result.MemberID)
	s.mend = d.startedOver(s.Finding, latest)
	return s, err == nil && (d.OrganizationID == "" || s.OrganizationID == d.OrganizationID), err
}

func isID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }
