package workflows_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"

	"handover/activities"
	cases "handover/client"
	"handover/offboarding"
	"handover/workflows"
)

// guarded is a stand whose worker hears only what is signed by the gateway or by itself.
// What goes through its client is from somebody who reaches the namespace and has no key.
type guarded struct {
	*stand
	gateway *cases.Client
	key     *offboarding.SigningKey // the gateway's
	own     *offboarding.SigningKey // the worker's
	ring    offboarding.Keyring
	stop    func()
}

func newKey(t *testing.T, id string, ring offboarding.Keyring) *offboarding.SigningKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	if ring != nil {
		ring[id] = public
	}
	return &offboarding.SigningKey{ID: id, Key: private}
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{stand: newStage(t), ring: offboarding.Keyring{}}
	g.own, g.key = newKey(t, "worker", g.ring), newKey(t, "gateway", g.ring)
	g.gateway = g.signs(g.key)
	g.stop = g.work(g.own, g.ring)
	return g
}

func (g *guarded) signs(key *offboarding.SigningKey) *cases.Client {
	return cases.New(g.client).SignedBy(key, g.server.Namespace())
}

// signed is a signal to a case that is good until a time.
func (g *guarded) signed(c *live, name string, in any, until time.Time) converter.RawValue {
	g.t.Helper()
	payload, err := converter.GetDefaultDataConverter().ToPayload(in)
	require.NoError(g.t, err)
	described, err := g.client.DescribeWorkflowExecution(g.t.Context(), c.id, "")
	require.NoError(g.t, err)
	signature, err := g.key.Sign(offboarding.Sent{
		Namespace: g.server.Namespace(), WorkflowID: c.id, RunID: described.GetWorkflowExecutionInfo().GetFirstRunId(),
		Kind: offboarding.KindSignal, Name: name, ID: uuid.NewString(), Digest: offboarding.Digest(payload.GetData()),
	}, until)
	require.NoError(g.t, err)
	payload.Metadata[offboarding.SignatureField] = []byte(signature)
	return converter.NewRawValue(payload)
}

// offboard starts a case by the gateway, and waits until the member is gone.
func (g *guarded) offboard(member string, change func(*offboarding.Request)) *live {
	g.t.Helper()
	r := offboarding.Request{MemberID: member, RequestedBy: g.Admin}
	if change != nil {
		change(&r)
	}
	_, err := g.gateway.StartAndAwait(g.t.Context(), r)
	require.NoError(g.t, err)
	return g.live(offboarding.WorkflowID(member))
}

// tables is what every table holds that a start or a message can change.
func (g *guarded) tables() string {
	var all strings.Builder
	for _, table := range []string{
		"members", "documents", "grants", "cases", "case_steps", "ownership_requests", "audit_events", "credentials", "sessions", "bulk_runs", "bulk_members",
		"workspace_members", "schedules", "folders",
	} {
		all.WriteString(table + " " + g.Text(`SELECT coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM `+table+` t`) + "\n")
	}
	return all.String()
}

// sent are the payloads that a history has of starts, signals and updates.
func sent(histories []*historypb.History) (starts, signals, updates []*commonpb.Payload) {
	for _, h := range histories {
		for _, e := range h.Events {
			switch e.GetEventType() {
			case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
				starts = append(starts, e.GetWorkflowExecutionStartedEventAttributes().GetInput().GetPayloads()...)
			case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
				signals = append(signals, e.GetWorkflowExecutionSignaledEventAttributes().GetInput().GetPayloads()...)
			case enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
				updates = append(updates, e.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest().GetInput().GetArgs().GetPayloads()...)
			}
		}
	}
	return starts, signals, updates
}

// asked sends an update under an ID and answers with the code of its refusal.
func (c *live) asked(id, name string, payload any) offboarding.Code {
	c.t.Helper()
	handle, err := c.client.UpdateWorkflow(c.t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: c.id, UpdateID: id, UpdateName: name, Args: []any{payload}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(c.t.Context(), nil)
	}
	return codeOf(err)
}

func codeOf(err error) offboarding.Code {
	if refusal := activities.RefusalFrom(err); refusal != nil {
		return refusal.Code()
	}
	return ""
}

// refuses sends a signal, and waits until the case has refused one more for its signature.
func (c *live) refuses(name string, payload any) {
	c.t.Helper()
	handled := c.status().MessagesHandled
	c.signal(name, payload)
	status := c.reaches(func(s offboarding.Status) bool { return s.MessagesHandled == handled+1 })
	require.Equal(c.t, offboarding.CodeNotSigned, status.RefusedMessages[len(status.RefusedMessages)-1].Code, name)
}

