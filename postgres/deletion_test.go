package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func (l *leaving) deletionInput(change func(*offboarding.DeletionRequest)) offboarding.BeginDeletionInput {
	r := offboarding.DeletionRequest{MemberID: l.member, RequestedBy: l.Admin, Origin: "SCRIPT,Acme,gdpr"}
	if change != nil {
		change(&r)
	}
	return offboarding.BeginDeletionInput{Step: offboarding.Step{CaseID: newID(), Name: "erase", At: l.at}, Request: r}
}

// deleted erases the leaver, who must not be active.
func (l *leaving) deleted() offboarding.Erased {
	l.t.Helper()
	in := l.deletionInput(nil)
	begun, err := l.store.BeginDeletion(l.t.Context(), in)
	require.NoError(l.t, err)
	require.Equal(l.t, offboarding.DeletionBegun{MemberID: l.member}, begun)
	in.Name = "erase"
	in.CaseID = newID()
	out, err := l.store.EraseMember(l.t.Context(), in)
	require.NoError(l.t, err)
	require.False(l.t, out.Active)
	return out
}

// marker is in everything that is known about the member who is deleted.
const marker = "zzmarker"

// What is not erased, and why. A column that is neither here nor marked by the test
// fails it: whoever adds one decides.
var notErased = map[string]string{
	"audit_texts.about": "IDs", "audit_events.event": "of the domain", "audit_events.subject_kind": "of the domain", "audit_events.subject_id": "an ID",
	"audit_events.origin": "names an organization and a program", "cases.origin": "names an organization and a program",
	"bulk_runs.origin": "names an organization and a program",
	"bulk_runs.id":     "names a run of many", "bulk_runs.workflow_id": "names a run of many", "bulk_members.bulk_id": "names a run of many",
	"bulk_runs.phase": "of the domain", "bulk_runs.trouble_step": "of the domain", "bulk_runs.trouble_error": "cleaned of texts",
	"bulk_members.result": "of the domain", "bulk_members.violations": "codes and sentences of our own",
	"cases.disposition": "of the domain", "cases.phase": "of the domain", "cases.provider": "of the domain",
	"cases.trouble_step": "of the domain", "cases.workspace_role": "of the domain",
	"credentials.kind": "of the domain", "credentials.status": "of the domain",
	"documents.title": "content", "documents.external_id": "content", "documents.access": "of the domain", "documents.kind": "of the domain",
	"grants.level": "of the domain", "members.role": "of the domain", "members.account_type": "of the domain", "members.status": "of the domain",
	"notices.key": "IDs and step names", "notices.kind": "of the domain", "notices.reason": "of the domain",
	"idempotency_keys.body": "what a write was answered: IDs, counts and codes (privacy/TestNobodyIsTold)", "idempotency_keys.fingerprint": "a hash, salted with a key that is kept nowhere",
	"credentials.secret_hash": "a hash of a random secret", "sessions.token_hash": "a hash of a random token", "access_tokens.token_hash": "a hash of a random token",
	"scim_tokens.hash":     "a hash of a random token",
	"audit_seals.previous": "a digest", "audit_seals.hash": "a digest", "audit_seals.entries": "digests", "audit_heads.hash": "a digest",
	"audit_texts.neutral": "a digest of what is left", "audit_texts.commitment": "a digest with a salt, which is erased",
	"idempotency_keys.header": "where an answer's case is: IDs", "ownership_requests.status": "of the domain", "schedules.cron": "content", "schedules.kind": "of the domain",
	"schedules.status": "of the domain", "sessions.status": "of the domain", "workspace_members.role": "of the domain",
	"webhooks.url": "of the organization", "webhooks.description": "of the organization", "webhooks.events": "of the domain",
	"webhooks.status": "of the domain", "webhooks.disabled_reason": "of the domain", "webhooks.secret_ref": "names a key",
	"webhooks.previous_ref": "names a key", "webhook_deliveries.event": "of the domain", "webhook_deliveries.status": "of the domain",
	"webhook_deliveries.last_error": "a word of our own",
	"workspaces.external_id":        "of the organization", "workspaces.provider_id": "of the organization", "workspaces.name": "of the organization",
	"organizations.scim_delete": "of the organization", "organizations.scim_role": "of the organization", "organizations.scim_account_type": "of the organization",
	"organizations.attribution": "of the organization", "organizations.claim_policy": "of the organization",
	"organizations.default_disposition": "of the organization", "organizations.domains": "of the organization",
	"organizations.identity_provider": "of the organization", "organizations.name": "of the organization",
	"organizations.slug": "of the organization", "organizations.sso_sessions": "of the organization",
	"organizations.time_zone": "of the organization",
}

