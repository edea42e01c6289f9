package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"handover/client"
	"handover/offboarding"
	"handover/workflows"
)

// lookForWorkers asks whether anybody runs cases: without, no workflow answers.
func (d *doctor) lookForWorkers(ctx context.Context) error {
	there, err := d.Cases.HasWorkers(ctx)
	if err == nil && !there { // one may just be starting
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d.Settle):
		}
		there, err = d.Cases.HasWorkers(ctx)
	}
	if d.noWorker = !there; err != nil || there || !d.wants(offboarding.DriftNoWorker) {
		return err
	}
	return d.treat(ctx, offboarding.Finding{Drift: offboarding.DriftNoWorker, Detail: offboarding.TaskQueue}, nil)
}

// patience is how long one workflow may take for its answer.
const patience = 10 * time.Second

// silence counts workflows that do not answer. Where none does nobody works, though
// Temporal may not have noticed: no more are asked then.
type silence struct{ answered, unanswered atomic.Int64 }

func (s *silence) all() bool { return s.answered.Load() == 0 && s.unanswered.Load() > atOnce }

// ask asks a run for its status; false where it does not answer.
func (d *doctor) ask(ctx context.Context, e client.Execution, status any) (bool, error) {
	if d.silent.all() {
		return false, nil
	}
	asking, done := context.WithTimeout(ctx, patience)
	defer done()
	if err := d.Cases.StatusOfRun(asking, e, status); err != nil {
		d.silent.unanswered.Add(1)
		return false, ctx.Err()
	}
	d.silent.answered.Add(1)
	return true, nil
}

// lookAtOpenCases compares each open case with its workflow.
func (d *doctor) lookAtOpenCases(ctx context.Context) error {
	if !d.wants(offboarding.DriftCaseWithoutWorkflow, offboarding.DriftSettlingWithout, offboarding.DriftWorkflowAhead, offboarding.DriftWorkflowBehind,
		offboarding.DriftNoAnswer, offboarding.DriftStuck, offboarding.DriftStaleTrouble) {
		return nil
	}
	for after := ""; ; {
		page, err := d.Store.OpenCases(ctx, d.OrganizationID, after, pageSize)
		if err != nil {
			return err
		}
		d.cases += len(page)
		var suspects []suspect
		err = beside(ctx, d, page, func(ctx context.Context, c offboarding.OpenCase) error {
			s, drifted, err := d.compare(ctx, c)
			if drifted {
				d.mu.Lock()
				defer d.mu.Unlock()
				suspects = append(suspects, s)
			}
			return err
		})
		for _, s := range suspects {
			if err == nil {
				err = d.suspect(ctx, s)
			}
		}
		if err != nil || len(page) < pageSize {
			return err
		}
		after = page[len(page)-1].ID
	}
}

// compare compares an open case with what runs it.
func (d *doctor) compare(ctx context.Context, c offboarding.OpenCase) (suspect, bool, error) {
	s := suspect{Finding: offboarding.Finding{OrganizationID: c.OrganizationID, MemberID: c.MemberID, CaseID: c.ID, WorkflowID: c.WorkflowID, Detail: string(c.Phase)}}
	s.again = func(ctx context.Context) (offboarding.Finding, bool, error) {
		now, open, err := d.Store.OpenCase(ctx, c.ID)
		if err != nil || !open {
			return offboarding.Finding{}, false, err
		}
		again, drifted, err := d.compare(ctx, now)
		return again.Finding, drifted, err
	}
	if c.Awaited { // a list starts it at its rate
		return s, false, nil
	}
	if settling, request := settlingElsewhere(c); settling != "" {
		e, _, err := d.latest(ctx, settling, offboarding.WorkflowReactivation)
		s.Drift, s.WorkflowID = offboarding.DriftSettlingWithout, offboarding.ReactivationWorkflowID(c.MemberID)
		if err == nil && !e.Running && settling != s.WorkflowID { // one that was started since
			e, _, err = d.latest(ctx, s.WorkflowID, offboarding.WorkflowReactivation)
		}
		s.mend = d.repaired(s.Finding, offboarding.WorkflowReactivation, func(ctx context.Context) error { return d.Cases.ReactivateAsync(ctx, request) })
		return s, err == nil && !e.Running, err
	}
	e, found, err := d.latest(ctx, c.WorkflowID, typeOf(c))
	if err != nil {
		return s, false, err
	}
	if found && !e.Running && e.Completed && workflows.CaseID(e.WorkflowID, e.FirstRunID) == c.ID {
		return d.startOver(s, e, c, offboarding.DriftWorkflowAhead, "the workflow has completed"), true, nil
	}
	if !e.Running {
		s.Drift = offboarding.DriftCaseWithoutWorkflow
		s.mend = d.repaired(s.Finding, typeOf(c), func(ctx context.Context) error { return d.Cases.TakeOver(ctx, c.Case, false) })
		return s, true, nil
	}
	if d.noWorker {
		return s, false, nil
	}
	return d.compareStatus(ctx, s, e, c)
}

