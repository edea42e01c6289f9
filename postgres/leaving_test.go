package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// grace is the grace period of a fixture's organization.
const grace = 7 * 24 * time.Hour

// leaving is a case that a test drives through the store, step by step, as the
// workflow would.
type leaving struct {
	*fixture.Organization
	t      testing.TB
	store  *postgres.Store
	member string
	id     string
	at     time.Time // the case's clock; every step takes a minute
	plan   offboarding.Plan
}

// newLeaving makes an organization on a database of its own, and a case of its
// leaver that is not open yet. Sweeps do three documents at once.
func newLeaving(t testing.TB) *leaving {
	t.Helper()
	db := testdb.New(t)
	return newLeavingOn(t, fixture.New(t, db), postgres.New(db).WithBatchSize(3))
}

func newLeavingOn(t testing.TB, o *fixture.Organization, store *postgres.Store) *leaving {
	t.Helper()
	return &leaving{Organization: o, t: t, store: store, member: o.Leaver, id: newID(), at: fixture.Start.Add(time.Hour)}
}

// of is the case of another member of the organization.
func (l *leaving) of(member string) *leaving {
	other := *l
	other.member, other.id = member, newID()
	return &other
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// step is the case's next step.
func (l *leaving) step(name string) offboarding.Step {
	l.at = l.at.Add(time.Minute)
	return offboarding.Step{CaseID: l.id, Name: name, At: l.at}
}

func (l *leaving) request() offboarding.Request {
	return offboarding.Request{MemberID: l.member, RequestedBy: l.Owner, Origin: "SCRIPT,Acme,hr-sync"}
}

func (l *leaving) admitInput(r offboarding.Request) offboarding.AdmitInput {
	return offboarding.AdmitInput{CaseID: l.id, WorkflowID: offboarding.WorkflowID(l.member), At: l.at, Request: r}
}

// atOnce is the input of a start that goes on until the member is inactive.
func (l *leaving) atOnce(r offboarding.Request) offboarding.AdmitInput {
	in := l.admitInput(r)
	in.AtOnce = true
	return in
}

// admit opens the case.
func (l *leaving) admit(r offboarding.Request) *leaving {
	l.t.Helper()
	a, err := l.store.Admit(l.t.Context(), l.admitInput(r))
	require.NoError(l.t, err)
	require.False(l.t, a.Existing)
	l.plan = a.Plan
	return l
}

// revoked opens the case and revokes.
func (l *leaving) revoked(r offboarding.Request) *leaving {
	l.t.Helper()
	l.admit(r)
	_, err := l.store.Revoke(l.t.Context(), offboarding.RevokeInput{Step: l.step("revoke")})
	require.NoError(l.t, err)
	return l
}

// deactivated opens the case and goes on until the member is inactive.
func (l *leaving) deactivated(r offboarding.Request) *leaving {
	l.t.Helper()
	l.revoked(r)
	_, err := l.store.Deactivate(l.t.Context(), l.step("deactivate"))
	require.NoError(l.t, err)
	return l
}

// inGrace opens a case that retains the documents and goes on into the grace.
func (l *leaving) inGrace() *leaving {
	l.t.Helper()
	l.deactivated(l.request())
	ends := l.at.Add(grace)
	s, err := l.store.Settle(l.t.Context(), offboarding.SettleInput{Step: l.step("settle"), GraceEndsAt: &ends})
	require.NoError(l.t, err)
	require.Equal(l.t, offboarding.PhaseGrace, s.Phase)
	return l
}

// endGrace is the input of the step that ends the grace at once.
func (l *leaving) endGrace() offboarding.AdvanceInput {
	return offboarding.AdvanceInput{Step: l.step("end-grace"), Phase: offboarding.PhaseReadOnly, AtOnce: true}
}

// readOnly ends the grace and locks what is unowned.
func (l *leaving) readOnly() *leaving {
	l.t.Helper()
	l.at = l.at.Add(grace)
	l.advance(offboarding.PhaseReadOnly)
	l.sweep(l.store.LockBatch, offboarding.SweepInput{Step: l.step("lock")})
	return l
}

func (l *leaving) advance(phase offboarding.Phase) {
	l.t.Helper()
	_, err := l.store.Advance(l.t.Context(), offboarding.AdvanceInput{Step: l.step("to " + string(phase)), Phase: phase})
	require.NoError(l.t, err)
}

func (l *leaving) claimInput(document, member string) offboarding.ClaimInput {
	return offboarding.ClaimInput{
		Step: l.step("claim/" + newID()), Message: offboarding.ClaimRequest{DocumentID: document, MemberID: member, Note: "for the release"},
	}
}

// claim sends a claim-request that must be allowed.
func (l *leaving) claim(document, member string) offboarding.Outcome {
	l.t.Helper()
	out, err := l.store.Claim(l.t.Context(), l.claimInput(document, member))
	require.NoError(l.t, err)
	return out
}

// requested is a request of the member, who has a view grant on the document.
func (l *leaving) requested(document, member string) string {
	l.t.Helper()
	l.Grant(document, member, offboarding.GrantView)
	out := l.claim(document, member)
	require.Equal(l.t, offboarding.OutcomeRequested, out.Outcome)
	return out.RequestID
}

func (l *leaving) decideInput(request, decision, newOwner string) offboarding.DecideInput {
	return offboarding.DecideInput{Step: l.step("decide/" + newID()), Message: offboarding.AdminApproval{
		RequestID: request, AdminID: l.Admin, Decision: decision, NewOwnerID: newOwner, Note: "as agreed",
	}}
}

// batch is one of the store's sweeps.
type batch func(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error)

// sweep does all batches and adds up what they came to.
func (l *leaving) sweep(do batch, in offboarding.SweepInput) offboarding.Sweep {
	l.t.Helper()
	var total offboarding.Sweep
	for !total.Done {
		s, err := do(l.t.Context(), in, total.Cursor)
		require.NoError(l.t, err)
		total.Documents, total.Schedules = total.Documents+s.Documents, total.Schedules+s.Schedules
		total.Cursor, total.Done = s.Cursor, s.Done
	}
	return total
}

// transfer gives everything to a new owner.
func (l *leaving) transfer(newOwner string) offboarding.Sweep {
	l.t.Helper()
	return l.sweep(l.store.TransferBatch, offboarding.SweepInput{Step: l.step("transfer/" + newOwner), NewOwnerID: newOwner})
}

// reactivate does all that a reactivation does.
func (l *leaving) reactivate(returnDocuments bool) {
	l.t.Helper()
	ctx := l.t.Context()
	in := offboarding.ReactivateInput{Message: offboarding.Reactivate{AdminID: l.Admin, ReturnDocuments: returnDocuments}}
	in.Step = l.step("reactivate")
	admin, err := l.store.AuthorizeReactivation(ctx, in)
	require.NoError(l.t, err)
	l.sweep(l.store.RestoreBatch, offboarding.SweepInput{Step: l.step("restore"), ActorID: admin})
	in.Step = l.step("reactivate/member")
	_, err = l.store.ReactivateMember(ctx, in)
	require.NoError(l.t, err)
	if returnDocuments {
		l.sweep(l.store.ReturnBatch, offboarding.SweepInput{Step: l.step("return"), ActorID: admin})
	}
	l.sweep(l.store.GrantBatch, offboarding.SweepInput{Step: l.step("grant"), ActorID: admin})
	require.NoError(l.t, l.store.CloseReactivated(ctx, l.step("close")))
}

func (l *leaving) phase() string {
	l.t.Helper()
	return l.Text(`SELECT phase FROM cases WHERE id = $1`, l.id)
}

// eventsOf counts the events of this name.
func (l *leaving) eventsOf(event string) int {
	l.t.Helper()
	return l.Count(`SELECT count(*) FROM audit_events WHERE event = $1`, event)
}

// lastEvent is "<event> <before> -> <after>" of the newest event.
func (l *leaving) lastEvent() string {
	l.t.Helper()
	return l.Text(`SELECT event || ' ' || before || ' -> ' || after FROM audit_events ORDER BY id DESC LIMIT 1`)
}

// path is where a document is: the names of its folders, from the top; "" for the
// owner's My Documents itself.
func (l *leaving) path(document string) string {
	l.t.Helper()
	return l.Text(`WITH RECURSIVE up AS (
			SELECT f.parent_id, f.name::text AS path FROM folders f JOIN documents d ON d.folder_id = f.id WHERE d.id = $1
			UNION ALL SELECT f.parent_id, f.name || '/' || up.path FROM folders f JOIN up ON f.id = up.parent_id)
		SELECT coalesce((SELECT path FROM up WHERE parent_id IS NULL), '')`, document)
}

// refused requires a refusal with the code.
func refused(t testing.TB, code offboarding.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, offboarding.CodeOf(err), "%v", err)
}

// dump is all that the database keeps, a line a row.
func dump(t testing.TB, db *sqlx.DB) string {
	t.Helper()
	var tables []string
	require.NoError(t, db.Select(&tables, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%' ORDER BY 1`))
	var all strings.Builder
	for _, table := range tables {
		var rows []string
		require.NoError(t, db.Select(&rows, `SELECT to_jsonb(r)::text FROM `+table+` r`))
		sort.Strings(rows)
		for _, row := range rows {
			fmt.Fprintf(&all, "%s %s\n", table, row)
		}
	}
	return all.String()
}

// answer is what a call came to, as text: what it returned, or why it was refused.
func answer[T any](t testing.TB, result T, err error) string {
	t.Helper()
	if err != nil {
		var refusal *offboarding.Refusal
		require.ErrorAs(t, err, &refusal, "not a refusal")
		return refusal.Error()
	}
	text, err := json.Marshal(result)
	require.NoError(t, err)
	return string(text)
}

// withoutSteps is a dump without the record of what was done, which a refusal
// belongs to as well.
func withoutSteps(dump string) string {
	var lines []string
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, "case_steps ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
