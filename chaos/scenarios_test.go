package chaos_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	cases "handover/client"
	"handover/offboarding"
	"handover/webhook"
)

// scenario is a story that is played with and without deaths; it ends when nothing moves.
type scenario struct {
	name   string
	play   func(*play)
	first  func(*play) // what came before; nobody dies yet
	signed bool        // its worker hears only what is signed
}

// scenarios come to every step there is, together.
var scenarios = []scenario{
	{name: "a grace with claims", play: graceWithClaims},
	{name: "a scheduled transfer", play: scheduledTransfer},
	{name: "an archive and a return", play: archiveAndReturn},
	{name: "a rehire", play: rehire},
	{name: "a list", play: list},
	{name: "a list that is canceled", play: canceledList},
	{name: "a removal", play: removal},
	{name: "a removal that is undone", play: undoneRemoval},
	{name: "a removal in trouble", play: troubledRemoval},
	{name: "a removal of many documents", play: manyRemoved},
	{name: "removals that do not happen", play: noRemoval},
	{name: "returns that are refused late", play: refusedReturns},
	{name: "many documents", play: manyDocuments},
	{name: "the last owner", play: lastOwner},
	{name: "a canceled start", play: canceledStart},
	{name: "a case in trouble", play: trouble},
	{name: "a case that is taken over", first: terminated, play: takenOver},
	{name: "a reactivation in trouble", play: troubledReactivation},
	{name: "an archived member", play: archivedMember},
	{name: "a deletion", play: deletion},
	{name: "a deletion of who has left", first: left, play: erased},
	{name: "webhooks", play: webhooks},
	{name: "a signed case", play: signedCase, signed: true},
	{name: "a signed list", play: list, signed: true},
	{name: "a signed list that is canceled", play: canceledList, signed: true},
	{name: "a signed deletion", play: deletion, signed: true},
}

// graceWithClaims goes through a whole case: requests, a decision, claims, an extension,
// reminders, the end of the grace, and a transfer of what is left.
func graceWithClaims(p *play) {
	l, asker := p.Leaver, p.Maker()
	asked, claimed, left := p.Document(l, ""), p.Document(l, p.Folder(l, "", "Plans")), p.Document(l, "")
	p.Schedule(left)
	p.Credential(l)
	p.Session(l)
	p.Grant(asked, asker, offboarding.GrantView)
	p.Grant(claimed, p.Manager, offboarding.GrantEdit)
	p.Grant(left, p.Manager, offboarding.GrantEdit)
	id := p.start(l, offboarding.PhaseGrace, nil)
	ctx := p.t.Context()
	request := p.claim(id, asked, asker)
	p.forward(id, 2*day+time.Hour)
	p.events(offboarding.EventEscalateRequest, 1)
	p.done(p.cases.Decide(ctx, id, offboarding.AdminApproval{
		RequestID: request.RequestID, AdminID: p.Admin, Decision: offboarding.DecisionApprove,
	}, p.once()))
	p.claim(id, claimed, p.Manager)
	p.done(p.cases.Extend(ctx, id, offboarding.ExtendGrace{AdminID: p.Admin, Until: p.now(id).Add(7 * day).Format(time.RFC3339)}, p.once()))
	p.forward(id, 4*day+time.Hour)
	p.events(offboarding.EventRemindGraceEnding, 1)
	p.counts(0, `SELECT count(*) FROM notices WHERE organization_id = $1 AND sent_at IS NULL`, p.ID)
	p.forward(id, 4*day)
	p.reaches(id, offboarding.PhaseReadOnly)
	p.counts(0, `SELECT count(*) FROM notices WHERE organization_id = $1 AND sent_at IS NULL`, p.ID)
	p.done(p.cases.Transfer(ctx, id, offboarding.TransferDocuments{AdminID: p.Admin, NewOwnerID: p.Manager}, p.once()))
	p.closes(id)
}

