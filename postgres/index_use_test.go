package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/crowd"
	"handover/offboarding"
	"handover/postgres"
)

// usage uses the store in every way that needs an index, for members of a small
// organization beside a crowd.
type usage struct {
	*leaving
	*reading
	crowd *crowd.Crowd
	round int
	ctx   context.Context   //nolint:containedctx // of a round
	one   map[string]string // an ID of a table's, where a crowd's are not known
}

// everything is what a round does.
func (u *usage) everything() {
	u.lists()
	u.leaves()
	u.removed()
	u.many()
	u.provisioned()
	u.callers()
	u.hooks()
}

// got notes a method of which only the error counts.
func got[T any](u *usage, method string, do func() (T, error)) (out T) {
	u.reading.t.Helper()
	u.notes(method, func() (err error) {
		out, err = do()
		return err
	})
	return out
}

// lists are of all there is, and of what somebody may see.
func (u *usage) lists() {
	ctx, s, now := u.ctx, u.store, time.Now()
	u.shown()
	got(u, "Figures", func() (any, error) { return s.Figures(ctx, now) })
	for done := (postgres.Sealing{}); done.Sealed == 0; { // the second seals what the first has seen, or one after it where others write
		done = got(u, "SealAudit", func() (postgres.Sealing, error) { return s.SealAudit(ctx, 10) })
	}
	other := u.Text(`SELECT id FROM organizations WHERE slug = 'o7'`)
	u.notes("AuditTrail", func() error {
		trail, err := s.BeginAuditTrail(ctx, offboarding.AuditFilter{OrganizationID: other}, true)
		if err != nil {
			return err
		}
		defer trail.Close()
		return trail.WriteLines(ctx, io.Discard)
	})
	u.notes("VerifyAudit", func() error { return s.VerifyAudit(ctx, u.ID, &offboarding.AuditVerifier{}, nil) })
	got(u, "Organization", func() (any, error) { return s.Organization(ctx, "o77") })
	got(u, "UseSignature", func() (string, error) {
		return s.UseSignature(ctx, fmt.Sprint("round ", u.round), offboarding.Sent{Kind: offboarding.KindSignal, HandledAs: "signal/1", Expires: now})
	})
	got(u, "SignInMembers", func() (any, error) { return s.SignInMembers(ctx, "person7@acme.example") })
}

