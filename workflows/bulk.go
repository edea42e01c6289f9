package workflows

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// BulkInput is the list that starts a bulk run. A run that continues as new hands
// itself what it has to remember; the list is in the database.
type BulkInput struct {
	offboarding.BulkRequest
	Carried *bulkState `json:"carried,omitempty"`
}

// bulkState is what a run remembers when it continues as new.
type bulkState struct {
	Run       offboarding.BulkRun          `json:"run"`
	Pause     time.Duration                `json:"pause_ns,omitempty"` // before the next look at what was started
	Continued int                          `json:"continued,omitempty"`
	Inbox     []bulkCancel                 `json:"inbox,omitempty"`    // signals not handled yet
	Messages  int                          `json:"messages,omitempty"` // names the next signal
	Refused   []offboarding.RefusedMessage `json:"refused,omitempty"`
	Troubles  troubles                     `json:"troubles,omitempty"`
}

// bulkCancel is a cancel, and how it was sent.
type bulkCancel struct {
	offboarding.Cancel
	Sent *offboarding.Sent `json:"sent,omitempty"`
}

// bulkRun is a bulk offboarding while a run of its workflow lasts.
type bulkRun struct {
	bulkState
	asked    // never handed on: a run does not continue before it is admitted
	request  offboarding.BulkRequest
	step     string
	admitted bool
	handling bool // a signal
	rollover bool // about to continue as new: nothing new begins
	ended    bool // nothing is left to do
	refusal  *offboarding.Refusal
	unjudged *troubles // until it is known who has handed on the state, which nobody is shown
}

// BulkOffboarding offboards the members of a list (rule B1). First everybody loses
// access, hundreds at a time; then the cases that have something left to settle
// are started, each a workflow of its own. It ends when all of them run.
func BulkOffboarding(ctx workflow.Context, payload converter.RawValue) (offboarding.BulkResult, error) {
	var in BulkInput
	// Into structs and slices, without maps: the same bytes give the same input in every replay.
	//workflowcheck:ignore
	if err := json.Unmarshal(payload.Payload().GetData(), &in); err != nil {
		return offboarding.BulkResult{}, activities.RefusalError(offboarding.Refuse("", offboarding.CodeInvalidArgument, "",
			"the input is not the JSON object that BulkOffboarding takes"))
	}
	// As in a case: only the message `cancel` cancels.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	b, err := setupBulk(ctx, in)
	if err != nil {
		return offboarding.BulkResult{}, err
	}
	b.Start = startedBy(ctx, payload) // of no matter to a run that continues: it was admitted
	if err = b.run(ctx); errors.Is(err, errRollover) {
		return offboarding.BulkResult{}, b.continueAsNew(ctx)
	}
	b.finish(ctx, err)
	if b.refusal != nil {
		return offboarding.BulkResult{}, activities.RefusalError(b.refusal)
	}
	message, code := b.Run.Counts.Result()
	return offboarding.BulkResult{BulkID: b.Run.ID, Message: message, ResultCode: code, Counts: b.Run.Counts}, err
}

func setupBulk(ctx workflow.Context, in BulkInput) (*bulkRun, error) {
	info := workflow.GetInfo(ctx)
	b := &bulkRun{request: in.BulkRequest}
	if in.Carried != nil && continued(info) {
		b.bulkState, b.unjudged = *in.Carried, new(troubles)
		b.Continued++
	} else {
		b.Run = offboarding.BulkRun{
			ID: offboarding.BulkID(info.WorkflowExecution.ID), WorkflowID: info.WorkflowExecution.ID, RequestedBy: in.RequestedBy,
			AllOrNothing: in.AllOrNothing, Rate: in.Rate, CreatedAt: now(ctx),
		}
		b.Run.Counts.Total, b.Run.Counts.Pending = len(in.Members), len(in.Members)
	}
	if err := workflow.SetQueryHandler(ctx, offboarding.QueryStatus, func() (offboarding.BulkStatus, error) {
		return b.status(ctx), nil
	}); err != nil {
		return nil, err
	}
	return b, b.listen(ctx)
}