// scheduledTransfer waits for its time and for a session, and its new owner has left by then.
func scheduledTransfer(p *play) {
	p.Exec(`UPDATE organizations SET sso_sessions = 'wait' WHERE id = $1`, p.ID)
	gone := p.Maker()
	p.Document(p.Leaver, p.Folder(p.Leaver, "", "Plans"))
	p.Schedule(p.Document(p.Leaver, ""))
	p.Credential(p.Leaver)
	session := p.SSOSession(p.Leaver, 0)
	id := p.start(p.Leaver, offboarding.PhaseScheduled, func(r *offboarding.Request) {
		r.EffectiveAt, r.Disposition, r.NewOwnerID = time.Now().Add(2*day).Format(time.RFC3339), offboarding.DispositionTransfer, gone
	})
	p.done(p.cases.Reschedule(p.t.Context(), id, offboarding.Reschedule{
		AdminID: p.Admin, EffectiveAt: time.Now().Add(3 * day).Format(time.RFC3339),
	}, p.once()))
	p.forward(id, 3*day)
	p.reaches(id, offboarding.PhaseRevoking)
	p.closes(p.start(gone, offboarding.PhaseCompleted, nil))
	p.Exec(`UPDATE sessions SET status = 'ended' WHERE id = $1`, session)
	p.forward(id, time.Hour)
	p.closes(id)
}

// archiveAndReturn is about members who come back after their cases.
func archiveAndReturn(p *play) {
	other, held := p.Maker(), p.Document(p.Leaver, "")
	p.Schedule(p.Document(p.Leaver, ""))
	p.Schedule(p.Document(other, ""))
	p.label()
	hold, err := p.store.PlaceHold(p.t.Context(), offboarding.Hold{DocumentID: held, Reason: "court"}, p.Owner, time.Now())
	require.NoError(p.t, err)
	id := p.start(p.Leaver, offboarding.PhaseGrace, func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive })
	require.NoError(p.t, p.store.LiftHold(p.t.Context(), hold, p.Owner, "", time.Now()))
	p.done(p.cases.Transfer(p.t.Context(), id, offboarding.TransferDocuments{AdminID: p.Admin, NewOwnerID: p.Manager, DocumentIDs: []string{held}}, p.once()))
	p.closes(id)
	p.closes(p.start(other, offboarding.PhaseCompleted, func(r *offboarding.Request) {
		r.Disposition, r.NewOwnerID, r.ArchiveSchedules = offboarding.DispositionTransfer, p.Manager, true
	}))
	for _, member := range []string{p.Leaver, other} {
		_, err := p.cases.ReactivateMembers(p.t.Context(), "", offboarding.ReactivationRequest{MemberID: member, RequestedBy: p.Admin, ReturnDocuments: true})
		require.NoError(p.t, err)
	}
}

// rehire comes back while the case is open and what was left is read-only.
func rehire(p *play) {
	claimed := p.Document(p.Leaver, "")
	p.Grant(claimed, p.Manager, offboarding.GrantEdit)
	p.Schedule(p.Document(p.Leaver, ""))
	id := p.start(p.Leaver, offboarding.PhaseGrace, nil)
	p.claim(id, claimed, p.Manager)
	p.forward(id, 8*day)
	p.reaches(id, offboarding.PhaseReadOnly)
	p.done(p.cases.Reactivate(p.t.Context(), id, offboarding.Reactivate{AdminID: p.Admin, ReturnDocuments: true}, p.once()))
	p.closes(id)
}

// list is a list of members, and a list of those who come back.
func list(p *play) {
	moves, waits, nothing := p.Maker(), p.Maker(), p.Maker()
	p.Document(moves, "")
	p.Document(waits, "")
	for _, member := range []string{moves, waits, nothing} {
		p.Credential(member)
	}
	p.label()
	bulk := "list-" + p.ID
	_, err := p.cases.StartBulk(p.t.Context(), bulk, offboarding.BulkRequest{
		RequestedBy: p.Admin, AllOrNothing: true, Confirmed: true, Members: []offboarding.BulkMember{
			{MemberID: moves, BulkPlan: offboarding.BulkPlan{NewOwnerID: p.Manager}}, {MemberID: waits}, {MemberID: nothing},
		},
	})
	require.NoError(p.t, err)
	_, err = p.cases.BulkResult(p.t.Context(), bulk)
	require.NoError(p.t, err)
	p.closes(offboarding.WorkflowID(moves))
	p.reaches(offboarding.WorkflowID(waits), offboarding.PhaseGrace)
	_, err = p.cases.ReactivateMembers(p.t.Context(), bulk, offboarding.ReactivationRequest{MemberIDs: []string{moves, waits}, RequestedBy: p.Admin})
	require.NoError(p.t, err)
	p.closes(offboarding.WorkflowID(waits))
}