// shown is what somebody may see.
func (u *usage) shown() {
	ctx, s, c := u.ctx, u.store, u.crowd
	now, reach := time.Now(), []string{c.Organization}
	largest, document := c.ID("MEMBER", crowd.Largest), c.ID("DOCUMENT", 500)
	for _, f := range []offboarding.CaseFilter{
		{}, {OpenOnly: true}, {Troubled: true}, {Waiting: true}, {Phase: offboarding.PhaseCompleted}, {MemberID: largest},
	} {
		f.Reach, f.Now = reach, now
		got(u, "Cases", func() (any, error) { return s.Cases(ctx, f) })
	}
	got(u, "FindCase", func() (any, error) { return s.FindCase(ctx, c.ID("CASE", 20), now) })
	got(u, "Overview", func() (any, error) { return s.Overview(ctx, reach, now) })
	got(u, "LatestChanges", func() (any, error) { return s.LatestChanges(ctx, reach) })
	for _, f := range []offboarding.RequestFilter{
		{},
		{AnyStatus: true},
		{Decided: true, NewestFirst: true},
		{Status: offboarding.RequestRejected},
		{AnyStatus: true, MemberID: c.ID("MEMBER", 1)},
		{AnyStatus: true, CaseID: c.ID("CASE", 20)},
		{AnyStatus: true, DocumentID: document},
		{CaseID: c.ID("CASE", crowd.Largest)},
	} {
		f.Reach = reach
		got(u, "Requests", func() (any, error) { return s.Requests(ctx, f) })
	}
	for _, f := range []offboarding.MemberFilter{{}, {Status: offboarding.MemberArchived}, {AnyStatus: true}, {Search: "person 77"}} {
		f.Reach = reach
		got(u, "Members", func() (any, error) { return s.Members(ctx, f) })
	}
	for _, f := range []offboarding.DocumentFilter{
		{ViewerID: c.Admin},
		{ViewerID: c.Admin, OwnerID: largest},
		{ViewerID: c.Manager, ViewerOnly: true},
		{ViewerID: c.Manager, Claimable: true},
		{ViewerID: c.Admin, Case: &offboarding.Case{ID: c.ID("CASE", crowd.Largest), MemberID: largest}, State: offboarding.DocumentReadOnly},
		{ViewerID: c.Admin, Case: &offboarding.Case{ID: c.ID("CASE", crowd.Largest), MemberID: largest}, State: offboarding.DocumentMoved},
	} {
		f.Reach = reach
		got(u, "Documents", func() (any, error) { return s.Documents(ctx, f) })
	}
	for _, f := range []offboarding.AuditFilter{
		{},
		{Events: []string{offboarding.EventDeactivateMember}},
		{MemberID: largest},
		{DocumentID: document},
		{CaseID: c.ID("CASE", 20)},
		{From: now.AddDate(-10, 0, 0), To: now.AddDate(-9, 0, 0)},
	} {
		f.Reach = reach
		got(u, "AuditEvents", func() (any, error) { return s.AuditEvents(ctx, f) })
	}
	got(u, "Holds", func() (any, error) { return s.Holds(ctx, offboarding.HoldFilter{Reach: reach}) })
	got(u, "Workspaces", func() (any, error) { return s.Workspaces(ctx, offboarding.WorkspaceFilter{Reach: reach}) })
	got(u, "WorkspaceMembers", func() (any, error) { return s.WorkspaceMembers(ctx, c.ID("WORKSPACE", 3), "", 0) })
	got(u, "FindWorkspace", func() (any, error) { return s.FindWorkspace(ctx, "external:w3", reach...) })
	got(u, "BulkRuns", func() (any, error) { return s.BulkRuns(ctx, offboarding.BulkFilter{Reach: reach}) })
	got(u, "BulkMembers", func() (any, error) { return s.BulkMembers(ctx, "run-1-1", offboarding.BulkFilter{}) })
	got(u, "Credentials", func() (any, error) { return s.Credentials(ctx, offboarding.CredentialFilter{MemberID: largest}) })
	got(u, "Webhooks", func() (any, error) { return s.Webhooks(ctx, c.Organization) })
	got(u, "FindMember", func() (any, error) { return s.FindMember(ctx, "email:person7@acme.example", reach...) })
	got(u, "FindMember", func() (any, error) { return s.FindMember(ctx, "external:emp-7", reach...) })
	got(u, "FindDocument", func() (any, error) { return s.FindDocument(ctx, "external:d7", reach...) })
}