// marks fill the columns with the marker, in rows about the member $1.
var marks = map[string]string{
	"members.email":                    `UPDATE members SET email = 'ZZmarker@acme.example' WHERE id = $1`,
	"members.external_id":              `UPDATE members SET external_id = 'zzmarker-7' WHERE id = $1`,
	"members.display_name":             `UPDATE members SET display_name = 'Ada Zzmarker' WHERE id = $1`,
	"members.managed_by":               `UPDATE members SET managed_by = 'zzmarker' WHERE id = $1`,
	"members.time_zone":                `UPDATE members SET time_zone = 'zzmarker' WHERE id = $1`,
	"members.user_name":                `UPDATE members SET user_name = 'zzmarker' WHERE id = $1`,
	"members.provider_id":              `UPDATE members SET provider_id = 'zzmarker' WHERE id = $1`,
	"members.profile":                  `UPDATE members SET profile = '{"display_name": "Ada Zzmarker"}' WHERE id = $1`,
	"credentials.name":                 `UPDATE credentials SET name = 'zzmarker key' WHERE member_id = $1`,
	"folders.name":                     `UPDATE folders SET name = 'Ada Zzmarker' WHERE leaver_id = $1`,
	"cases.reason":                     `UPDATE cases SET reason = 'zzmarker is ill' WHERE member_id = $1`,
	"cases.failure":                    `UPDATE cases SET failure = 'zzmarker' WHERE member_id = $1`,
	"cases.fallback_reason":            `UPDATE cases SET fallback_reason = 'zzmarker' WHERE member_id = $1`,
	"cases.trouble_error":              `UPDATE cases SET trouble_error = 'zzmarker' WHERE member_id = $1`,
	"cases.workflow_id":                `UPDATE cases SET workflow_id = 'offboarding/external:zzmarker-7' WHERE member_id = $1`,
	"cases.reactivation":               `UPDATE cases SET reactivation = reactivation || '{"id": "update/zzmarker"}' WHERE member_id = $1`,
	"case_steps.step":                  `UPDATE case_steps SET step = 'zzmarker/' || step WHERE case_id IN (SELECT id FROM cases WHERE member_id = $1)`,
	"case_steps.outcome":               `UPDATE case_steps SET outcome = '{"ok": "zzmarker"}' WHERE case_id IN (SELECT id FROM cases WHERE member_id = $1)`,
	"ownership_requests.note":          `UPDATE ownership_requests SET note = 'zzmarker' WHERE $1 = $1`,
	"ownership_requests.decision_note": `UPDATE ownership_requests SET decision_note = 'zzmarker' WHERE $1 = $1`,
	"legal_holds.reason": `INSERT INTO legal_holds (id, organization_id, member_id, reason, placed_by, placed_at, lifted_by, lifted_at)
		SELECT gen_random_uuid(), organization_id, id, 'zzmarker v. Acme', manager_id, created_at, manager_id, created_at FROM members WHERE id = $1`,
	"bulk_members.reference": `INSERT INTO bulk_runs (id, workflow_id, organization_id, requested_by, origin, all_or_nothing, rate, phase, created_at)
		SELECT 'run', 'bulk-offboarding/run', organization_id, manager_id, '', false, 1, 'judging', created_at FROM members WHERE id = $1;`,
	"bulk_members.error": `INSERT INTO bulk_members (bulk_id, position, reference, member_id, at_once, result, error)
		SELECT 'run', p, CASE p WHEN 1 THEN '' WHEN 2 THEN 'zzmarker@acme.example' ELSE 'external:zzmarker-7' END,
			CASE WHEN p = 1 THEN id END, true, 'failed', 'zzmarker' FROM members, generate_series(1, 3) p WHERE id = $1`,
	"bulk_members.request": `INSERT INTO bulk_members (bulk_id, position, reference, member_id, at_once, result, request)
		SELECT 'run', 9, '', id, true, 'pending', '{"member_id": "external:zzmarker-7", "reason": "zzmarker"}' FROM members WHERE id = $1`,
	"audit_events.before": `INSERT INTO audit_events (organization_id, event, origin, member_id, subject_kind, subject_id, before, after, at)
		SELECT organization_id, 'CancelOffboarding', '', id, 'member', id,
			'{"reason": "zzmarker", "phase": "grace", "many": [{"x": "Ada Zzmarker"}, "b", 7, null]}', '{}', created_at FROM members WHERE id = $1`,
	"audit_events.after": `INSERT INTO audit_events (organization_id, event, origin, case_id, subject_kind, subject_id, before, after, at)
		SELECT organization_id, 'Test', '', id, 'case', id, '{"at": "2026-03-02T09:00:00Z"}',
			jsonb_build_object('note', 'zzmarker', 'name', 'zzmarker', 'owner_id', member_id), created_at FROM cases WHERE member_id = $1`,
}

