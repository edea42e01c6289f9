package workflows

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"handover/activities"
	"handover/offboarding"
)

// message is a signal or an update. A step of a message is named by its ID, so
// that it is not done twice, whichever run handles it.
type message struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Payload json.RawMessage `json:"payload"`

	Signature string     `json:"signature,omitempty"`
	Digest    string     `json:"digest,omitempty"` // of the payload as it was signed
	At        *time.Time `json:"at,omitempty"`     // when it came, of one that is signed
}

// newMessage takes a message as it came. What is not JSON has no payload, and is refused
// like everything that the message does not take.
func newMessage(ctx workflow.Context, id, name string, payload converter.RawValue) message {
	m := message{ID: id, Name: name, Payload: textOf(payload), Signature: signatureOf(payload)}
	if m.Signature != "" {
		at := now(ctx)
		m.Digest, m.At = offboarding.Digest(payload.Payload().GetData()), &at
	}
	return m
}

// sweep names the work on documents that a message asks for.
func (m message) sweep() string { return m.ID + "/sweep" }

// listen registers the handlers of all messages. A signal and its update are
// handled by the same function; signals one after the other as they came.
func (c *offboardingCase) listen(ctx workflow.Context) error {
	for _, name := range offboarding.Messages {
		err := workflow.SetUpdateHandlerWithOptions(ctx, name,
			func(ctx workflow.Context, payload converter.RawValue) (offboarding.Outcome, error) {
				return c.answer(ctx, newMessage(ctx, updatePrefix+workflow.GetCurrentUpdateInfo(ctx).ID, name, payload))
			},
			workflow.UpdateHandlerOptions{Validator: func(payload converter.RawValue) error {
				if _, err := parse(name, textOf(payload)); err != nil {
					return activities.RefusalError(err)
				}
				return nil
			}})
		if err != nil {
			return err
		}
	}
	if err := workflow.SetUpdateHandler(ctx, offboarding.UpdateAwaitRevoked, c.awaitRevoked); err != nil {
		return err
	}
	workflow.Go(ctx, c.receive)
	workflow.Go(ctx, c.handleInbox)
	return nil
}

// receive puts signals into the inbox, those of a name in the order of their
// arrival. It leaves them in their channels until it takes them: a receiver that
// is blocked on a channel is handed a signal that drain would not find, and that
// would be lost when the case continues as new.
func (c *offboardingCase) receive(ctx workflow.Context) {
	arrived := func() bool {
		return slices.ContainsFunc(offboarding.Messages, func(name string) bool { return workflow.GetSignalChannel(ctx, name).Len() > 0 })
	}
	for {
		_ = workflow.Await(ctx, arrived) // a disconnected context is not canceled
		c.drain(ctx)
	}
}

// drain takes in what has arrived, as it is: the SDK would drop what it cannot
// decode.
func (c *offboardingCase) drain(ctx workflow.Context) {
	for _, name := range offboarding.Messages {
		ch := workflow.GetSignalChannel(ctx, name)
		for {
			var payload converter.RawValue
			if !ch.ReceiveAsync(&payload) {
				break
			}
			m := newMessage(ctx, "", name, payload)
			if c.Phase != "" {
				m.ID = c.signalID(name)
			}
			c.Inbox = append(c.Inbox, m)
		}
	}
}

// nameSignals names those that came before the case was admitted: until then it is not
// known whose names they must not take.
func (c *offboardingCase) nameSignals(byName bool) {
	if byName {
		c.Received = map[string]int{}
	}
	for i := range c.Inbox {
		c.Inbox[i].ID = c.signalID(c.Inbox[i].Name)
	}
}

// signalID numbers a signal among those of its name, because only these keep their order
// when the workflow is set back to its beginning, and finds them all there at once. Cases
// of earlier builds number all signals together.
func (c *offboardingCase) signalID(name string) string {
	if c.Received == nil {
		c.Messages++
		return c.numbered("signal", c.Messages)
	}
	c.Received[name]++
	return c.numbered("signal/"+name, c.Received[name])
}