// leaves is a case with all that can happen in it, and the deletion of the leaver.
func (u *usage) leaves() {
	ctx, s := u.leaving.t.Context(), u.store
	l := u.leaver()
	colleague, document, wanted := l.Maker(), l.Document(l.member, l.Folder(l.member, "", "Drafts")), l.Document(l.member, "")
	l.Document(l.member, l.Folder(l.member, l.Folder(l.member, "", "Top"), "Below"))
	l.Grant(document, colleague, offboarding.GrantEdit)
	l.Grant(wanted, colleague, offboarding.GrantView)
	l.Schedule(wanted)
	l.Credential(l.member)
	l.Session(l.member)
	got(u, "PlaceHold", func() (any, error) {
		return s.PlaceHold(ctx, offboarding.Hold{MemberID: u.Manager, Reason: "matter"}, u.Admin, l.at)
	})
	hold := got(u, "PlaceHold", func() (string, error) {
		return s.PlaceHold(ctx, offboarding.Hold{DocumentID: document, Reason: "matter"}, u.Admin, l.at)
	})
	u.notes("LiftHold", func() error { return s.LiftHold(ctx, hold, u.Admin, "", l.at) })
	got(u, "Preview", func() (any, error) { return s.Preview(ctx, l.request(), l.at) })
	got(u, "Successors", func() (any, error) { return s.Successors(ctx, l.member, "", "", 0) })
	got(u, "Admit", func() (any, error) { return s.Admit(ctx, l.admitInput(l.request())) })
	got(u, "Revoke", func() (any, error) { return s.Revoke(ctx, offboarding.RevokeInput{Step: l.step("revoke")}) })
	got(u, "Deactivate", func() (any, error) { return s.Deactivate(ctx, l.step("deactivate")) })
	ends := l.at.Add(grace)
	got(u, "Settle", func() (any, error) {
		return s.Settle(ctx, offboarding.SettleInput{Step: l.step("settle"), GraceEndsAt: &ends})
	})
	got(u, "Claim", func() (any, error) { return s.Claim(ctx, l.claimInput(document, colleague)) })
	request := got(u, "Claim", func() (offboarding.Outcome, error) { return s.Claim(ctx, l.claimInput(wanted, colleague)) }).RequestID
	got(u, "Remind", func() (any, error) { return s.Remind(ctx, l.remindInput("remind")) })
	got(u, "Escalate", func() (any, error) {
		l.at = l.at.Add(3 * 24 * time.Hour)
		return s.Escalate(ctx, l.step("escalate"))
	})
	notices := got(u, "UnsentNotices", func() ([]offboarding.Notice, error) { return s.UnsentNotices(ctx, l.id, "", 10) })
	require.NotEmpty(u.reading.t, notices)
	u.notes("MarkSent", func() error { return s.MarkSent(ctx, []string{notices[0].Key}, l.at) })
	got(u, "FindCaseOfDocument", func() (any, error) { return s.FindCaseOfDocument(ctx, wanted, l.at) })
	got(u, "FindRequest", func() (any, error) { return s.FindRequest(ctx, request) })
	got(u, "Decide", func() (any, error) { return s.Decide(ctx, l.decideInput(request, offboarding.DecisionReject, "")) })
	l.at = ends
	l.advance(offboarding.PhaseReadOnly)
	u.sweep("LockBatch", l, s.LockBatch, offboarding.SweepInput{})
	u.sweep("RestoreBatch", l, s.RestoreBatch, offboarding.SweepInput{ActorID: l.Admin})
	u.sweep("TransferBatch", l, s.TransferBatch, offboarding.SweepInput{NewOwnerID: l.Manager, ArchiveSchedules: true})
	in := offboarding.ReactivateInput{Step: l.step("reactivate"), Message: offboarding.Reactivate{AdminID: l.Admin, ReturnDocuments: true}}
	got(u, "ReactivateMember", func() (any, error) { return s.ReactivateMember(ctx, in) })
	u.sweep("ReturnBatch", l, s.ReturnBatch, offboarding.SweepInput{ActorID: l.Admin})
	u.sweep("GrantBatch", l, s.GrantBatch, offboarding.SweepInput{ActorID: l.Admin})
	u.notes("CloseReactivated", func() error { return s.CloseReactivated(ctx, l.step("close")) })

	again := l.of(l.member)
	r := again.request()
	r.Disposition = offboarding.DispositionArchive
	again.deactivated(r).advance(offboarding.PhaseTransferring)
	u.sweep("ArchiveBatch", again, s.ArchiveBatch, offboarding.SweepInput{})
	got(u, "PreviewReactivation", func() (any, error) {
		return s.PreviewReactivation(ctx, offboarding.ReactivationRequest{MemberID: l.member, RequestedBy: l.Admin})
	})
	deletion := again.deletionInput(nil)
	got(u, "PreviewDeletion", func() (any, error) { return s.PreviewDeletion(ctx, deletion.Request, l.at) })
	got(u, "BeginDeletion", func() (any, error) { return s.BeginDeletion(ctx, deletion) })
	deletion.CaseID = newID()
	u.Exec(`UPDATE organizations SET attribution = 'anonymous' WHERE id = $1`, u.ID)
	got(u, "EraseMember", func() (any, error) { return s.EraseMember(ctx, deletion) })
}

// leaver is a case of a new member.
func (u *usage) leaver() *leaving { return u.of(u.Maker()) }

func (u *usage) sweep(method string, l *leaving, do batch, in offboarding.SweepInput) {
	in.Step = l.step(method)
	got(u, method, func() (any, error) { return do(u.leaving.t.Context(), in, "") })
}

