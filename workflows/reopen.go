package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// reactivatedAtOnce is how many members a bulk reactivation works on at a time.
// It decides what a replay does, so changing it needs a version.
const reactivatedAtOnce = 20

// ReactivationInput is the request that starts a Reactivation. One that continues
// as new hands itself what it has to remember; anybody else's is ignored.
type ReactivationInput struct {
	offboarding.ReactivationRequest
	Carried *reactivationState `json:"carried,omitempty"`
}

// reactivationState is what a Reactivation remembers: a result a member at most.
type reactivationState struct {
	asked
	Checked   bool                                   `json:"checked,omitempty"`
	Done      map[int]offboarding.MemberReactivation `json:"done,omitempty"` // by the member's place in the request
	Troubles  troubles                               `json:"troubles,omitempty"`
	Continued int                                    `json:"continued,omitempty"`
}

// reactivations is a Reactivation while a run of it lasts.
type reactivations struct {
	reactivationState
	request    offboarding.ReactivationRequest
	id         string // the same for every run and reset of it, as a case's
	workflowID string
}

// Reactivation makes members active again, whether or not their cases have closed
// (rules R1, R2). The case that made a member inactive is opened again until its
// documents are settled; one that is still open is sent reactivate.
func Reactivation(ctx workflow.Context, payload converter.RawValue) (offboarding.ReactivationResult, error) {
	var in ReactivationInput
	// Into structs and slices, but for Carried, which this workflow wrote itself.
	//workflowcheck:ignore
	if err := json.Unmarshal(payload.Payload().GetData(), &in); err != nil {
		return offboarding.ReactivationResult{}, activities.RefusalError(
			offboarding.Refuse("", offboarding.CodeInvalidArgument, "", "the input is not the JSON object that Reactivation takes"))
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx) // as a case, it is not torn apart by a cancellation
	info := workflow.GetInfo(ctx)
	w := &reactivations{request: in.ReactivationRequest, id: caseID(info), workflowID: info.WorkflowExecution.ID}
	w.Start = startedBy(ctx, payload)
	err := workflow.SetQueryHandler(ctx, offboarding.QueryStatus, func() (offboarding.ReactivationStatus, error) {
		return w.status(workflow.Now(ctx)), nil
	})
	if err == nil && in.Carried != nil && continued(info) {
		if err = judgeContinued(ctx, &w.Troubles); err == nil {
			w.reactivationState = *in.Carried
			w.Continued++
		}
	}
	if w.Done == nil {
		w.Done = map[int]offboarding.MemberReactivation{}
	}
	if err == nil {
		err = w.run(ctx)
	}
	var refusal *offboarding.Refusal
	switch {
	case errors.Is(err, errRollover):
		carried := ReactivationInput{ReactivationRequest: w.request, Carried: &w.reactivationState}
		return offboarding.ReactivationResult{}, workflow.NewContinueAsNewError(ctx, offboarding.WorkflowReactivation, carried)
	case errors.As(err, &refusal):
		return offboarding.ReactivationResult{}, activities.RefusalError(refusal)
	case err != nil:
		return offboarding.ReactivationResult{}, err
	}
	return w.result(), nil
}

// run reactivates one member, or many in groups, and answers with the refusal of
// the one or of the whole request.
func (w *reactivations) run(ctx workflow.Context) error {
	if !w.request.Bulk() {
		done, err := w.reactivate(ctx, 0)
		w.Done[0] = done
		return err
	}
	if !w.Checked {
		in := offboarding.BeginReactivationInput{Step: w.step(ctx, "check"), Sent: w.Start, Request: w.request}
		if _, err := do[struct{}](ctx, w, "check", local(act.CheckReactivation, in)); err != nil {
			return err
		}
		w.Checked, w.Start = true, nil
	}
	members := w.request.Members()
	for first := 0; first < len(members); first += reactivatedAtOnce {
		if err := w.group(ctx, first, min(first+reactivatedAtOnce, len(members))); err != nil {
			return err
		}
		if w.givesWay(ctx) {
			return errRollover
		}
	}
	return nil
}

// group reactivates some of the members side by side.
func (w *reactivations) group(ctx workflow.Context, first, end int) error {
	var failed error
	all := workflow.NewWaitGroup(ctx)
	for i := first; i < end; i++ {
		if _, done := w.Done[i]; done {
			continue
		}
		all.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer all.Done()
			done, err := w.reactivate(ctx, i)
			var refusal *offboarding.Refusal
			if errors.As(err, &refusal) {
				done, err = offboarding.MemberReactivation{Outcome: offboarding.OutcomeRefused, Codes: refusal.Codes()}, nil
			}
			if err != nil {
				failed = err
				return
			}
			done.MemberID = w.request.MemberIDs[i]
			w.Done[i] = done
		})
	}
	all.Wait(ctx)
	return failed
}

// errElsewhere says that the member's case takes no message right now.
var errElsewhere = temporal.NewApplicationError("the member's case is open and takes no message; is something running it?", "")