// startsAs starts a workflow as it is and answers with the code of its refusal.
func (g *guarded) startsAs(id, workflowType string, in any) offboarding.Code {
	g.t.Helper()
	run, err := g.client.ExecuteWorkflow(g.t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: offboarding.TaskQueue}, workflowType, in)
	require.NoError(g.t, err)
	return codeOf(run.Get(g.t.Context(), nil))
}

func raw(p *commonpb.Payload, data []byte) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{Metadata: p.GetMetadata(), Data: data})
}

// Who reaches the namespace and has no key changes nothing, by no start and no message.
func TestWithoutASignatureNothingIsHeard(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	document, workspace := documents(g.Organization, g.Leaver, 1)[0], g.Workspace()
	g.Join(workspace, g.Manager, offboarding.WorkspaceMember)
	request := offboarding.Request{MemberID: g.Manager, RequestedBy: g.Admin}
	removal := request
	removal.WorkspaceID = workspace
	before := g.tables()
	for _, start := range []struct {
		id, workflowType string
		in               any
	}{
		{offboarding.WorkflowID(g.Manager), offboarding.WorkflowOffboarding, request},
		{offboarding.RemovalWorkflowID(workspace, g.Manager), offboarding.WorkflowWorkspaceRemoval, removal},
		{offboarding.BulkWorkflowID("b"), offboarding.WorkflowBulkOffboarding, offboarding.BulkRequest{
			RequestedBy: g.Admin, Members: []offboarding.BulkMember{{MemberID: g.Manager}},
		}},
		{offboarding.ReactivationWorkflowID(g.Leaver), offboarding.WorkflowReactivation, offboarding.ReactivationRequest{MemberID: g.Leaver, RequestedBy: g.Admin}},
		{offboarding.ReactivationWorkflowID("two"), offboarding.WorkflowReactivation, offboarding.ReactivationRequest{
			MemberIDs: []string{g.Leaver, g.Manager}, RequestedBy: g.Admin,
		}},
		{offboarding.DeletionWorkflowID(g.Manager), offboarding.WorkflowMemberDeletion, offboarding.DeletionRequest{MemberID: g.Manager, RequestedBy: g.Admin}},
	} {
		require.Equal(t, offboarding.CodeNotSigned, g.startsAs(start.id, start.workflowType, start.in), start.id)
	}
	require.Equal(t, before, g.tables())

	c := g.offboard(g.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	before = g.tables()
	messages := map[string]any{
		offboarding.MessageClaim:      offboarding.ClaimRequest{DocumentID: document, MemberID: g.Manager},
		offboarding.MessageDecision:   offboarding.AdminApproval{RequestID: document, AdminID: g.Admin, Decision: offboarding.DecisionApprove},
		offboarding.MessageTransfer:   offboarding.TransferDocuments{AdminID: g.Admin},
		offboarding.MessageExtend:     offboarding.ExtendGrace{AdminID: g.Admin, Until: time.Now().Add(20 * day).Format(time.RFC3339)},
		offboarding.MessageReschedule: offboarding.Reschedule{AdminID: g.Admin, EffectiveAt: time.Now().Add(20 * day).Format(time.RFC3339)},
		offboarding.MessageCancel:     offboarding.Cancel{AdminID: g.Admin},
		offboarding.MessageReactivate: offboarding.Reactivate{AdminID: g.Admin},
	}
	stranger := g.signs(newKey(t, "gateway", nil)) // another key under the ID of a known one
	unknown := g.signs(newKey(t, "stranger", nil))
	for _, name := range offboarding.Messages {
		require.Equal(t, offboarding.CodeNotSigned, c.asked(name, name, messages[name]), name)
		c.refuses(name, messages[name])
	}
	for _, forger := range []*cases.Client{stranger, unknown} {
		_, err := forger.Reactivate(t.Context(), c.id, messages[offboarding.MessageReactivate].(offboarding.Reactivate))
		require.Equal(t, offboarding.CodeNotSigned, offboarding.CodeOf(err))
	}
	require.Equal(t, before, g.tables())
	require.Equal(t, offboarding.PhaseGrace, c.status().Phase, "and the case goes on")
	_, err := g.gateway.Claim(t.Context(), c.id, offboarding.ClaimRequest{DocumentID: document, MemberID: g.Manager})
	require.NoError(t, err)
	c.ends(offboarding.PhaseCompleted)
}

// What was signed for one thing is good for nothing else.
func TestASignatureIsGoodForOneThing(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	mine, other := documents(g.Organization, g.Leaver, 2), documents(g.Organization, g.Manager, 1)
	asker := g.Maker()
	for _, d := range append(mine, other...) {
		g.Grant(d, asker, offboarding.GrantEdit)
	}
	c, elsewhere := g.offboard(g.Leaver, nil), g.offboard(g.Manager, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	elsewhere.reaches(phase(offboarding.PhaseGrace))
	require.NoError(t, cases.Signal(t.Context(), g.gateway, c.id, offboarding.ClaimRequest{DocumentID: mine[0], MemberID: asker}))
	c.reaches(func(s offboarding.Status) bool { return s.Documents.Claimed == 1 })
	_, err := g.gateway.Extend(t.Context(), c.id, offboarding.ExtendGrace{AdminID: g.Admin, Until: time.Now().Add(20 * day).Format(time.RFC3339)}, cases.WithUpdateID("extend"))
	require.NoError(t, err)
	starts, signals, updates := sent(c.histories())
	claim, extend := signals[0], updates[len(updates)-1]

	before := g.tables()
	tampered := []byte(strings.Replace(string(claim.GetData()), mine[0], mine[1], 1))
	require.NotEqual(t, claim.GetData(), tampered)
	c.refuses(offboarding.MessageClaim, raw(claim, tampered))
	c.refuses(offboarding.MessageClaim, raw(claim, append([]byte(" "), claim.GetData()...)))
	c.refuses(offboarding.MessageClaim, raw(extend, claim.GetData()))
	c.refuses(offboarding.MessageExtend, raw(extend, extend.GetData())) // an update, as a signal
	require.Equal(t, offboarding.CodeNotSigned, c.asked("again", offboarding.MessageExtend, raw(extend, extend.GetData())), "another ID")
	require.Equal(t, offboarding.CodeNotSigned, c.asked("claim", offboarding.MessageClaim, raw(claim, claim.GetData())), "a signal, as an update")
	elsewhere.refuses(offboarding.MessageClaim, raw(claim, claim.GetData()))
	require.Equal(t, offboarding.CodeNotSigned, elsewhere.asked("extend", offboarding.MessageExtend, raw(extend, extend.GetData())), "another case")
	require.Equal(t, offboarding.CodeNotSigned, g.startsAs("mine", offboarding.WorkflowOffboarding, raw(starts[0], starts[0].GetData())), "another workflow ID")
	require.Equal(t, before, g.tables())
}

// An old message changes nothing: not while its case is open, not after it, and not when
// the same member leaves again under the same workflow ID.
func TestWhatWasSentBeforeIsHeardOnce(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	documents(g.Organization, g.Leaver, 1)
	c := g.offboard(g.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	until := func(d time.Duration) offboarding.ExtendGrace {
		return offboarding.ExtendGrace{AdminID: g.Admin, Until: time.Now().Add(d).Format(time.RFC3339)}
	}
	require.NoError(t, cases.Signal(t.Context(), g.gateway, c.id, until(20*day)))
	extended := c.reaches(func(s offboarding.Status) bool { return s.MessagesHandled == 1 && len(s.RefusedMessages) == 0 })
	_, err := g.gateway.Transfer(t.Context(), c.id, offboarding.TransferDocuments{AdminID: g.Owner, NewOwnerID: g.Leaver}, cases.WithUpdateID("wrong"))
	require.Equal(t, offboarding.CodeNewOwnerNotEligible, offboarding.CodeOf(err))
	starts, signals, _ := sent(c.histories())
	before := g.tables()
	c.refuses(offboarding.MessageExtend, raw(signals[0], signals[0].GetData()))
	require.Equal(t, extended.GraceEndsAt, c.status().GraceEndsAt)
	require.Equal(t, before, g.tables())

	_, err = g.gateway.Reactivate(t.Context(), c.id, offboarding.Reactivate{AdminID: g.Admin}, cases.WithUpdateID("back"))
	require.NoError(t, err)
	c.ends(offboarding.PhaseReactivated)
	_, _, updates := sent(c.histories())
	before = g.tables()
	require.Equal(t, offboarding.CodeNotSigned, g.startsAs(c.id, offboarding.WorkflowOffboarding, raw(starts[0], starts[0].GetData())))
	require.Equal(t, before, g.tables())
	require.Equal(t, "active", g.Text(`SELECT status FROM members WHERE id = $1`, g.Leaver))

	later := g.offboard(g.Leaver, nil)
	later.reaches(phase(offboarding.PhaseGrace))
	before = g.tables()
	later.refuses(offboarding.MessageExtend, raw(signals[0], signals[0].GetData()))
	back := updates[len(updates)-1]
	require.Contains(t, string(back.GetData()), g.Admin)
	require.Equal(t, offboarding.CodeNotSigned, later.asked("back", offboarding.MessageReactivate, raw(back, back.GetData())))
	require.Equal(t, before, g.tables())
	require.Equal(t, offboarding.PhaseGrace, later.status().Phase)
}

// A signature ends; keys change while cases are open; and what was decided by a key that
// nobody has any more is not judged again by who replays it.
func TestSignaturesEndAndKeysChange(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	offered := documents(g.Organization, g.Leaver, 2)
	c := g.offboard(g.Leaver, nil)
	c.reaches(phase(offboarding.PhaseGrace))
	claim := func(by *cases.Client, document string) offboarding.Code {
		_, err := by.Claim(t.Context(), c.id, offboarding.ClaimRequest{DocumentID: document, MemberID: g.Manager})
		return offboarding.CodeOf(err)
	}
	now := c.status().WorkflowTime
	before := g.tables()
	c.refuses(offboarding.MessageTransfer, g.signed(c, offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: g.Admin}, now.Add(-time.Second)))
	c.refuses(offboarding.MessageTransfer, g.signed(c, offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: g.Admin}, time.Unix(0, 0)))
	require.Equal(t, before, g.tables())

	c.forward(2 * day)
	newer := g.signs(newKey(t, "gateway-2", g.ring))
	require.Equal(t, offboarding.Code(""), claim(g.gateway, offered[0]), "the clock of the case was moved, and the gateway knows")
	g.stop()
	without := offboarding.Keyring{"worker": g.ring["worker"], "gateway-2": g.ring["gateway-2"]}
	g.stop = g.work(g.own, without)
	require.Equal(t, offboarding.CodeNotSigned, claim(g.gateway, offered[1]), "the old key is gone")
	require.Equal(t, offboarding.Code(""), claim(newer, offered[1]))
	c.ends(offboarding.PhaseCompleted)

	for _, history := range c.histories() {
		replayer := worker.NewWorkflowReplayer()
		workflows.RegisterWorkflows(replayer)
		require.NoError(t, replayer.ReplayWorkflowHistory(nil, history), "without any key")
	}
}

// What workers send themselves is signed: lists, deletions, reactivations, and what the
// doctor mends by.
func TestWorkersSignWhatTheySend(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	listed, deleted, back := g.Maker(), g.Maker(), g.Maker()
	for _, leaver := range []string{listed, deleted, back, g.Leaver} {
		documents(g.Organization, leaver, 1)
	}
	id := uuid.NewString()
	_, err := g.gateway.StartBulk(t.Context(), id, offboarding.BulkRequest{
		RequestedBy: g.Admin, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: listed}},
	})
	require.NoError(t, err)
	g.live(offboarding.BulkWorkflowID(id)).closes(offboarding.BulkSuccess)
	g.live(offboarding.WorkflowID(listed)).reaches(phase(offboarding.PhaseGrace))

	_, err = g.gateway.Delete(t.Context(), offboarding.DeletionRequest{MemberID: deleted, RequestedBy: g.Admin})
	require.NoError(t, err)
	require.Equal(t, "deleted", g.Text(`SELECT status FROM members WHERE id = $1`, deleted))

	g.offboard(back, nil).reaches(phase(offboarding.PhaseGrace))
	_, err = g.gateway.ReactivateMembers(t.Context(), "", offboarding.ReactivationRequest{MemberID: back, RequestedBy: g.Admin})
	require.NoError(t, err)
	require.Equal(t, "active", g.Text(`SELECT status FROM members WHERE id = $1`, back))

	c := g.offboard(g.Leaver, nil)
	before := c.reaches(phase(offboarding.PhaseGrace))
	require.NoError(t, cases.Signal(t.Context(), g.gateway, c.id, offboarding.ExtendGrace{AdminID: g.Admin, Until: time.Now().Add(20 * day).Format(time.RFC3339)}))
	c.reaches(func(s offboarding.Status) bool { return s.GraceEndsAt.After(*before.GraceEndsAt) })
	require.NoError(t, g.gateway.StartOver(t.Context(), g.server.Namespace(), cases.Execution{WorkflowID: c.id}, "a test"))
	after := c.reaches(func(s offboarding.Status) bool { return s.Phase == offboarding.PhaseGrace && s.MessagesHandled == 1 })
	require.Empty(t, after.RefusedMessages, "what was heard is heard again")
	require.Equal(t, before.CaseID, after.CaseID)
	require.NoError(t, g.client.TerminateWorkflow(t.Context(), c.id, "", "a mistake"))
	require.NoError(t, g.gateway.TakeOver(t.Context(), offboarding.Case{ID: before.CaseID, WorkflowID: c.id, MemberID: g.Leaver, RequestedBy: g.Admin}, false))
	c.reaches(func(s offboarding.Status) bool { return s.Phase == offboarding.PhaseGrace && s.CaseID == before.CaseID })
	_, err = g.gateway.Reactivate(t.Context(), c.id, offboarding.Reactivate{AdminID: g.Admin})
	require.NoError(t, err)
	c.ends(offboarding.PhaseReactivated)
}