// known is a leaver with a closed case of each end, about whom everything says something.
func known(t *testing.T) *leaving {
	l := newLeaving(t)
	l.Credential(l.member)
	l.Exec(`UPDATE members SET manager_id = $2 WHERE id = $1`, l.Manager, l.member) // and the reverse
	other := l.of(l.Maker())
	theirs := l.Document(other.member, "")
	other.inGrace()
	decided := other.requested(theirs, l.member) // by them
	_, err := l.store.Decide(t.Context(), other.decideInput(decided, offboarding.DecisionReject, ""))
	require.NoError(t, err)
	l.at = other.at
	document := l.Document(l.member, "")
	l.inGrace()
	l.reactivate(false)
	again := l.of(l.member)
	again.at = l.at
	again.inGrace()
	again.requested(document, l.Maker()) // about what was theirs
	again.transfer(l.Owner)
	_, err = l.store.Settle(t.Context(), offboarding.SettleInput{Step: again.step("done")})
	require.NoError(t, err)
	require.Equal(t, "completed", again.phase())
	for column := range marks {
		if column != "bulk_members.reference" && !strings.HasPrefix(column, "bulk") && !strings.HasPrefix(column, "case_steps.step") {
			l.Exec(marks[column], l.member)
		}
	}
	for _, column := range []string{"bulk_members.reference", "bulk_members.error", "bulk_members.request", "case_steps.step"} {
		l.Exec(marks[column], l.member) // in this order
	}
	l.Exec(`UPDATE bulk_members SET error = '' WHERE member_id IS NULL`)
	return again
}

