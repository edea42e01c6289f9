package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// listed is an organization below the actor's, and a list of its members with all
// that the rules distinguish.
type listed struct {
	*fixture.Organization
	store   *postgres.Store
	actor   string // owner of the organization above
	request offboarding.BulkRequest
	at      time.Time
}

func newListed(t testing.TB) *listed {
	t.Helper()
	db := testdb.New(t)
	above := fixture.New(t, db)
	l := &listed{Organization: fixture.New(t, db), store: postgres.New(db), actor: above.Owner, at: fixture.Start.Add(time.Hour)}
	l.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, above.ID)
	l.Exec(`UPDATE organizations SET parent_id = $2, time_zone = 'America/New_York' WHERE id = $1`, l.ID, above.ID)
	l.request = offboarding.BulkRequest{RequestedBy: l.actor, Origin: "SCRIPT,Acme,hr-sync", Confirmed: true}
	return l
}

// add puts a member on the list.
func (l *listed) add(member string, plan offboarding.BulkPlan) string {
	l.request.Members = append(l.request.Members, offboarding.BulkMember{MemberID: member, BulkPlan: plan})
	return member
}

// everything is a list on which every rule has something to say.
func everything(t testing.TB) *listed {
	t.Helper()
	l := newListed(t)
	plain := l.add(l.Maker(), offboarding.BulkPlan{Reason: "left"})
	for range 3 {
		l.Credential(plain)
		l.Session(plain)
	}
	managed := l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: offboarding.NewOwnerManager, Disposition: offboarding.DispositionTransfer})
	l.Exec(`UPDATE members SET manager_id = $2 WHERE id = $1`, managed, l.Manager)
	l.Session(managed)
	l.add(l.Maker(), offboarding.BulkPlan{Disposition: offboarding.DispositionArchive})
	keeps := l.add(l.Maker(), offboarding.BulkPlan{GracePeriod: "3d"})
	l.Document(keeps, "")
	l.Credential(keeps)
	gives := l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: "external:m3", ArchiveSchedules: true}) // the manager
	l.Schedule(l.Document(gives, ""))
	later := l.add(l.Maker(), offboarding.BulkPlan{EffectiveAt: "2026-03-31", NewOwnerID: l.Manager})
	l.Exec(`UPDATE members SET time_zone = 'Asia/Tokyo' WHERE id = $1`, later)
	l.Credential(later)
	isp := l.add(l.Maker(), offboarding.BulkPlan{})
	l.Exec(`UPDATE members SET email = 'someone@gmail.com' WHERE id = $1`, isp)
	elsewhere := l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: l.Member(offboarding.RoleReader, offboarding.AccountViewer)})
	l.Exec(`UPDATE members SET email = 'someone@elsewhere.example', managed_by = 'okta' WHERE id = $1`, elsewhere)
	gone := l.add(l.Maker(), offboarding.BulkPlan{})
	before := newLeavingOn(t, l.Organization, l.store).of(gone)
	before.deactivated(offboarding.Request{MemberID: gone, RequestedBy: l.Owner})
	_, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: before.step("settle")})
	require.NoError(t, err)
	open := l.add(l.Maker(), offboarding.BulkPlan{})
	_, err = l.store.Admit(t.Context(), offboarding.AdmitInput{
		CaseID: newID(), WorkflowID: "elsewhere", At: fixture.Start,
		Request: offboarding.Request{MemberID: open, RequestedBy: l.Owner, EffectiveAt: "2026-05-01"},
	})
	require.NoError(t, err)
	second := l.Member(offboarding.RoleOwner, offboarding.AccountMaker)
	l.add(second, offboarding.BulkPlan{})
	l.add(l.Owner, offboarding.BulkPlan{}) // the last one: rule A3
	l.add(newIDOf(7), offboarding.BulkPlan{})
	l.add("external:nobody", offboarding.BulkPlan{})
	byName := l.Maker()
	l.add("external:"+l.Text(`SELECT external_id FROM members WHERE id = $1`, byName), offboarding.BulkPlan{EffectiveAt: "2001-01-01T00:00:00Z"})
	l.Session(byName)
	l.add(l.Maker(), offboarding.BulkPlan{EffectiveAt: "some day", GracePeriod: "-1h"})
	l.add(l.actor, offboarding.BulkPlan{}) // rule A4
	stranger := fixture.New(t, l.DB)
	l.add(stranger.Leaver, offboarding.BulkPlan{})
	for _, disposition := range []offboarding.Disposition{offboarding.DispositionRetain, offboarding.DispositionTransfer} {
		member := l.add(l.Maker(), offboarding.BulkPlan{Disposition: disposition})
		if disposition == offboarding.DispositionTransfer {
			l.request.Members[len(l.request.Members)-1].NewOwnerID = l.Manager
		}
		archived := l.Document(member, "")
		owner := l.Maker()
		former := newLeavingOn(t, l.Organization, l.store).of(owner)
		former.admit(offboarding.Request{MemberID: owner, RequestedBy: l.Owner, EffectiveAt: "2026-04-01"})
		l.Exec(`UPDATE documents SET access = 'archived', access_case_id = $2 WHERE id = $1`, archived, former.id)
	}
	// One who waits for documents of somebody who has left before.
	waits := l.add(l.Maker(), offboarding.BulkPlan{})
	former := newLeavingOn(t, l.Organization, l.store)
	document, other := l.Document(l.Leaver, ""), l.Document(l.Leaver, "")
	former.inGrace().requested(document, waits)
	former.requested(other, waits)
	former.requested(other, l.Member(offboarding.RoleReader, offboarding.AccountViewer))
	return l
}