// run tells the story.
func (b *bulkRun) run(ctx workflow.Context) error {
	if b.unjudged != nil {
		err := judgeContinued(ctx, b.unjudged)
		b.unjudged = nil
		if err != nil {
			b.bulkState = bulkState{Inbox: b.Inbox}
			return err
		}
		b.admitted = true
	}
	if !b.admitted {
		in := offboarding.BulkAdmitInput{
			BulkID: b.Run.ID, WorkflowID: b.Run.WorkflowID, At: now(ctx), Request: b.request, Sent: b.Start, CaseID: caseID(workflow.GetInfo(ctx)),
		}
		// In the workflow task, though it writes a whole list: its input would be in the history a second time.
		if err := b.do(ctx, "admit", lasting(time.Minute, act.AdmitBulk, in)); err != nil {
			return err
		}
		b.admitted, b.request, b.asked = true, offboarding.BulkRequest{}, asked{}
	}
	for b.Run.Phase != offboarding.BulkCompleted {
		if b.givesWay(ctx) {
			return errRollover
		}
		var err error
		switch {
		case b.Run.Phase == offboarding.BulkJudging:
			err = b.do(ctx, "judge", judging(act.JudgeBulk, b.at(ctx)))
		case b.Run.Counts.Pending > 0:
			err = b.do(ctx, "offboard", sweeping(act.OffboardMembers, b.at(ctx)))
		case b.Run.Phase == offboarding.BulkRevoking:
			if err = b.do(ctx, "advance", local(act.AdvanceBulk, b.at(ctx))); err == nil {
				measureRevoked(ctx, b.Run.CreatedAt)
			}
		case b.Run.Counts.Running < b.Run.Counts.Cases:
			err = b.start(ctx)
		default:
			err = b.do(ctx, "complete", local(act.CompleteBulk, b.at(ctx)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// The pauses between two looks whether the cases that were started run.
const (
	firstLook   = time.Second
	longestLook = time.Minute
)

// start starts what is not started yet. When all is, it looks what has not been
// taken over: a start may have met a workflow that was just about to end.
func (b *bulkRun) start(ctx workflow.Context) error {
	in := offboarding.BulkStartInput{BulkStep: b.at(ctx), Rate: b.Run.Rate, Again: b.Pause > 0}
	before := b.Run.Counts.Running
	if err := b.do(ctx, "start", sweeping(act.StartCases, in)); err != nil {
		return err
	}
	switch {
	case b.Run.Counts.Running == b.Run.Counts.Cases:
		return nil
	case b.Run.Counts.Unstarted > 0:
		return nil // at its rate
	case b.Run.Counts.Running > before || b.Pause == 0:
		b.Pause = firstLook
	default:
		b.Pause = min(2*b.Pause, longestLook)
	}
	return workflow.Sleep(ctx, b.Pause)
}

// do does a step and takes over what the run looks like afterwards. A cancel may
// have happened meanwhile and be known already: the run never goes back.
func (b *bulkRun) do(ctx workflow.Context, step string, execute func(workflow.Context) workflow.Future) error {
	b.step = step
	run, err := do[offboarding.BulkRun](ctx, b, step, execute)
	if err == nil {
		b.take(run)
	}
	return err
}

// take takes over the later of two looks at the run.
func (b *bulkRun) take(run offboarding.BulkRun) {
	if run.Counts.Pending <= b.Run.Counts.Pending || !b.admitted {
		b.Run = run
	}
}

func (b *bulkRun) at(ctx workflow.Context) offboarding.BulkStep {
	return offboarding.BulkStep{BulkID: b.Run.ID, At: now(ctx)}
}

// judging runs a step that reads a whole list in one transaction.
func judging(activity any, in any) func(workflow.Context) workflow.Future {
	return remote(activity, in, workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Minute})
}

// listen registers the message `cancel`, a signal and an update.
func (b *bulkRun) listen(ctx workflow.Context) error {
	err := workflow.SetUpdateHandlerWithOptions(ctx, offboarding.MessageCancel,
		func(ctx workflow.Context, payload converter.RawValue) (offboarding.Outcome, error) {
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			message, refusal := parseCancel(ctx, updatePrefix+workflow.GetCurrentUpdateInfo(ctx).ID, payload)
			if refusal == nil {
				refusal = b.cancel(ctx, message)
			}
			if refusal != nil {
				return offboarding.Outcome{}, activities.RefusalError(refusal)
			}
			return offboarding.Outcome{Outcome: offboarding.OutcomeCanceled}, nil
		},
		workflow.UpdateHandlerOptions{Validator: func(payload converter.RawValue) error {
			if _, refusal := parse(offboarding.MessageCancel, textOf(payload)); refusal != nil {
				return activities.RefusalError(refusal)
			}
			return nil
		}})
	if err != nil {
		return err
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			_ = workflow.Await(ctx, func() bool { return b.waiting(ctx) && !b.rollover })
			if b.drain(ctx); len(b.Inbox) == 0 {
				continue
			}
			b.handling = true
			refusal := b.cancel(ctx, b.Inbox[0])
			b.handling = false
			if refusal != nil && refusal.Has(offboarding.CodeTryAgain) {
				_ = workflow.Await(ctx, func() bool { return b.rollover || b.ended }) // the next run goes on with it, unless this one ends first
				continue
			}
			b.Inbox = b.Inbox[1:]
		}
	})
	return nil
}

func parseCancel(ctx workflow.Context, id string, payload converter.RawValue) (bulkCancel, *offboarding.Refusal) {
	m := newMessage(ctx, id, offboarding.MessageCancel, payload)
	parsed, refusal := parse(m.Name, m.Payload)
	if message, ok := parsed.(*offboarding.Cancel); ok && refusal == nil {
		return bulkCancel{*message, sentAs(ctx, m)}, nil
	}
	return bulkCancel{}, refusal
}

// waiting reports whether signals wait to be handled.
func (b *bulkRun) waiting(ctx workflow.Context) bool {
	return len(b.Inbox) > 0 || workflow.GetSignalChannel(ctx, offboarding.MessageCancel).Len() > 0
}

// drain takes in the signals that have arrived. One that is malformed, or comes
// behind too many others, is refused at once: what a run hands on is bounded.
func (b *bulkRun) drain(ctx workflow.Context) {
	ch := workflow.GetSignalChannel(ctx, offboarding.MessageCancel)
	for {
		var payload converter.RawValue
		if !ch.ReceiveAsync(&payload) {
			return
		}
		b.Messages++
		message, refusal := parseCancel(ctx, "signal/"+strconv.Itoa(b.Messages), payload)
		if refusal == nil && len(b.Inbox) >= keptRefusals {
			refusal = offboarding.Refuse("", offboarding.CodeTryAgain, "", "too many messages wait")
		}
		if refusal != nil {
			b.remember(ctx, refusal)
			continue
		}
		b.Inbox = append(b.Inbox, message)
	}
}

func (b *bulkRun) remember(ctx workflow.Context, refusal *offboarding.Refusal) {
	b.Refused = append(b.Refused, offboarding.RefusedMessage{Message: offboarding.MessageCancel, Code: refusal.Code(), At: now(ctx)})
	b.Refused = b.Refused[max(0, len(b.Refused)-keptRefusals):]
}

// cancel takes off the list who has not been processed, once the run is known. A
// refusal is remembered.
func (b *bulkRun) cancel(ctx workflow.Context, message bulkCancel) *offboarding.Refusal {
	_ = workflow.Await(ctx, func() bool { return b.admitted || b.ended }) // a disconnected context is not canceled
	refusal := b.refusal
	if refusal == nil && b.Run.Phase == offboarding.BulkCompleted {
		refusal = offboarding.Refuse("B1", offboarding.CodeWrongPhase, "", "the run is completed")
	}
	if refusal == nil {
		in := offboarding.BulkCancelInput{BulkStep: b.at(ctx), Sent: message.Sent, Message: message.Cancel}
		run, err := do[offboarding.BulkRun](ctx, b, offboarding.MessageCancel, local(act.CancelBulk, in))
		switch {
		case errors.Is(err, errRollover):
			return offboarding.Refuse("", offboarding.CodeTryAgain, "", "the run could not decide now; send the message again")
		case err == nil:
			b.take(run)
			return nil
		}
		errors.As(err, &refusal)
	}
	b.remember(ctx, refusal)
	return refusal
}

// continueAsNew lets messages that are being handled come to an end and hands on
// the rest.
func (b *bulkRun) continueAsNew(ctx workflow.Context) error {
	b.rollover = true
	if err := workflow.Await(ctx, func() bool { return !b.handling && workflow.AllHandlersFinished(ctx) }); err != nil {
		return err
	}
	b.drain(ctx)
	return workflow.NewContinueAsNewError(ctx, offboarding.WorkflowBulkOffboarding, BulkInput{Carried: &b.bulkState})
}

// finish answers whoever still waits.
func (b *bulkRun) finish(ctx workflow.Context, err error) {
	errors.As(err, &b.refusal)
	b.ended = true
	_ = workflow.Await(ctx, func() bool { // a disconnected context is not canceled
		return !b.waiting(ctx) && !b.handling && workflow.AllHandlersFinished(ctx)
	})
}

func (b *bulkRun) troubled(ctx workflow.Context, step string, err error) {
	b.Troubles.add(ctx, step, err, "bulk_id", b.Run.ID)
	b.recordTrouble(ctx)
}

func (b *bulkRun) resolved(ctx workflow.Context, step string) {
	if b.Troubles.remove(step) {
		b.recordTrouble(ctx)
	}
}

func (b *bulkRun) givesWay(ctx workflow.Context) bool {
	return b.admitted && (b.rollover || historyLong(ctx))
}

func (b *bulkRun) recordTrouble(ctx workflow.Context) {
	tryOnce(ctx, act.RecordBulkTrouble, offboarding.BulkTroubleInput{BulkID: b.Run.ID, Trouble: b.Troubles.worst()}, "bulk_id", b.Run.ID)
}

// status is what the query shows.
func (b *bulkRun) status(ctx workflow.Context) offboarding.BulkStatus {
	at := workflow.Now(ctx).UTC()
	if b.unjudged != nil {
		id := workflow.GetInfo(ctx).WorkflowExecution.ID
		return offboarding.BulkStatus{
			BulkRun: offboarding.BulkRun{ID: offboarding.BulkID(id), WorkflowID: id}, Trouble: b.unjudged.worst(), WorkflowTime: at,
		}
	}
	return offboarding.BulkStatus{
		BulkRun: b.Run, Step: b.step, Trouble: b.Troubles.worst(), RefusedMessages: slices.Clone(b.Refused),
		ContinuedAsNew: b.Continued, WorkflowTime: at,
	}
}