// Rule X1: the personal data is erased everywhere it is kept. The columns are found
// in the database, so that a new one cannot be forgotten.
func TestDeletionLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, attribution := range []offboarding.Attribution{offboarding.AttributionAnonymous, offboarding.AttributionName} {
		t.Run(string(attribution), func(t *testing.T) {
			t.Parallel()
			l := known(t)
			l.Exec(`UPDATE organizations SET attribution = $1`, attribution)
			var columns []string
			require.NoError(t, l.DB.Select(&columns, `SELECT table_name || '.' || column_name FROM information_schema.columns
				WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%' AND data_type IN ('text', 'jsonb', 'json', 'ARRAY', 'character varying', 'bytea')`))
			for _, column := range columns {
				_, marked := marks[column]
				_, left := notErased[column]
				require.True(t, marked != left, "%s: is it personal data of a member? Mark it here and erase it in deletion.go, or say why not", column)
				if marked {
					table, name, _ := strings.Cut(column, ".")
					require.NotZero(t, l.Count(`SELECT count(*) FROM `+table+` WHERE `+name+`::text ILIKE '%zzmarker%'`), "%s is not marked", column)
				}
			}
			const kept = `SELECT string_agg((to_jsonb(e) - 'before' - 'after')::text, E'\n' ORDER BY id) FROM audit_events e`
			const state = `SELECT string_agg(to_jsonb(d)::text, E'\n' ORDER BY id) FROM documents d`
			events, documents := l.Text(kept), l.Text(state)
			others := l.Text(`SELECT string_agg(e::text, E'\n' ORDER BY id) FROM audit_events e WHERE member_id <> $1
				AND case_id NOT IN (SELECT id FROM cases WHERE member_id = $1)`, l.member)
			before := l.Count(`SELECT max(id) FROM audit_events`)

			out := l.deleted()

			require.Equal(t, attribution, out.Attribution)
			require.Equal(t, []int{1, 2, 1, 2, 1, 3}, []int{out.Credentials, out.Cases, out.Holds, out.Requests, out.Reports, out.Bulk - 1})
			var left []string
			for line := range strings.Lines(dump(t, l.DB)) {
				if strings.Contains(strings.ToLower(line), marker) {
					left = append(left, line)
				}
			}
			if attribution == offboarding.AttributionAnonymous {
				require.Empty(t, left)
				require.Equal(t, 1, out.Folders)
				require.Equal(t, "Deleted member", l.Text(`SELECT display_name FROM members WHERE id = $1`, l.member))
			} else {
				require.Len(t, left, 2, "the name stays where content is attributed: %s", left)
				require.True(t, slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, "folders ") }))
				require.Equal(t, "Ada Zzmarker", l.Text(`SELECT display_name FROM members WHERE id = $1`, l.member))
			}
			require.Equal(t, events, l.Text(strings.Replace(kept, "audit_events e", "audit_events e WHERE event <> 'DeleteMember'", 1)))
			require.Equal(t, documents, l.Text(state))
			require.Equal(t, others, l.Text(`SELECT string_agg(e::text, E'\n' ORDER BY id) FROM audit_events e WHERE member_id <> $1
				AND case_id NOT IN (SELECT id FROM cases WHERE member_id = $1)`, l.member), "events about others")
			require.Equal(t, `{"many": [{"x": "erased"}, "b", 7, null], "phase": "grace", "reason": "erased"}`,
				l.Text(`SELECT before FROM audit_events WHERE event = 'CancelOffboarding'`))
			require.Equal(t, before+1, l.Count(`SELECT max(id) FROM audit_events`), "one event")
			require.Equal(t, "DeleteMember {\"status\": \"inactive\"} -> {\"status\": \"deleted\", \"attribution\": \""+string(attribution)+"\"}", l.lastEvent())
			require.Equal(t, l.Admin+" SCRIPT,Acme,gdpr", l.Text(`SELECT actor_id || ' ' || origin FROM audit_events ORDER BY id DESC LIMIT 1`))

			// The address and the external ID are free for a new account.
			l.Exec(`UPDATE members SET email = 'zzmarker@acme.example', external_id = 'zzmarker-7' WHERE id = $1`, l.Maker())
			_, err := l.store.FindMember(t.Context(), "zzmarker@acme.example", "")
			require.NoError(t, err)
		})
	}
}