func newIDOf(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012d", n) }

// bulk runs the list and returns the violations of each row.
func (l *listed) bulk(t testing.TB) []offboarding.BulkMemberRow {
	t.Helper()
	_, err := l.store.AdmitBulk(t.Context(), offboarding.BulkAdmitInput{
		BulkID: "run", WorkflowID: offboarding.BulkWorkflowID("run"), At: l.at, Request: l.request,
	})
	require.NoError(t, err)
	l.process(t)
	return l.rows(t)
}

func (l *listed) process(t testing.TB) offboarding.BulkRun {
	t.Helper()
	for after := 0; ; {
		var err error
		after, err = l.store.OffboardBatch(t.Context(), offboarding.BulkStep{BulkID: "run", At: l.at}, after)
		require.NoError(t, err)
		if after == 0 {
			run, err := l.store.BulkRun(t.Context(), "run")
			require.NoError(t, err)
			require.Zero(t, run.Counts.Pending)
			return run
		}
	}
}

func (l *listed) rows(t testing.TB) []offboarding.BulkMemberRow {
	t.Helper()
	page, err := l.store.BulkMembers(t.Context(), "run", offboarding.BulkFilter{Limit: 1000})
	require.NoError(t, err)
	require.Empty(t, page.Next)
	return page.Items
}

// single offboards the list one by one, as far as a workflow would come before the
// documents are worked on.
func (l *listed) single(t testing.TB) []offboarding.BulkMemberRow {
	t.Helper()
	var rows []offboarding.BulkMemberRow
	for i := range l.request.Members {
		row := offboarding.BulkMemberRow{Position: i + 1}
		r := l.request.Request(i)
		id := newID()
		a, err := l.store.Admit(t.Context(), offboarding.AdmitInput{CaseID: id, WorkflowID: workflowIDOf(l, r.MemberID), At: l.at, Request: r})
		var refusal *offboarding.Refusal
		switch {
		case errors.As(err, &refusal):
			row.Outcome, row.Violations = offboarding.BulkMemberRefused, refusal.Violations
		case err != nil:
			require.NoError(t, err)
		case a.Existing:
			row.Outcome = offboarding.BulkMemberExisting
		case a.Plan.EffectiveAt.After(l.at):
			row.Outcome = offboarding.BulkMemberScheduled
		default:
			row.Outcome = offboarding.BulkMemberStarted
			l.leaves(t, id, a)
		}
		rows = append(rows, row)
	}
	return rows
}

func workflowIDOf(l *listed, ref string) string {
	if external, ok := strings.CutPrefix(ref, "external:"); ok && external != "nobody" {
		ref = l.Text(`SELECT id FROM members WHERE organization_id = $1 AND external_id = $2`, l.ID, external)
	}
	return offboarding.WorkflowID(ref)
}

func (l *listed) leaves(t testing.TB, id string, a offboarding.Admission) {
	t.Helper()
	step := func(name string) offboarding.Step { return offboarding.Step{CaseID: id, Name: name, At: l.at} }
	_, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: step("revoke")})
	require.NoError(t, err)
	d, err := l.store.Deactivate(t.Context(), step("deactivate"))
	require.NoError(t, err)
	if d.Documents > 0 && (a.Plan.Disposition != offboarding.DispositionRetain || d.Unowned > 0) {
		return
	}
	if a.Plan.Disposition != offboarding.DispositionRetain {
		_, err = l.store.Advance(t.Context(), offboarding.AdvanceInput{Step: step("transferring"), Phase: offboarding.PhaseTransferring})
		require.NoError(t, err)
	}
	s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: step("settle/1")})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, s.Phase)
}

