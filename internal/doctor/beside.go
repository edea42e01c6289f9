package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"handover/client"
	"handover/offboarding"
)

// What stands beside the cases: lists, archivals, deletions and webhooks.

// lookAtBulk looks for lists that nothing works on, and for those that the database knows
// nothing of, or less than Temporal.
func (d *doctor) lookAtBulk(ctx context.Context) error {
	if d.wants(offboarding.DriftBulkWithoutWorkflow) {
		for cursor := ""; ; {
			page, err := d.Store.BulkRuns(ctx, offboarding.BulkFilter{OrganizationID: d.OrganizationID, OpenOnly: true, Cursor: cursor, Limit: offboarding.MaxLimit})
			if err != nil {
				return err
			}
			for _, run := range page.Items {
				if err := d.judge(ctx, func(ctx context.Context) (suspect, bool, error) { return d.judgeRun(ctx, run.ID) }); err != nil {
					return err
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	if !d.wants(offboarding.DriftBulkUnknown) || d.OrganizationID != "" {
		return nil
	}
	query := `WorkflowType = '` + offboarding.WorkflowBulkOffboarding + `' AND ExecutionStatus IN ('Running', 'Completed')`
	return d.list(ctx, query, func(page []client.Execution) error {
		for _, e := range page {
			if err := d.judge(ctx, func(ctx context.Context) (suspect, bool, error) { return d.judgeBulk(ctx, e) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// judgeRun looks whether an open run has a workflow.
func (d *doctor) judgeRun(ctx context.Context, bulkID string) (suspect, bool, error) {
	s := suspect{Finding: offboarding.Finding{Drift: offboarding.DriftBulkWithoutWorkflow}}
	run, err := d.Store.FindBulkRun(ctx, bulkID)
	if err != nil || run.ClosedAt != nil {
		return s, false, err
	}
	e, _, err := d.latest(ctx, run.WorkflowID, offboarding.WorkflowBulkOffboarding)
	s.OrganizationID, s.WorkflowID, s.Detail = run.OrganizationID, run.WorkflowID, string(run.Phase)
	s.mend = d.repaired(s.Finding, offboarding.WorkflowBulkOffboarding, func(ctx context.Context) error {
		return d.Cases.ResumeBulk(ctx, run.WorkflowID, run.RequestedBy)
	})
	return s, err == nil && !e.Running, err
}

// bulkPhases are the phases of a run in their order.
var bulkPhases = []offboarding.BulkPhase{offboarding.BulkJudging, offboarding.BulkRevoking, offboarding.BulkStarting, offboarding.BulkCompleted}

// judgeBulk looks whether the database knows as much of a run as its workflow.
func (d *doctor) judgeBulk(ctx context.Context, e client.Execution) (suspect, bool, error) {
	s := suspect{Finding: offboarding.Finding{Drift: offboarding.DriftBulkUnknown, WorkflowID: e.WorkflowID}}
	s.again = func(ctx context.Context) (offboarding.Finding, bool, error) {
		now, _, err := d.latest(ctx, e.WorkflowID, e.Type)
		if err != nil {
			return offboarding.Finding{}, false, err
		}
		again, drifted, err := d.judgeBulk(ctx, now)
		return again.Finding, drifted, err
	}
	s.mend = func(ctx context.Context) error {
		f := s.Finding
		if f.OrganizationID == "" { // who asked is of the organization
			var status offboarding.BulkStatus
			err := d.Cases.StatusOfRun(ctx, e, &status)
			if err == nil {
				f.OrganizationID, err = d.organizationOf(ctx, "", status.RequestedBy)
			}
			if err != nil {
				return err
			}
		}
		return d.startedOver(f, e)(ctx)
	}
	run, err := d.Store.FindBulkRun(ctx, offboarding.BulkID(e.WorkflowID))
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound && e.Running && !d.noWorker { // it may be on its way
		var status offboarding.BulkStatus
		if answered, err := d.ask(ctx, e, &status); err != nil || answered && status.Phase == "" && status.Trouble == nil {
			return s, false, err
		}
		run, err = d.Store.FindBulkRun(ctx, offboarding.BulkID(e.WorkflowID))
	}
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound {
		s.Detail = "unknown"
		return s, true, nil
	}
	if err != nil || !e.Running || run.ClosedAt != nil || d.noWorker {
		return s, false, err
	}
	var status offboarding.BulkStatus
	if answered, err := d.ask(ctx, e, &status); err != nil || !answered {
		return s, false, err
	}
	s.OrganizationID, s.Detail = run.OrganizationID, fmt.Sprintf("%s, and the workflow is %s", run.Phase, status.Phase)
	ahead := slices.Index(bulkPhases, status.Phase) > slices.Index(bulkPhases, run.Phase) || status.Counts.Pending < run.Counts.Pending
	return s, ahead, nil
}

// lookAtArchivals looks for leavers who wait for a workflow that is not there.
func (d *doctor) lookAtArchivals(ctx context.Context) error {
	if !d.wants(offboarding.DriftArchivalMissing) {
		return nil
	}
	return d.pages(ctx, offboarding.DriftArchivalMissing, func(f offboarding.Finding) error {
		f.WorkflowID = offboarding.ArchivalWorkflowID(f.CaseID)
		missing := func(ctx context.Context) (offboarding.Finding, bool, error) {
			if err := d.limit.Wait(ctx); err != nil {
				return f, false, err
			}
			e, _, err := d.latest(ctx, f.WorkflowID, offboarding.WorkflowMemberArchival)
			if err != nil || e.Running {
				return f, false, err
			}
			still, err := d.Store.HasDrift(ctx, f)
			return f, still, err
		}
		_, drifted, err := missing(ctx)
		if err != nil || !drifted {
			return err
		}
		return d.suspect(ctx, suspect{Finding: f, again: missing, mend: d.repaired(f, offboarding.WorkflowMemberArchival, func(ctx context.Context) error {
			at, err := d.Store.ArchivalOf(ctx, f.CaseID)
			if err != nil || at == nil {
				return err
			}
			return d.Cases.ArchiveLater(ctx, f.CaseID, *at)
		})})
	})
}

// lookAtDeletions looks for members who were deleted and are there again, and for
// deletions that somebody has stopped.
func (d *doctor) lookAtDeletions(ctx context.Context) error {
	if !d.wants(offboarding.DriftDeletionUndone, offboarding.DriftDeletionBrokenOff) {
		return nil
	}
	query := `WorkflowType = '` + offboarding.WorkflowMemberDeletion + `' AND ExecutionStatus IN ('Completed', 'Terminated', 'TimedOut')`
	return d.list(ctx, query, func(page []client.Execution) error {
		ids := make([]string, len(page))
		for i, e := range page {
			if id := strings.TrimPrefix(e.WorkflowID, offboarding.DeletionWorkflowID("")); isID(id) {
				ids[i] = id
			}
		}
		members, err := d.Store.MemberStates(ctx, slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" }))
		if err != nil {
			return err
		}
		for i, e := range page {
			m, there := members[ids[i]]
			if !there || m.Status == offboarding.MemberDeleted || d.OrganizationID != "" && m.OrganizationID != d.OrganizationID {
				continue
			}
			if err := d.judge(ctx, func(ctx context.Context) (suspect, bool, error) { return d.judgeDeletion(ctx, e, m) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *doctor) judgeDeletion(ctx context.Context, e client.Execution, m offboarding.Member) (suspect, bool, error) {
	s := suspect{Finding: offboarding.Finding{
		Drift: offboarding.DriftDeletionBrokenOff, OrganizationID: m.OrganizationID, MemberID: m.ID, WorkflowID: e.WorkflowID, Detail: string(m.Status),
	}}
	s.again = func(ctx context.Context) (offboarding.Finding, bool, error) {
		members, err := d.Store.MemberStates(ctx, []string{m.ID})
		if now, there := members[m.ID]; err == nil && there && now.Status != offboarding.MemberDeleted {
			again, drifted, err := d.judgeDeletion(ctx, e, now)
			return again.Finding, drifted, err
		}
		return s.Finding, false, err
	}
	if err := d.limit.Wait(ctx); err != nil {
		return s, false, err
	}
	latest, found, err := d.latest(ctx, e.WorkflowID, e.Type)
	if err != nil || !found || latest.RunID != e.RunID {
		return s, false, err
	}
	if latest.Completed {
		s.Drift = offboarding.DriftDeletionUndone
	}
	if latest.Completed && slices.Contains(d.Only, s.Drift) { // nobody is deleted whom nobody has named
		s.mend = d.startedOver(s.Finding, latest)
	}
	return s, true, nil
}

// lookAtWebhooks looks for webhooks that something is due to while nothing sends.
func (d *doctor) lookAtWebhooks(ctx context.Context) error {
	if !d.wants(offboarding.DriftWebhookBehind) {
		return nil
	}
	waiting, err := d.Store.WebhooksWaiting(ctx, time.Now().UTC())
	if err != nil {
		return err
	}
	for _, id := range waiting {
		f := offboarding.Finding{Drift: offboarding.DriftWebhookBehind, WorkflowID: offboarding.WebhookWorkflowID(id)}
		if f.OrganizationID, err = d.Store.OrganizationOfWebhook(ctx, id); err != nil {
			return err
		}
		if d.OrganizationID != "" && f.OrganizationID != d.OrganizationID {
			continue
		}
		unsent := func(ctx context.Context) (offboarding.Finding, bool, error) {
			e, _, err := d.latest(ctx, f.WorkflowID, offboarding.WorkflowWebhookDelivery)
			if err != nil || e.Running {
				return f, false, err
			}
			still, err := d.Store.WebhooksWaiting(ctx, time.Now().UTC())
			return f, slices.Contains(still, id), err
		}
		_, drifted, err := unsent(ctx)
		if err == nil && drifted {
			err = d.suspect(ctx, suspect{Finding: f, again: unsent, mend: d.repaired(f, offboarding.WorkflowWebhookDelivery, func(ctx context.Context) error {
				return d.Cases.WakeWebhook(ctx, id)
			})})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