// canceledList cannot be worked on, and is canceled.
func canceledList(p *play) {
	p.Document(p.Leaver, "")
	p.label()
	p.breakTable("sessions")
	bulk := "canceled-" + p.ID
	_, err := p.cases.StartBulk(p.t.Context(), bulk, offboarding.BulkRequest{
		RequestedBy: p.Admin, Confirmed: true, Members: []offboarding.BulkMember{{MemberID: p.Leaver}},
	})
	require.NoError(p.t, err)
	waitFor(p.t, "the list is in trouble", func() error {
		status, err := p.cases.BulkStatus(p.t.Context(), bulk)
		if err == nil && status.Trouble == nil {
			err = errNotYet
		}
		return err
	})
	p.done(p.cases.CancelBulk(p.t.Context(), bulk, offboarding.Cancel{AdminID: p.Admin}, p.once()))
	p.repairTable("sessions")
	_, err = p.cases.BulkResult(p.t.Context(), bulk)
	require.NoError(p.t, err)
}

// removal leaves one workspace.
func removal(p *play) {
	workspace := p.Workspace()
	p.Join(workspace, p.Leaver, offboarding.WorkspaceMember)
	inside := p.DocumentIn(workspace, p.Leaver)
	p.Document(p.Leaver, "")
	p.Grant(inside, p.Manager, offboarding.GrantEdit)
	p.Session(p.Leaver)
	id := p.start(p.Leaver, offboarding.PhaseGrace, func(r *offboarding.Request) { r.WorkspaceID = workspace })
	p.forward(id, 8*day)
	p.reaches(id, offboarding.PhaseReadOnly)
	p.claim(id, inside, p.Manager)
	p.closes(id)
}

// removalOf has a member leave a workspace.
func (p *play) removalOf(member, workspace string, phase offboarding.Phase, change func(*offboarding.Request)) string {
	p.t.Helper()
	return p.start(member, phase, func(r *offboarding.Request) {
		r.WorkspaceID = workspace
		if change != nil {
			change(r)
		}
	})
}

// undoneRemoval archives what no hold is on. One of the others finds an owner, one is asked
// for, and then all is as it was.
func undoneRemoval(p *play) {
	l, asker, workspace := p.Leaver, p.Maker(), p.Workspace()
	p.Join(workspace, l, offboarding.WorkspaceMember)
	p.Schedule(p.DocumentIn(workspace, l))
	claimed, asked := p.DocumentIn(workspace, l), p.DocumentIn(workspace, l)
	p.Grant(claimed, p.Manager, offboarding.GrantEdit)
	p.Grant(asked, asker, offboarding.GrantView)
	ctx := p.t.Context()
	holds := make([]string, 2)
	for i, document := range []string{claimed, asked} {
		var err error
		holds[i], err = p.store.PlaceHold(ctx, offboarding.Hold{DocumentID: document, Reason: "court"}, p.Owner, time.Now())
		require.NoError(p.t, err)
	}
	id := p.removalOf(l, workspace, offboarding.PhaseGrace, func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive })
	for _, hold := range holds {
		require.NoError(p.t, p.store.LiftHold(ctx, hold, p.Owner, "", time.Now()))
	}
	request := p.claim(id, asked, asker)
	p.forward(id, 2*day+time.Hour)
	p.events(offboarding.EventEscalateRequest, 1)
	p.done(p.cases.Decide(ctx, id, offboarding.AdminApproval{
		RequestID: request.RequestID, AdminID: p.Admin, Decision: offboarding.DecisionReject,
	}, p.once()))
	p.claim(id, claimed, p.Manager)
	p.done(p.cases.Extend(ctx, id, offboarding.ExtendGrace{AdminID: p.Admin, Until: p.now(id).Add(7 * day).Format(time.RFC3339)}, p.once()))
	p.forward(id, 4*day+time.Hour)
	p.events(offboarding.EventRemindGraceEnding, 1)
	p.counts(0, `SELECT count(*) FROM notices WHERE organization_id = $1 AND sent_at IS NULL`, p.ID)
	p.done(p.cases.Reactivate(ctx, id, offboarding.Reactivate{AdminID: p.Admin, ReturnDocuments: true}, p.once()))
	p.closes(id)
}