// Heirs leave too, and the folder that stands for somebody goes on to their heirs. The
// name is gone there as well; another leaver's of the same name stays.
func TestDeletionReachesTheHeirsOfHeirs(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Exec(`UPDATE organizations SET attribution = 'anonymous'`)
	namesake, heir, next, last := l.of(l.Maker()), l.of(l.Maker()), l.of(l.Maker()), l.Maker()
	l.Exec(`UPDATE members SET display_name = 'Ada Zzmarker' WHERE id = ANY (ARRAY[$1, $2]::uuid[])`, l.member, namesake.member)
	theirs, document := l.Document(namesake.member, ""), l.Document(l.member, l.Folder(l.member, "", "Drafts"))
	namesake.deactivated(namesake.request()).transfer(heir.member)
	l.deactivated(l.request()).transfer(heir.member)
	heir.deactivated(heir.request()).transfer(next.member)
	next.deactivated(next.request()).transfer(last)
	within := "Archived Users/" + l.Text(`SELECT display_name FROM members WHERE id = $1`, next.member) +
		"/Archived Users/" + l.Text(`SELECT display_name FROM members WHERE id = $1`, heir.member) + "/Archived Users/"
	require.Equal(t, within+"Ada Zzmarker (2)/Drafts", l.path(document))

	require.Equal(t, 3, l.deleted().Folders)
	require.Equal(t, within+"Deleted member/Drafts", l.path(document))
	require.Equal(t, within+"Ada Zzmarker", l.path(theirs))
	require.Equal(t, 3, namesake.deleted().Folders)
	require.Regexp(t, "^"+within+"Deleted member [0-9a-f]{8}$", l.path(theirs))
	require.NotContains(t, strings.ToLower(dump(t, l.DB)), marker)
	invariantsHold(t, l.store)
}

// A deleted member is nobody: what names them is refused as if they had never been,
// and nothing of their old cases brings them back.
func TestADeletedMemberIsNobody(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Exec(`UPDATE members SET role = 'admin' WHERE id = $1`, l.member)
	theirs := l.Document(l.Manager, "")
	l.Grant(theirs, l.member, offboarding.GrantEdit)
	l.Document(l.member, "")
	l.completed()
	l.deleted()
	ctx := t.Context()
	before := withoutSteps(dump(t, l.DB))

	next := l.of(l.member)
	_, err := l.store.Admit(ctx, next.admitInput(next.request()))
	refused(t, offboarding.CodeMemberNotFound, err)
	_, err = l.store.BeginReactivation(ctx, l.beginInput(nil))
	refused(t, offboarding.CodeMemberNotFound, err)
	_, err = l.store.BeginDeletion(ctx, l.deletionInput(nil))
	refused(t, offboarding.CodeMemberNotFound, err)
	_, err = l.store.EraseMember(ctx, l.deletionInput(nil))
	refused(t, offboarding.CodeMemberNotFound, err)
	_, err = l.store.ReactivateMember(ctx, reactivateInput(l))
	refused(t, offboarding.CodeWrongPhase, err)
	require.Equal(t, before, withoutSteps(dump(t, l.DB)))

	other := l.of(l.Manager)
	other.at = l.at
	r := other.request()
	r.RequestedBy = l.member
	_, err = l.store.Admit(ctx, other.admitInput(r))
	refused(t, offboarding.CodeNotAuthorized, err)
	r = other.request()
	r.NewOwnerID = l.member
	_, err = l.store.Admit(ctx, other.admitInput(r))
	refused(t, offboarding.CodeNewOwnerNotEligible, err)
	other.inGrace()
	_, err = l.store.Claim(ctx, other.claimInput(theirs, l.member))
	refused(t, offboarding.CodeNoAccess, err)
	_, err = l.store.AuthorizeTransfer(ctx, offboarding.AuthorizeTransferInput{Step: other.step("t"), Message: offboarding.TransferDocuments{AdminID: l.Admin, NewOwnerID: l.member}})
	refused(t, offboarding.CodeNewOwnerNotEligible, err)
	_, err = l.store.AuthorizeTransfer(ctx, offboarding.AuthorizeTransferInput{Step: other.step("t2"), Message: offboarding.TransferDocuments{AdminID: l.member}})
	refused(t, offboarding.CodeNotAuthorized, err)
	invariantsHold(t, l.store)
}