func (u *usage) removed() {
	ctx, s, l := u.leaving.t.Context(), u.store, u.leaver()
	workspace := l.Workspace()
	l.Join(workspace, l.member, offboarding.WorkspaceMember)
	l.DocumentIn(workspace, l.member)
	r := l.request()
	r.WorkspaceID = workspace
	got(u, "Admit", func() (any, error) { return s.Admit(ctx, l.admitInput(r)) })
	got(u, "Revoke", func() (any, error) { return s.Revoke(ctx, offboarding.RevokeInput{Step: l.step("revoke")}) })
	got(u, "Deactivate", func() (any, error) { return s.Deactivate(ctx, l.step("deactivate")) })
	got(u, "Settle", func() (any, error) {
		return s.Settle(ctx, offboarding.SettleInput{Step: l.step("settle"), GraceEndsAt: &l.at})
	})
	got(u, "IsWorkspaceAdmin", func() (any, error) { return s.IsWorkspaceAdmin(ctx, workspace, l.member) })
}

// many is a list.
func (u *usage) many() {
	ctx, s, id := u.leaving.t.Context(), u.store, fmt.Sprintf("usage-%d", u.round)
	r := offboarding.BulkRequest{RequestedBy: u.Owner}
	for range 3 {
		member := u.Maker()
		u.Document(member, "")
		r.Members = append(r.Members, offboarding.BulkMember{MemberID: "external:" + u.Text(`SELECT external_id FROM members WHERE id = $1`, member)})
	}
	step := offboarding.BulkStep{BulkID: id, At: u.at}
	got(u, "PreviewBulk", func() (any, error) { return s.PreviewBulk(ctx, r, u.at) })
	got(u, "AdmitBulk", func() (any, error) {
		return s.AdmitBulk(ctx, offboarding.BulkAdmitInput{BulkID: id, WorkflowID: offboarding.BulkWorkflowID(id), At: u.at, Request: r})
	})
	got(u, "OffboardBatch", func() (any, error) { return s.OffboardBatch(ctx, step, 0) })
	starts := got(u, "StartableCases", func() ([]offboarding.BulkStart, error) {
		return s.StartableCases(ctx, offboarding.BulkStartInput{BulkStep: step, Rate: 10}, 10)
	})
	require.NotEmpty(u.reading.t, starts)
	got(u, "CasesStarted", func() (any, error) { return s.CasesStarted(ctx, step, []int{starts[0].Position}) })
	got(u, "Admit", func() (any, error) { // which takes the case over
		return s.Admit(ctx, offboarding.AdmitInput{
			CaseID: newID(), WorkflowID: offboarding.WorkflowID(starts[0].MemberID), At: u.at,
			Request: offboarding.Request{CaseID: starts[0].CaseID, MemberID: starts[0].MemberID, RequestedBy: starts[0].RequestedBy},
		})
	})
	got(u, "FindBulkRun", func() (any, error) { return s.FindBulkRun(ctx, id) })
}

// provisioned is what an identity provider does.
func (u *usage) provisioned() {
	ctx, s := u.leaving.t.Context(), u.store
	p := offboarding.Provisioner{OrganizationID: u.ID, Provider: "okta", Name: "Example", AdminID: u.Admin}
	u.Provisioned("okta")
	var secret string
	u.notes("CreateScimToken", func() (err error) {
		secret, _, err = s.CreateScimToken(ctx, u.ID, u.Owner, u.at)
		return err
	})
	got(u, "Provisioner", func() (any, error) { return s.Provisioner(ctx, secret, u.at) })
	got(u, "ScimTokens", func() (any, error) { return s.ScimTokens(ctx, offboarding.ScimTokenFilter{OrganizationID: u.ID}) })
	a := account(fmt.Sprintf("ada%d", u.round))
	var id string
	u.notes("CreateAccount", func() error {
		made, _, err := s.CreateAccount(ctx, p, a, u.at)
		id = made.Member.ID
		return err
	})
	got(u, "Account", func() (any, error) { return s.Account(ctx, u.ID, id) })
	u.notes("Accounts", func() error {
		_, _, err := s.Accounts(ctx, offboarding.ProvisionFilter{OrganizationID: u.ID, Limit: 10})
		return err
	})
	g := offboarding.Group{Name: fmt.Sprintf("Team %d", u.round), ProviderID: newID(), MemberIDs: []string{id}}
	u.notes("CreateGroup", func() error {
		made, _, err := s.CreateGroup(ctx, p, g, u.at)
		g.ID = made.ID
		return err
	})
	got(u, "Group", func() (any, error) { return s.Group(ctx, u.ID, g.ID, true) })
	u.notes("DeleteGroup", func() error { return s.DeleteGroup(ctx, p, g.ID, u.at) })
	u.Exec(`UPDATE organizations SET identity_provider = 'none', provisioning_admin_id = NULL WHERE id = $1`, u.ID)
}

