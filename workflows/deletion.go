package workflows

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// DeletionInput is the request that starts a MemberDeletion. One that continues as
// new hands itself what it has to remember; anybody else's is ignored.
type DeletionInput struct {
	offboarding.DeletionRequest
	Carried *deletionState `json:"carried,omitempty"`
}

// deletionState is what a MemberDeletion remembers.
type deletionState struct {
	asked
	ID        string   `json:"id"` // the same for every run and reset of it, as a case's
	Stage     string   `json:"stage,omitempty"`
	Rounds    int      `json:"rounds,omitempty"` // looks at the member so far; names the next
	Troubles  troubles `json:"troubles,omitempty"`
	Continued int      `json:"continued,omitempty"`
}

// deletion is a MemberDeletion while a run of it lasts.
type deletion struct {
	deletionState
	request offboarding.DeletionRequest
}

// MemberDeletion deletes a member for good (rule X1): an active one is offboarded
// first, by an ordinary case, which goes on by itself to find owners for the
// documents; then the personal data is erased.
func MemberDeletion(ctx workflow.Context, payload converter.RawValue) (offboarding.DeletionResult, error) {
	var in DeletionInput
	// Into structs, without maps: the same bytes give the same input in every replay.
	//workflowcheck:ignore
	if err := json.Unmarshal(payload.Payload().GetData(), &in); err != nil {
		return offboarding.DeletionResult{}, activities.RefusalError(
			offboarding.Refuse("", offboarding.CodeInvalidArgument, "", "the input is not the JSON object that MemberDeletion takes"))
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx) // as a case, it is not torn apart by a cancellation
	info := workflow.GetInfo(ctx)
	d := &deletion{deletionState: deletionState{asked: asked{startedBy(ctx, payload)}, ID: caseID(info)}, request: in.DeletionRequest}
	err := workflow.SetQueryHandler(ctx, offboarding.QueryStatus, func() (offboarding.DeletionStatus, error) {
		return d.status(workflow.Now(ctx)), nil
	})
	if err == nil && in.Carried != nil && continued(info) {
		if err = judgeContinued(ctx, &d.Troubles); err == nil {
			d.deletionState = *in.Carried
			d.Continued++
		}
	}
	var erased offboarding.Erased
	if err == nil {
		erased, err = d.run(ctx)
	}
	var refusal *offboarding.Refusal
	switch {
	case errors.Is(err, errRollover):
		d.Rounds-- // the next run does this round, by the same names: what it has done already is not done again
		return offboarding.DeletionResult{}, workflow.NewContinueAsNewError(ctx, offboarding.WorkflowMemberDeletion,
			DeletionInput{DeletionRequest: d.request, Carried: &d.deletionState})
	case errors.As(err, &refusal):
		return offboarding.DeletionResult{}, activities.RefusalError(refusal)
	case err != nil:
		return offboarding.DeletionResult{}, err
	}
	d.Stage = offboarding.DeletionDone
	return offboarding.DeletionResult{MemberID: d.request.MemberID, Outcome: offboarding.OutcomeDeleted, Erased: erased}, nil
}

// run looks at the member until they are inactive, and erases then.
func (d *deletion) run(ctx workflow.Context) (offboarding.Erased, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		d.Rounds++
		in := d.input(ctx, "admit")
		in.Sent = d.Start
		begun, err := do[offboarding.DeletionBegun](ctx, d, "admit", local(act.BeginDeletion, in))
		if err != nil {
			return offboarding.Erased{}, err
		}
		d.Start = nil
		switch {
		case begun.Offboard:
			d.Stage = offboarding.DeletionOffboarding
			in := offboarding.OffboardFirstInput{
				UpdateID: "deletion/" + d.step("offboard"), Request: d.request.Offboarding(), CaseID: d.ID, MemberID: begun.MemberID,
			}
			if _, err := do[struct{}](ctx, d, "offboard", remote(act.OffboardFirst, in, sending)); err != nil {
				return offboarding.Erased{}, err
			}
		case !begun.Wait:
			d.Stage = offboarding.DeletionErasing
			erased, err := do[offboarding.Erased](ctx, d, "erase", remote(act.EraseMember, d.input(ctx, "erase"), erasing))
			if err != nil || !erased.Active {
				return erased, err
			}
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return offboarding.Erased{}, err
		}
		if d.givesWay(ctx) {
			d.Rounds++ // this one is over
			return offboarding.Erased{}, errRollover
		}
	}
}

// erasing is long enough for the audit of a member with a million documents.
var erasing = workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Minute}

// step names what is done in this round.
func (d *deletion) step(name string) string { return d.ID + "/" + name + "/" + strconv.Itoa(d.Rounds) }

func (d *deletion) input(ctx workflow.Context, name string) offboarding.BeginDeletionInput {
	return offboarding.BeginDeletionInput{
		Step: offboarding.Step{CaseID: d.ID, Name: d.step(name), At: now(ctx)}, Request: d.request,
	}
}

func (d *deletion) status(at time.Time) offboarding.DeletionStatus {
	return offboarding.DeletionStatus{
		MemberID: d.request.MemberID, Stage: d.Stage, Trouble: d.Troubles.worst(), ContinuedAsNew: d.Continued, WorkflowTime: at.UTC(),
	}
}

func (d *deletion) troubled(ctx workflow.Context, step string, err error) {
	d.Troubles.add(ctx, step, err)
}

func (d *deletion) resolved(_ workflow.Context, step string) { d.Troubles.remove(step) }

func (d *deletion) givesWay(ctx workflow.Context) bool { return historyLong(ctx) }