// The open case of a deleted member goes on: grace, claims, read-only, transfers,
// until everything has an owner. It can no longer be turned back, and forgets the
// person when it closes.
func TestTheOpenCaseOfADeletedMemberGoesOn(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Exec(`UPDATE organizations SET attribution = 'anonymous'`)
	l.Exec(`UPDATE members SET display_name = 'Ada Zzmarker', external_id = 'zzmarker' WHERE id = $1`, l.member)
	claimed, maker := l.claimable()
	late, left := l.Document(l.member, ""), l.Document(l.member, "")
	l.Grant(late, maker, offboarding.GrantEdit)
	l.inGrace()
	l.Exec(`UPDATE cases SET workflow_id = 'offboarding/external:zzmarker' WHERE id = $1`, l.id)
	out := l.deleted()
	require.Equal(t, l.id, out.CaseID)
	require.Equal(t, 3, out.Documents)
	require.Equal(t, "offboarding/external:zzmarker", l.Text(`SELECT workflow_id FROM cases WHERE id = $1`, l.id), "messages go there")

	_, err := l.store.AuthorizeReactivation(t.Context(), reactivateInput(l))
	refused(t, offboarding.CodeMemberNotFound, err)
	_, err = l.store.ReactivateMember(t.Context(), offboarding.ReactivateInput{Step: l.step("m"), Message: offboarding.Reactivate{AdminID: l.Admin}})
	refused(t, offboarding.CodeMemberNotFound, err)
	l.claim(claimed, maker)
	l.readOnly()
	require.Equal(t, l.member+" read_only", l.DocumentState(left))
	l.claim(late, maker)
	invariantsHold(t, l.store)
	l.transfer(l.Manager)
	s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("done")})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseCompleted, s.Phase)
	require.Equal(t, maker+" editable", l.DocumentState(claimed))
	require.Equal(t, l.Manager+" editable", l.DocumentState(left))
	require.Equal(t, "Archived Users/Deleted member", l.path(left))
	require.NotContains(t, strings.ToLower(dump(t, l.DB)), marker)
	require.Equal(t, offboarding.WorkflowID(l.member), l.Text(`SELECT workflow_id FROM cases WHERE id = $1`, l.id))
	invariantsHold(t, l.store)
}