// troubledRemoval waits for its time. Then the database fails, and the new owner is gone
// when it is back.
func troubledRemoval(p *play) {
	workspace, gone := p.Workspace(), p.Maker()
	p.Join(workspace, p.Leaver, offboarding.WorkspaceMember)
	p.DocumentIn(workspace, p.Leaver)
	id := p.removalOf(p.Leaver, workspace, offboarding.PhaseScheduled, func(r *offboarding.Request) {
		r.EffectiveAt, r.Disposition, r.NewOwnerID = time.Now().Add(2*day).Format(time.RFC3339), offboarding.DispositionTransfer, gone
	})
	p.done(p.cases.Reschedule(p.t.Context(), id, offboarding.Reschedule{
		AdminID: p.Admin, EffectiveAt: time.Now().Add(3 * day).Format(time.RFC3339),
	}, p.once()))
	p.breakTable("folders")
	p.forward(id, 3*day)
	p.until(id, "it says so", func(s offboarding.Status) bool { return s.Phase == offboarding.PhaseTransferring && s.Trouble != nil })
	p.counts(1, `SELECT count(*) FROM cases WHERE organization_id = $1 AND trouble_step <> ''`, p.ID)
	p.Exec(`UPDATE members SET account_type = 'viewer' WHERE id = $1`, gone)
	p.repairTable("folders")
	p.closes(id)
}

// manyRemoved are more than can be locked at once.
func manyRemoved(p *play) {
	workspace := p.Workspace()
	p.Join(workspace, p.Leaver, offboarding.WorkspaceMember)
	p.Documents(p.Leaver, 2*batchSize+10)
	p.Exec(`UPDATE documents SET workspace_id = $2 WHERE owner_id = $1`, p.Leaver, workspace)
	id := p.removalOf(p.Leaver, workspace, offboarding.PhaseGrace, nil)
	p.forward(id, 8*day)
	p.until(id, "all are locked", func(s offboarding.Status) bool { return s.Documents.ReadOnly == 2*batchSize+10 })
	p.done(p.cases.Transfer(p.t.Context(), id, offboarding.TransferDocuments{AdminID: p.Admin, NewOwnerID: p.Manager}, p.once()))
	p.closes(id)
}

// noRemoval is taken back before its time, and of somebody who has left the workspace by then.
func noRemoval(p *play) {
	workspace, other := p.Workspace(), p.Maker()
	at := func(r *offboarding.Request) { r.EffectiveAt = time.Now().Add(day).Format(time.RFC3339) }
	for _, member := range []string{p.Leaver, other} {
		p.Join(workspace, member, offboarding.WorkspaceMember)
	}
	id := p.removalOf(p.Leaver, workspace, offboarding.PhaseScheduled, at)
	p.done(p.cases.Cancel(p.t.Context(), id, offboarding.Cancel{AdminID: p.Admin}, p.once()))
	p.closes(id)
	id = p.removalOf(other, workspace, offboarding.PhaseScheduled, at)
	p.Exec(`DELETE FROM workspace_members WHERE member_id = $1`, other)
	p.forward(id, day+time.Minute)
	p.reaches(id, offboarding.PhaseFailed)
	require.Error(p.t, p.slot.client.GetWorkflow(p.t.Context(), id, "").Get(p.t.Context(), nil))
}