// handleInbox handles signals. One that breaks a rule is recorded and does not
// fail the case.
func (c *offboardingCase) handleInbox(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(c.Inbox) > 0 && c.ready() && !c.rollover })
		if _, err := c.handle(ctx, c.Inbox[0]); errors.Is(err, errRollover) {
			// Stays in the inbox: the next run goes on with it, unless this one ends first.
			_ = workflow.Await(ctx, func() bool { return c.rollover || c.ended })
			continue
		}
		c.Inbox = c.Inbox[1:]
	}
}

// answer handles an update. Like the case itself it is not torn apart by a
// cancellation request from outside.
func (c *offboardingCase) answer(ctx workflow.Context, m message) (offboarding.Outcome, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if err := workflow.Await(ctx, func() bool { return c.ready() || c.rollover }); err != nil {
		return offboarding.Outcome{}, err
	}
	out, err := c.handle(ctx, m)
	var refusal *offboarding.Refusal
	switch {
	case errors.Is(err, errRollover):
		c.abandoned(ctx, m)
		return out, activities.RefusalError(offboarding.Refuse("", offboarding.CodeTryAgain, "",
			"the case could not decide now; send the message again"))
	case errors.As(err, &refusal):
		return out, activities.RefusalError(refusal)
	}
	return out, err
}

// abandoned gives up an update that this run cannot decide any more: the case
// waits for it no longer, and looks what it may have done.
func (c *offboardingCase) abandoned(ctx workflow.Context, m message) {
	c.Recount = c.Recount || c.DeactivatedAt != nil
	c.resolved(ctx, m.Name)
	c.resolved(ctx, m.sweep())
}

// ready reports whether the case is where messages can be judged: it waits, it
// works on documents, or it has ended.
func (c *offboardingCase) ready() bool {
	return c.unjudged == nil && (c.parked || c.ended || c.Phase == offboarding.PhaseTransferring)
}

// awaitRevoked answers as soon as the leaver has no access, or the case waits: for
// its effective time, or for SSO sessions once all else is revoked. A refused
// start answers with what it breaks, and one that met a case whose leaver is active
// again is to be sent again.
func (c *offboardingCase) awaitRevoked(ctx workflow.Context) (offboarding.Status, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	err := workflow.Await(ctx, func() bool {
		waiting := c.parked && (c.Phase == offboarding.PhaseScheduled || c.SessionsEndAt != nil)
		return c.unjudged == nil && (c.ended || c.rollover || c.closed() || c.DeactivatedAt != nil || waiting)
	})
	if err != nil {
		return offboarding.Status{}, err
	}
	if c.refusal != nil {
		return offboarding.Status{}, activities.RefusalError(c.refusal)
	}
	if c.Phase == offboarding.PhaseReactivated { // nobody who leaves: an offboarding must not be lost with this answer
		return offboarding.Status{}, activities.RefusalError(offboarding.Refuse("E2", offboarding.CodeTryAgain, "member_id",
			"the member has come back, and the documents are still being settled; start again when the case has closed"))
	}
	return c.status(ctx), nil
}

// parse reads a message's payload and checks its form.
func parse(name string, payload json.RawMessage) (any, *offboarding.Refusal) {
	var m interface {
		Check() []offboarding.Violation
	}
	switch name {
	case offboarding.MessageClaim:
		m = &offboarding.ClaimRequest{}
	case offboarding.MessageDecision:
		m = &offboarding.AdminApproval{}
	case offboarding.MessageTransfer:
		m = &offboarding.TransferDocuments{}
	case offboarding.MessageExtend:
		m = &offboarding.ExtendGrace{}
	case offboarding.MessageReschedule:
		m = &offboarding.Reschedule{}
	case offboarding.MessageCancel:
		m = &offboarding.Cancel{}
	case offboarding.MessageReactivate:
		m = &offboarding.Reactivate{}
	}
	// Into a struct, without maps: the same bytes give the same message in every replay.
	//workflowcheck:ignore
	if err := json.Unmarshal(payload, m); err != nil {
		return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, "", "the payload is not the JSON object that "+name+" takes")
	}
	if violations := m.Check(); len(violations) > 0 {
		return nil, &offboarding.Refusal{Violations: violations}
	}
	return m, nil
}