func TestWhoMayBeDeleted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*leaving)
		change  func(*leaving, *offboarding.DeletionRequest)
		codes   []offboarding.Code
		want    offboarding.DeletionBegun
	}{
		"active":   {want: offboarding.DeletionBegun{Offboard: true}},
		"inactive": {prepare: func(l *leaving) { l.completed() }},
		"archived, and managed by Entra": {prepare: func(l *leaving) {
			l.completed()
			l.Exec(`UPDATE members SET status = 'archived', managed_by = 'entra' WHERE id = $1`, l.member)
		}},
		"in the grace": {prepare: func(l *leaving) { l.Document(l.member, ""); l.inGrace() }},
		"on the way out": {
			prepare: func(l *leaving) { l.revoked(l.request()) }, want: offboarding.DeletionBegun{Wait: true},
		},
		"the last owner": {
			prepare: func(l *leaving) { l.member = l.Owner },
			change:  func(l *leaving, r *offboarding.DeletionRequest) { r.MemberID = l.Owner },
			codes:   []offboarding.Code{offboarding.CodeNotAuthorized, offboarding.CodeLastOwner},
		},
		"themselves": {
			change: func(l *leaving, r *offboarding.DeletionRequest) { r.MemberID = l.Admin }, codes: []offboarding.Code{offboarding.CodeSelfOffboarding},
		},
		"an owner who has left, by an admin": {
			prepare: func(l *leaving) { l.completed(); l.Exec(`UPDATE members SET role = 'owner' WHERE id = $1`, l.member) },
			codes:   []offboarding.Code{offboarding.CodeNotAuthorized},
		},
		"managed, and active": {
			prepare: func(l *leaving) { l.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, l.member) },
			codes:   []offboarding.Code{offboarding.CodeExternallyManaged},
		},
		"scheduled, under legal hold, by nobody in particular": {
			prepare: func(l *leaving) {
				r := l.request()
				r.EffectiveAt = "2026-05-01"
				l.admit(r)
				l.Exec(`INSERT INTO legal_holds (id, organization_id, member_id, reason, placed_by, placed_at) VALUES ($1, $2, $3, 'r', $4, $5)`,
					newID(), l.ID, l.member, l.Admin, l.at)
			},
			change: func(l *leaving, r *offboarding.DeletionRequest) { r.RequestedBy = l.Manager },
			codes:  []offboarding.Code{offboarding.CodeNotAuthorized, offboarding.CodeWrongPhase, offboarding.CodeLegalHold},
		},
		"by external ID": {
			change: func(_ *leaving, r *offboarding.DeletionRequest) { r.MemberID = "external:m4" },
			codes:  []offboarding.Code{offboarding.CodeInvalidArgument},
		},
		"nobody": {
			change: func(_ *leaving, r *offboarding.DeletionRequest) { r.MemberID = newID() }, codes: []offboarding.Code{offboarding.CodeMemberNotFound},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			if test.prepare != nil {
				test.prepare(l)
			}
			in := l.deletionInput(func(r *offboarding.DeletionRequest) {
				if test.change != nil {
					test.change(l, r)
				}
			})
			before := withoutSteps(dump(t, l.DB))
			begun, err := l.store.BeginDeletion(t.Context(), in)
			require.Equal(t, before, withoutSteps(dump(t, l.DB)))
			if test.codes == nil {
				require.NoError(t, err)
				test.want.MemberID = l.member
				require.Equal(t, test.want, begun)
				return
			}
			var refusal *offboarding.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, test.codes, refusal.Codes())
		})
	}
}

// Whoever comes first wins; the other finds a member who is active, or none.
func TestDeletionAndReactivation(t *testing.T) {
	race(t, func(l *leaving) (call, call, func(a, b error)) {
		l.completed()
		var out offboarding.Erased
		erase := l.deletionInput(nil)
		return l.begin(l.beginInput(nil)), func(ctx context.Context) (any, error) {
				var err error
				out, err = l.store.EraseMember(ctx, erase)
				return out, err
			}, func(a, b error) {
				require.NoError(t, b)
				if a == nil {
					require.True(t, out.Active)
					require.Equal(t, "active false", l.memberState())
					return
				}
				refused(t, offboarding.CodeMemberNotFound, a)
				require.Equal(t, "deleted true", l.memberState())
			}
	})
}

// A deletion that was broken off, and goes on when the member is back, is over.
func TestADeletionIsOverWhenTheMemberComesBack(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	in := l.deletionInput(nil)
	in.Name = "admit/1"
	begun, err := l.store.BeginDeletion(t.Context(), in)
	require.NoError(t, err)
	require.True(t, begun.Offboard)
	require.NoError(t, l.store.StillToDelete(t.Context(), in.CaseID, l.member))
	l.completed()
	require.NoError(t, l.store.StillToDelete(t.Context(), in.CaseID, l.member))
	l.at = l.at.Add(time.Hour)
	_, err = l.store.BeginReactivation(t.Context(), l.beginInput(nil))
	require.NoError(t, err)
	refused(t, offboarding.CodeWrongPhase, l.store.StillToDelete(t.Context(), in.CaseID, l.member))
	in.Name = "admit/2"
	_, err = l.store.BeginDeletion(t.Context(), in)
	refused(t, offboarding.CodeWrongPhase, err)
	in = l.deletionInput(nil)
	in.Name, in.At = "admit/1", l.at.Add(time.Hour)
	_, err = l.store.BeginDeletion(t.Context(), in)
	require.NoError(t, err, "one that is asked for now is another")
}