// refusedReturns are refused when the documents are editable already: they are archived again.
func refusedReturns(p *play) {
	ctx, workspace, other, admin := p.t.Context(), p.Workspace(), p.Maker(), p.Maker()
	p.Join(workspace, other, offboarding.WorkspaceMember)
	p.Document(p.Leaver, "")
	p.DocumentIn(workspace, other)
	holds := map[string]string{}
	for member, held := range map[string]string{p.Leaver: p.Document(p.Leaver, ""), other: p.DocumentIn(workspace, other)} {
		var err error
		holds[member], err = p.store.PlaceHold(ctx, offboarding.Hold{DocumentID: held, Reason: "court"}, p.Owner, time.Now())
		require.NoError(p.t, err)
	}
	archive := func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive }
	ids := map[string]string{
		p.Leaver: p.start(p.Leaver, offboarding.PhaseGrace, archive), other: p.removalOf(other, workspace, offboarding.PhaseGrace, archive),
	}
	p.Exec(`CREATE FUNCTION demote() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN UPDATE members SET role = ''contributor'' WHERE id = TG_ARGV[0]::uuid; RETURN NULL; END'`)
	defer p.Exec(`DROP FUNCTION demote CASCADE`)
	p.Exec(`CREATE TRIGGER demote AFTER UPDATE ON documents EXECUTE FUNCTION demote('` + admin + `')`)
	for _, member := range []string{p.Leaver, other} {
		p.Exec(`UPDATE members SET role = 'admin' WHERE id = $1`, admin)
		_, err := p.cases.Reactivate(ctx, ids[member], offboarding.Reactivate{AdminID: admin}, p.once())
		require.Equal(p.t, offboarding.CodeNotAuthorized, offboarding.CodeOf(err))
		p.until(ids[member], "it is archived again", func(s offboarding.Status) bool { return s.Documents.Archived == 1 })
		require.NoError(p.t, p.store.LiftHold(ctx, holds[member], p.Owner, "", time.Now()))
		p.done(p.cases.Transfer(ctx, ids[member], offboarding.TransferDocuments{AdminID: p.Admin, NewOwnerID: p.Manager}, p.once()))
		p.closes(ids[member])
	}
}

// manyDocuments are locked and transferred in several batches.
func manyDocuments(p *play) {
	p.Documents(p.Leaver, 2*batchSize+10)
	id := p.start(p.Leaver, offboarding.PhaseGrace, nil)
	p.forward(id, 8*day)
	p.until(id, "all are locked", func(s offboarding.Status) bool { return s.Documents.ReadOnly == 2*batchSize+10 })
	p.done(p.cases.Transfer(p.t.Context(), id, offboarding.TransferDocuments{AdminID: p.Admin, NewOwnerID: p.Manager}, p.once()))
	p.closes(id)
}

// lastOwner is scheduled to leave, and has become the last owner when the time comes.
func lastOwner(p *play) {
	other := p.Member(offboarding.RoleOwner, offboarding.AccountMaker)
	id := p.start(other, offboarding.PhaseScheduled, func(r *offboarding.Request) {
		r.RequestedBy, r.EffectiveAt = p.Owner, time.Now().Add(day).Format(time.RFC3339)
	})
	p.closes(p.start(p.Owner, offboarding.PhaseCompleted, func(r *offboarding.Request) { r.RequestedBy = other }))
	p.forward(id, day+time.Minute)
	p.reaches(id, offboarding.PhaseFailed)
	require.Error(p.t, p.slot.client.GetWorkflow(p.t.Context(), id, "").Get(p.t.Context(), nil))
}

// canceledStart is taken back before its time.
func canceledStart(p *play) {
	id := p.start(p.Leaver, offboarding.PhaseScheduled, func(r *offboarding.Request) { r.EffectiveAt = time.Now().Add(day).Format(time.RFC3339) })
	p.done(p.cases.Cancel(p.t.Context(), id, offboarding.Cancel{AdminID: p.Admin}, p.once()))
	p.closes(id)
}