// dump is everything in the database, by names instead of IDs; the events of each
// case in their order, the rest sorted.
func (l *listed) dump(t testing.TB) []string {
	t.Helper()
	var named []string
	replace := func(query string) {
		var rows []struct{ ID, Name string }
		require.NoError(t, l.DB.Select(&rows, query))
		for _, row := range rows {
			named = append(named, row.ID, row.Name)
		}
	}
	replace(`SELECT id, 'organization-' || row_number() OVER (ORDER BY id) AS name FROM organizations`)
	replace(`SELECT m.id, 'member-' || m.external_id || '-' || (SELECT count(*) FROM organizations o WHERE o.id < m.organization_id) AS name FROM members m`)
	replace(`SELECT c.id, 'case-of-' || m.external_id || '-' || row_number() OVER (PARTITION BY m.id ORDER BY c.created_at) AS name
		FROM cases c JOIN members m ON m.id = c.member_id`)
	replace(`SELECT id, 'document-' || external_id AS name FROM documents`)
	for _, table := range []string{"credentials", "sessions", "schedules", "ownership_requests"} {
		replace(fmt.Sprintf(`SELECT id, '%s-' || row_number() OVER (ORDER BY id) AS name FROM %s`, table, table))
	}
	names := strings.NewReplacer(named...)
	var out []string
	for _, table := range []string{"members", "cases", "documents", "schedules", "credentials", "sessions", "ownership_requests"} {
		var rows []string
		require.NoError(t, l.DB.Select(&rows, fmt.Sprintf(`SELECT '%s ' || (to_jsonb(t) - 'slug')::text FROM %s t`, table, table)))
		for i := range rows {
			rows[i] = names.Replace(rows[i])
		}
		sort.Strings(rows)
		out = append(out, rows...)
	}
	var events []struct{ Key, Event string }
	require.NoError(t, l.DB.Select(&events, `SELECT coalesce(case_id::text, subject_kind) || ' ' || coalesce(member_id::text, '') AS key,
		(to_jsonb(a) - 'id')::text AS event FROM audit_events a WHERE subject_kind <> 'bulk' ORDER BY id`))
	byCase := map[string][]string{}
	for _, e := range events {
		byCase[names.Replace(e.Key)] = append(byCase[names.Replace(e.Key)], names.Replace(e.Event))
	}
	keys := make([]string, 0, len(byCase))
	for key := range byCase {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		for _, event := range inKinds(byCase[key]) {
			out = append(out, "audit "+key+" "+event)
		}
	}
	return out
}

// inKinds keeps the order of a case's events, but for that of a member's many
// credentials, sessions and requests, which have none.
func inKinds(events []string) []string {
	for begin := 0; begin < len(events); {
		end := begin + 1
		for end < len(events) && eventName(events[end]) == eventName(events[begin]) {
			end++
		}
		slices.Sort(events[begin:end])
		begin = end
	}
	return events
}

func eventName(event string) string {
	var e struct{ Event string }
	_ = json.Unmarshal([]byte(event), &e)
	return e.Event
}

// Rule B1: a list comes to what it would one by one: the same accounts, cases,
// requests and events, and the same refusals.
func TestBulkComesToWhatSingleStartsDo(t *testing.T) {
	t.Parallel()
	one := everything(t)
	wantRows := one.single(t)
	want := one.dump(t)
	for _, batch := range []int{1, 3, 1000} {
		t.Run(fmt.Sprintf("%d at once", batch), func(t *testing.T) {
			t.Parallel()
			many := everything(t)
			many.store = many.store.WithBatchSize(batch)
			rows := many.bulk(t)
			require.Len(t, rows, len(wantRows))
			outcomes := map[offboarding.BulkOutcome]int{}
			for i, row := range rows {
				outcomes[row.Outcome]++
				require.Equal(t, wantRows[i].Outcome, row.Outcome, "row %d %+v", i+1, row)
				require.Equal(t, wantRows[i].Violations, row.Violations, "row %d", i+1)
			}
			require.Equal(t, want, many.dump(t))
			require.Equal(t, map[offboarding.BulkOutcome]int{"started": 10, "scheduled": 1, "existing": 1, "refused": 9}, outcomes)
			invariantsHold(t, many.store)
		})
	}
}