// A list, a deletion and a reactivation that began when no signature was asked for go on
// too when they are set back to their beginning, and so does a case that the list opened.
func TestWhatWasBegunWithoutASignatureGoesOn(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.stop()
	stop := g.work(nil, nil)
	unsigned := cases.New(g.client)
	listed, deleted, back := g.Maker(), g.Maker(), g.Maker()
	documents(g.Organization, listed, 1)
	id := uuid.NewString()
	_, err := unsigned.StartBulk(t.Context(), id, offboarding.BulkRequest{RequestedBy: g.Admin, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: listed}}})
	require.NoError(t, err)
	g.live(offboarding.BulkWorkflowID(id)).closes(offboarding.BulkSuccess)
	c := g.live(offboarding.WorkflowID(listed))
	before := c.reaches(phase(offboarding.PhaseGrace))
	_, err = unsigned.Delete(t.Context(), offboarding.DeletionRequest{MemberID: deleted, RequestedBy: g.Admin})
	require.NoError(t, err)
	g.start(back, nil).ends(offboarding.PhaseCompleted)
	_, err = unsigned.ReactivateMembers(t.Context(), "", offboarding.ReactivationRequest{MemberID: back, RequestedBy: g.Admin})
	require.NoError(t, err)
	stop()
	g.work(g.own, g.ring)
	for _, workflow := range []string{offboarding.BulkWorkflowID(id), offboarding.DeletionWorkflowID(deleted), offboarding.ReactivationWorkflowID(back)} {
		require.NoError(t, g.gateway.StartOver(t.Context(), g.server.Namespace(), cases.Execution{WorkflowID: workflow}, "a test"))
		require.NoError(t, g.client.GetWorkflow(t.Context(), workflow, "").Get(t.Context(), nil), workflow)
	}
	require.NoError(t, g.gateway.StartOver(t.Context(), g.server.Namespace(), cases.Execution{WorkflowID: c.id}, "a test"))
	after := c.reaches(phase(offboarding.PhaseGrace))
	require.Equal(t, before.CaseID, after.CaseID)
	require.Equal(t, before.GraceEndsAt, after.GraceEndsAt)
}

// A case that began when no signature was asked for goes on, and may be set back to its
// beginning; its messages have to be signed from then on.
func TestSignaturesAreAskedForWhileCasesAreOpen(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.stop()
	stop := g.work(nil, nil)
	documents(g.Organization, g.Leaver, 1)
	c := g.start(g.Leaver, nil)
	before := c.reaches(phase(offboarding.PhaseGrace))
	stop()
	g.work(g.own, g.ring)
	c.reaches(phase(offboarding.PhaseGrace)) // the first one is asked no more
	c.refuses(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: g.Admin})
	require.NoError(t, g.gateway.StartOver(t.Context(), g.server.Namespace(), cases.Execution{WorkflowID: c.id}, "a test"))
	after := c.reaches(func(s offboarding.Status) bool { return s.Phase == offboarding.PhaseGrace && s.MessagesHandled == 1 })
	require.Equal(t, before.CaseID, after.CaseID)
	require.Equal(t, offboarding.CodeNotSigned, after.RefusedMessages[0].Code)
	_, err := g.gateway.Reactivate(t.Context(), c.id, offboarding.Reactivate{AdminID: g.Admin})
	require.NoError(t, err)
	c.ends(offboarding.PhaseReactivated)
}