// trouble is a database that fails for a while.
func trouble(p *play) {
	document := p.Document(p.Leaver, "")
	p.Grant(document, p.Manager, offboarding.GrantEdit)
	id := p.start(p.Leaver, offboarding.PhaseGrace, nil)
	p.breakTable("grants")
	require.NoError(p.t, cases.Signal(p.t.Context(), p.cases, id, offboarding.ClaimRequest{DocumentID: document, MemberID: p.Manager}))
	p.until(id, "it says so", func(s offboarding.Status) bool { return s.Trouble != nil })
	p.counts(1, `SELECT count(*) FROM cases WHERE organization_id = $1 AND trouble_step <> ''`, p.ID)
	p.repairTable("grants")
	p.closes(id)
}

// terminated is a case whose workflow somebody has ended.
func terminated(p *play) {
	claimed, next, last := p.Document(p.Leaver, ""), p.Document(p.Leaver, ""), p.Document(p.Leaver, "")
	p.Schedule(last)
	p.Credential(p.Leaver)
	for _, document := range []string{claimed, next} {
		p.Grant(document, p.Manager, offboarding.GrantEdit)
	}
	id := p.start(p.Leaver, offboarding.PhaseGrace, nil)
	p.claim(id, claimed, p.Manager)
	require.NoError(p.t, p.slot.client.TerminateWorkflow(p.t.Context(), id, "", "a mistake"))
}

// takenOver goes on with that case, to its end.
func takenOver(p *play) {
	id := p.start(p.Leaver, offboarding.PhaseGrace, nil)
	p.claim(id, p.Text(`SELECT id FROM documents WHERE owner_id = $1 ORDER BY id LIMIT 1`, p.Leaver), p.Manager)
	p.forward(id, 4*day+time.Hour)
	p.events(offboarding.EventRemindGraceEnding, 1)
	p.forward(id, 4*day)
	p.reaches(id, offboarding.PhaseReadOnly)
	p.done(p.cases.Transfer(p.t.Context(), id, offboarding.TransferDocuments{AdminID: p.Admin, NewOwnerID: p.Manager}, p.once()))
	p.closes(id)
}

// troubledReactivation is of somebody whose case has closed.
func troubledReactivation(p *play) {
	p.Document(p.Leaver, "")
	p.closes(p.start(p.Leaver, offboarding.PhaseCompleted, func(r *offboarding.Request) {
		r.Disposition, r.NewOwnerID = offboarding.DispositionTransfer, p.Manager
	}))
	p.breakTable("grants")
	done := make(chan error, 1)
	go func() {
		_, err := p.cases.ReactivateMembers(p.t.Context(), "", offboarding.ReactivationRequest{MemberID: p.Leaver, RequestedBy: p.Admin})
		done <- err
	}()
	p.counts(1, `SELECT count(*) FROM cases WHERE organization_id = $1 AND trouble_step <> ''`, p.ID)
	p.repairTable("grants")
	require.NoError(p.t, <-done)
}

// archivedMember is archived by Entra a month after the case, though not at once.
func archivedMember(p *play) {
	p.Provisioned("entra", p.Leaver)
	id := p.start(p.Leaver, offboarding.PhaseCompleted, func(r *offboarding.Request) { r.RequestedBy, r.Provider = "", "entra" })
	p.closes(id)
	archival := offboarding.ArchivalWorkflowID(p.Text(`SELECT id FROM cases WHERE organization_id = $1`, p.ID))
	p.breakTable("audit_events")
	p.forward(archival, 30*day+time.Minute)
	p.counts(1, `SELECT count(*) FROM cases WHERE organization_id = $1 AND trouble_step <> ''`, p.ID)
	p.repairTable("audit_events")
	p.closes(archival)
}

// left is who has left with nothing to settle.
func left(p *play) {
	p.Session(p.Leaver)
	p.closes(p.start(p.Leaver, offboarding.PhaseCompleted, nil))
}