// reactivate reactivates the member at a place of the request. A case that closes
// while its message is on the way is looked at again.
func (w *reactivations) reactivate(ctx workflow.Context, i int) (offboarding.MemberReactivation, error) {
	done := offboarding.MemberReactivation{Outcome: offboarding.OutcomeReactivated}
	member := w.request.Members()[i]
	name := "reactivate/" + member
	if strings.HasPrefix(member, "external:") { // personal data, which is no matter for logs
		name = fmt.Sprintf("reactivate/%d", i+1)
	}
	request := w.request
	if request.Bulk() {
		request.MemberIDs = nil // judged as a whole already
	}
	defer func() { w.resolved(ctx, "send/"+done.MemberID) }()
	pause, about := firstPause, ""
	for n := 1; ; n++ {
		messages := fmt.Sprintf("reactivation/%s/%d/", w.id, i)
		in := offboarding.BeginReactivationInput{
			Step: w.step(ctx, fmt.Sprintf("begin/%d/%d", i, n)), Sent: w.Start, ID: fmt.Sprintf("reactivation/%s/%d", w.id, i),
			MemberID: member, Request: request, WorkflowID: w.workflowID, About: about, Messages: "update/" + messages,
		}
		begun, err := do[offboarding.ReactivationBegun](ctx, w, name, local(act.BeginReactivation, in))
		if err != nil {
			return done, err
		}
		w.Start = nil
		done.MemberID, done.CaseID = begun.MemberID, begun.CaseID
		if begun.OpenCase == "" {
			return done, w.settle(ctx, begun, &done)
		}
		about, begun.Message.CaseID = begun.CaseID, begun.CaseID
		send := offboarding.SendReactivateInput{
			Step: w.step(ctx, fmt.Sprintf("send/%d/%d", i, n)), WorkflowID: begun.OpenCase, UpdateID: messages + strconv.Itoa(n), Message: begun.Message,
		}
		sent, err := do[offboarding.ReactivateSent](ctx, w, name, remote(act.SendReactivate, send, sending))
		if err != nil {
			return done, err
		}
		if !sent.Gone {
			done.Returned = sent.Outcome.Documents
			return done, nil
		}
		if n > 1 { // it had not just closed
			w.troubled(ctx, "send/"+done.MemberID, errElsewhere)
		}
		if w.givesWay(ctx) {
			return done, errRollover
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return done, err
		}
		pause = min(2*pause, longestPause)
	}
}

// sending is long enough for a case that has to return many documents first.
var sending = workflow.ActivityOptions{StartToCloseTimeout: 3 * time.Minute}

// settle makes the documents of the reopened case the member's again, by the steps
// of a reactivation while the case is open. The member comes first here: what a
// completed case has left the member is archived, and nobody waits for it.
func (w *reactivations) settle(ctx workflow.Context, begun offboarding.ReactivationBegun, done *offboarding.MemberReactivation) error {
	r := begun.Reactivation
	if r == nil {
		return nil
	}
	sweep := func(name string, activity any) (int, error) {
		in := offboarding.SweepInput{
			Step: offboarding.Step{CaseID: begun.CaseID, Name: r.ID + "/" + name, At: now(ctx)}, ActorID: r.AdminID, Origin: r.Origin,
		}
		out, err := do[offboarding.Sweep](ctx, settling{w, begun.CaseID}, name+"/"+begun.MemberID, sweeping(activity, in))
		return out.Documents, err
	}
	var err error
	if done.Restored, err = sweep("restore", act.RestoreDocuments); err != nil {
		return err
	}
	if r.Message.ReturnDocuments {
		if done.Returned, err = sweep("return", act.ReturnDocuments); err != nil {
			return err
		}
	}
	if done.Granted, err = sweep("grant", act.GrantEdit); err != nil {
		return err
	}
	closing := offboarding.Step{CaseID: begun.CaseID, Name: r.ID + "/close", At: now(ctx)}
	_, err = do[struct{}](ctx, settling{w, begun.CaseID}, "close/"+begun.MemberID, local(act.CloseReactivated, closing))
	return err
}

// settling is a Reactivation while it works on a case. The lists show at the case
// that it cannot go on, as they do while the case itself reactivates its leaver.
type settling struct {
	*reactivations
	caseID string
}

func (s settling) troubled(ctx workflow.Context, step string, err error) {
	failing := s.Troubles.add(ctx, step, err)
	s.record(ctx, &failing)
}

func (s settling) resolved(ctx workflow.Context, step string) {
	if s.Troubles.remove(step) {
		s.record(ctx, nil)
	}
}

func (s settling) record(ctx workflow.Context, failing *offboarding.Trouble) {
	if workflow.GetVersion(ctx, "trouble of a reactivation in the lists", workflow.DefaultVersion, 1) == 1 {
		recordTrouble(ctx, s.caseID, failing)
	}
}

func (w *reactivations) step(ctx workflow.Context, name string) offboarding.Step {
	return offboarding.Step{CaseID: w.id, Name: name, At: now(ctx)}
}

// inOrder are the results so far, in the order of the request.
func (w *reactivations) inOrder() []offboarding.MemberReactivation {
	results := make([]offboarding.MemberReactivation, 0, len(w.Done))
	for i := range w.request.Members() {
		if done, ok := w.Done[i]; ok {
			results = append(results, done)
		}
	}
	return results
}

func (w *reactivations) result() offboarding.ReactivationResult {
	results := w.inOrder()
	if w.request.Bulk() {
		return offboarding.ReactivationResult{BulkReactivation: offboarding.NewBulkReactivation(results)}
	}
	return offboarding.ReactivationResult{MemberReactivation: &results[0]}
}

func (w *reactivations) status(at time.Time) offboarding.ReactivationStatus {
	return offboarding.ReactivationStatus{
		Total: len(w.request.Members()), Members: slices.Clone(w.inOrder()), Trouble: w.Troubles.worst(),
		ContinuedAsNew: w.Continued, WorkflowTime: at.UTC(),
	}
}

func (w *reactivations) troubled(ctx workflow.Context, step string, err error) {
	w.Troubles.add(ctx, step, err)
}

func (w *reactivations) resolved(_ workflow.Context, step string) { w.Troubles.remove(step) }

func (w *reactivations) givesWay(ctx workflow.Context) bool { return historyLong(ctx) }