// typeOf is the workflow type of a case.
func typeOf(c offboarding.OpenCase) string {
	if c.WorkspaceID != "" {
		return offboarding.WorkflowWorkspaceRemoval
	}
	return offboarding.WorkflowOffboarding
}

// settlingElsewhere is the workflow that settles the documents of a member who has come
// back after the case had completed, "" where the case itself does, and how it is asked
// for again.
func settlingElsewhere(c offboarding.OpenCase) (workflowID string, again offboarding.ReactivationRequest) {
	var r offboarding.Reactivation
	if c.Phase != offboarding.PhaseReactivated || json.Unmarshal([]byte(c.Reactivation), &r) != nil || r.WorkflowID == "" {
		return "", again
	}
	return r.WorkflowID, offboarding.ReactivationRequest{
		MemberID: c.MemberID, RequestedBy: r.AdminID, Provider: r.Message.Provider, Origin: r.Origin, ReturnDocuments: r.Message.ReturnDocuments,
	}
}

// compareStatus compares an open case with what its workflow says of itself.
func (d *doctor) compareStatus(ctx context.Context, s suspect, e client.Execution, c offboarding.OpenCase) (suspect, bool, error) {
	var status offboarding.Status
	answered, err := d.ask(ctx, e, &status)
	if err != nil || !answered {
		s.Drift = offboarding.DriftNoAnswer
		return s, err == nil && !d.silent.all(), err
	}
	if status.Phase == "" && status.Trouble == nil { // about to find its case
		return s, false, nil
	}
	lost, err := d.lost(ctx, status)
	if err != nil {
		return s, false, err
	}
	times := phaseTimes(status.Phase, status.EffectiveAt, status.GraceEndsAt) != phaseTimes(c.Phase, &c.EffectiveAt, c.GraceEndsAt)
	ahead := slices.Index(offboarding.Phases, status.Phase) - slices.Index(offboarding.Phases, c.Phase)
	switch {
	case status.Trouble != nil:
		s.Drift, s.Detail = offboarding.DriftStuck, fmt.Sprintf("%s: %s", status.Trouble.Step, status.Trouble.LastError)
	case status.CaseID != c.ID, ahead > 0, ahead == 0 && lost:
		s = d.startOver(s, e, c, offboarding.DriftWorkflowAhead, "the workflow is "+string(status.Phase))
	case (ahead < 0 || times) && (e.Deciding || len(e.Doing) > 0): // it is only late
		return s, false, nil
	case ahead < 0, times:
		s.Drift, s.Detail = offboarding.DriftWorkflowBehind, fmt.Sprintf("%s, and the workflow is %s", c.Phase, status.Phase)
		s.mend = d.repaired(s.Finding, e.Type, func(ctx context.Context) error { return d.Cases.TakeOver(ctx, c.Case, true) })
	case c.TroubleStep != "" && c.TroubleStep != offboarding.StepArchiveMember:
		s.Drift, s.Detail = offboarding.DriftStaleTrouble, c.TroubleStep
		s.mend = func(ctx context.Context) error { return d.Store.MendDrift(ctx, s.Finding, d.repair()) }
	default:
		return s, false, nil
	}
	return s, true, nil
}

// lost says whether the database has lost what a workflow has seen it do: documents that
// found an owner, or requests. A workflow is not told that a request was withdrawn because
// the member who asked has left, so what counts is that it was there.
func (d *doctor) lost(ctx context.Context, s offboarding.Status) (bool, error) {
	given := s.Documents.Claimed + s.Documents.Transferred + s.Documents.Approved
	if given == 0 && s.PendingCount == 0 {
		return false, nil
	}
	there, err := d.Store.Settled(ctx, s.CaseID, s.PendingRequests)
	return given > there.Given || s.PendingCount > there.Filed || len(s.PendingRequests) > there.Known, err
}

// phaseTimes is when a case in that phase goes on by itself.
func phaseTimes(phase offboarding.Phase, effective, graceEnds *time.Time) string {
	at := map[offboarding.Phase]*time.Time{offboarding.PhaseScheduled: effective, offboarding.PhaseGrace: graceEnds}[phase]
	if at == nil {
		return ""
	}
	return at.UTC().Round(time.Microsecond).String() // as PostgreSQL does
}

// startOver is a suspect whose workflow is to begin again; where the engine does not have
// its beginning any more, another takes the case over.
func (d *doctor) startOver(s suspect, e client.Execution, c offboarding.OpenCase, drift offboarding.Drift, detail string) suspect {
	s.Drift, s.Detail = drift, fmt.Sprintf("%s, and %s", c.Phase, detail)
	s.mend = d.repaired(s.Finding, e.Type, func(ctx context.Context) error {
		err := d.Cases.StartOver(ctx, d.Namespace, e, reason(drift))
		if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound {
			err = d.Cases.TakeOver(ctx, c.Case, true)
		}
		return err
	})
	return s
}

// reason is what Temporal keeps of a mending.
func reason(drift offboarding.Drift) string { return "starter doctor: " + string(drift) }