// deletion is of somebody who is still active.
func deletion(p *play) {
	p.Document(p.Leaver, p.Folder(p.Leaver, "", "Plans"))
	p.Credential(p.Leaver)
	p.label()
	erased(p)
}

// erased is the leaver in the end.
func erased(p *play) {
	_, err := p.cases.Delete(p.t.Context(), offboarding.DeletionRequest{MemberID: p.Leaver, RequestedBy: p.Admin, NewOwnerID: p.Manager})
	require.NoError(p.t, err)
	p.closes(offboarding.WorkflowID(p.Leaver))
}

// receiver is an endpoint that takes everything, the same in every run.
var receiver = sync.OnceValue(func() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
})

// webhooks tells somebody of a case.
func webhooks(p *play) {
	receiver := receiver()
	keys, err := webhook.NewKeys(webhookKey)
	require.NoError(p.t, err)
	endpoint := uuid.Must(uuid.NewV7()).String()
	_, _, err = p.store.CreateWebhook(p.t.Context(), offboarding.WebhookChange{
		WebhookID: endpoint, OrganizationID: p.ID, AdminID: p.Admin, URL: &receiver.URL, Events: &[]string{},
		SecretRef: keys.Ref(uuid.NewString()), AllowPrivate: true, At: time.Now(),
	})
	require.NoError(p.t, err)
	p.closes(p.start(p.Leaver, offboarding.PhaseCompleted, nil))
	require.NoError(p.t, p.cases.WakeWebhook(p.t.Context(), endpoint))
	p.closes(offboarding.WebhookWorkflowID(endpoint))
	p.counts(0, `SELECT count(*) FROM webhook_deliveries WHERE webhook_id = $1 AND status <> 'delivered'`, endpoint)
}

// signedCase is told everything by signals, each of which is heard once: that it was sent
// is one transaction, what it asks for another.
func signedCase(p *play) {
	ctx, asker := p.t.Context(), p.Maker()
	claimed, asked, moved := p.Document(p.Leaver, ""), p.Document(p.Leaver, ""), p.Document(p.Leaver, "")
	p.Schedule(p.Document(p.Leaver, ""))
	p.Credential(p.Leaver)
	p.Grant(claimed, p.Manager, offboarding.GrantEdit)
	p.Grant(asked, asker, offboarding.GrantView)
	id := p.start(p.Leaver, offboarding.PhaseGrace, nil)
	require.NoError(p.t, cases.Signal(ctx, p.cases, id, offboarding.ClaimRequest{DocumentID: claimed, MemberID: p.Manager}))
	p.events(offboarding.EventClaimDocOwnership, 1)
	require.NoError(p.t, cases.Signal(ctx, p.cases, id, offboarding.ClaimRequest{DocumentID: asked, MemberID: asker}))
	p.events(offboarding.EventRequestDocOwnership, 1)
	require.NoError(p.t, cases.Signal(ctx, p.cases, id, offboarding.AdminApproval{
		RequestID: p.Text(`SELECT id FROM ownership_requests WHERE organization_id = $1`, p.ID), AdminID: p.Admin, Decision: offboarding.DecisionApprove,
	}))
	p.events(offboarding.EventApproveDocOwnership, 1)
	require.NoError(p.t, cases.Signal(ctx, p.cases, id, offboarding.TransferDocuments{AdminID: p.Admin, NewOwnerID: p.Manager, DocumentIDs: []string{moved}}))
	p.until(id, "it is moved", func(s offboarding.Status) bool { return s.Documents.Transferred == 1 })
	require.NoError(p.t, cases.Signal(ctx, p.cases, id, offboarding.ExtendGrace{AdminID: p.Admin, Until: p.now(id).Add(14 * day).Format(time.RFC3339)}))
	p.events(offboarding.EventExtendGrace, 1)
	require.NoError(p.t, cases.Signal(ctx, p.cases, id, offboarding.Reactivate{AdminID: p.Admin, ReturnDocuments: true}))
	p.closes(id)
}