// callers are those of the API and the console.
func (u *usage) callers() {
	ctx, s, member := u.leaving.t.Context(), u.store, u.Maker()
	hash := func(of string) []byte { sum := sha256.Sum256(fmt.Append(nil, of, u.round)); return sum[:] }
	credential := newID()
	u.notes("CreateCredential", func() error {
		return s.CreateCredential(ctx, offboarding.CredentialRequest{
			ID: credential, MemberID: member, Kind: offboarding.CredentialAPI, Name: "key", By: member, SecretHash: hash("secret"),
		}, u.at)
	})
	got(u, "CredentialIdentity", func() (any, error) { return s.CredentialIdentity(ctx, credential) })
	u.notes("CreateToken", func() error { return s.CreateToken(ctx, credential, hash("token"), u.at, u.at.Add(time.Hour)) })
	got(u, "TokenIdentity", func() (any, error) { return s.TokenIdentity(ctx, hash("token")) })
	u.notes("RevokeCredential", func() error { return s.RevokeCredential(ctx, credential, member, "", u.at) })
	session := newID()
	u.notes("SignIn", func() error {
		return s.SignIn(ctx, offboarding.SignIn{SessionID: session, MemberID: member, TokenHash: hash("session"), At: u.at})
	})
	got(u, "SessionIdentity", func() (any, error) { return s.SessionIdentity(ctx, hash("session")) })
	u.notes("SignOut", func() error { return s.SignOut(ctx, session, u.at) })
	key := newID()
	got(u, "ClaimKey", func() (any, error) {
		return s.ClaimKey(ctx, postgres.KeyedRequest{ID: key, Fingerprint: hash("key"), RequestID: newID(), Lease: time.Minute}, u.at)
	})
	u.notes("LeaseKey", func() error { return s.LeaseKey(ctx, key, 1, u.at.Add(time.Hour)) })
}

// hooks are webhooks and what is sent to them.
func (u *usage) hooks() {
	ctx, s := u.leaving.t.Context(), u.store
	hook := u.crowd.ID("WEBHOOK", 1)
	mine := u.hook()
	u.leaver().deactivated(u.leaver().request())
	for _, status := range []offboarding.DeliveryStatus{"", offboarding.DeliveryFailed} {
		got(u, "Deliveries", func() (any, error) {
			return s.Deliveries(ctx, offboarding.DeliveryFilter{WebhookID: hook, Status: status})
		})
	}
	got(u, "FindWebhook", func() (any, error) { return s.FindWebhook(ctx, mine, u.ID) })
	due := got(u, "DueDeliveries", func() (offboarding.WebhookBatch, error) { return s.DueDeliveries(ctx, mine, u.at.Add(time.Hour), 10) }).Due
	u.notes("RecordDeliveries", func() error {
		return s.RecordDeliveries(ctx, mine, []offboarding.DeliveryResult{{DueDelivery: due[0], At: u.at.Add(time.Hour), WebhookAttempt: offboarding.WebhookAttempt{Status: 200}}})
	})
	got(u, "WebhooksWaiting", func() (any, error) { return s.WebhooksWaiting(ctx, u.at.Add(time.Hour)) })
	got(u, "PruneDeliveries", func() (any, error) { return s.PruneDeliveries(ctx, u.at.AddDate(-5, 0, 0), 10) })
}
