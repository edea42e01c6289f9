package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// Every credential and session of the leaver, and of nobody else; one event each.
func TestRevoke(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	for range 3 {
		l.Credential(l.member)
	}
	l.Session(l.member)
	old := l.Credential(l.member)
	l.Exec(`UPDATE credentials SET status = 'revoked', revoked_at = $2 WHERE id = $1`, old, l.at)
	others := l.Credential(l.Admin)
	l.admit(l.request())
	out, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke")})
	require.NoError(t, err)
	require.Equal(t, offboarding.Revoked{Plan: l.plan, Credentials: 3, Sessions: 1}, out)
	require.Equal(t, 3, l.Count(`SELECT count(*) FROM audit_events e JOIN credentials c ON c.id::text = e.subject_id
		WHERE e.event = 'RevokeCredentials' AND e.subject_kind = 'credential' AND c.revoked_at = e.at AND e.member_id = c.member_id
		AND e.before = '{"status": "active"}' AND e.after = '{"status": "revoked"}' AND e.actor_id = $1`, l.Owner))
	require.Equal(t, 1, l.eventsOf(offboarding.EventRevokeSessions))
	require.Equal(t, "active", l.Text(`SELECT status FROM credentials WHERE id = $1`, others))
	require.Equal(t, "revoking", l.phase())
}

// The second look: the new owner has left, and so has the manager.
func TestSecondLookFallsBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		gone  func(l *leaving, owner string) []string
		owner func(*leaving) string
	}{
		"to the manager": {
			gone:  func(_ *leaving, owner string) []string { return []string{owner} },
			owner: func(l *leaving) string { return l.Manager },
		},
		"to retain": {
			gone:  func(l *leaving, owner string) []string { return []string{owner, l.Manager} },
			owner: func(*leaving) string { return "" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			r := l.request()
			r.NewOwnerID, r.ArchiveSchedules = l.Maker(), true
			l.admit(r)
			for _, member := range test.gone(l, r.NewOwnerID) {
				l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, member, l.at)
			}
			out, err := l.store.Revoke(t.Context(), offboarding.RevokeInput{Step: l.step("revoke"), SecondLook: true})
			require.NoError(t, err)
			want := test.owner(l)
			require.Equal(t, want, out.Plan.NewOwnerID)
			require.Equal(t, want == "", out.Plan.Disposition == offboarding.DispositionRetain)
			require.NotEmpty(t, out.Plan.FallbackReason)
			require.Equal(t, want, l.Text(`SELECT new_owner_id FROM cases WHERE id = $1`, l.id))
			require.Equal(t, out.Plan.FallbackReason, l.Text(`SELECT after->>'reason' FROM audit_events WHERE event = 'ChangeNewOwner'`))
		})
	}
}

// A new owner whom a transfer has refused is not tried again, although eligible by now.
func TestFallBackDoesNotGoRound(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	r := l.request()
	r.NewOwnerID = "manager"
	l.deactivated(r)
	plan, err := l.store.FallBack(t.Context(), l.step("fall-back/"+l.Manager))
	require.NoError(t, err)
	require.Equal(t, offboarding.DispositionRetain, plan.Disposition)
}

// The seat is freed, what came alive since the revocation is revoked, requests
// elsewhere are withdrawn, grants stay.
func TestDeactivate(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	other := l.of(l.Maker())
	theirs, mine, archived := l.Document(other.member, ""), l.Document(l.member, ""), l.Document(l.member, "")
	l.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived)
	request := other.inGrace().requested(theirs, l.member)
	l.revoked(l.request())
	late := l.Credential(l.member)
	out, err := l.store.Deactivate(t.Context(), l.step("deactivate"))
	require.NoError(t, err)
	require.Equal(t, offboarding.Deactivated{Documents: 2, Unowned: 1}, out, "archived ones wait for nobody")
	require.Equal(t, "inactive", l.Text(`SELECT status FROM members WHERE id = $1`, l.member))
	require.Equal(t, l.Text(`SELECT deactivated_at FROM cases WHERE id = $1`, l.id), l.Text(`SELECT deactivated_at FROM members WHERE id = $1`, l.member))
	require.Equal(t, "revoked", l.Text(`SELECT status FROM credentials WHERE id = $1`, late))
	require.Equal(t, "withdrawn", l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, request))
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM grants WHERE member_id = $1`, l.member))
	require.Equal(t, l.member+" editable", l.DocumentState(mine))
	require.Equal(t,
		`DeactivateMember {"phase": "revoking", "status": "active"} -> {"phase": "deactivated", "status": "inactive"}`, l.lastEvent())
	invariantsHold(t, l.store)
}

// A case that the rules no longer allow ends, with its reasons, and the member can
// be offboarded another time.
func TestFail(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.admit(l.request())
	refusal := offboarding.Refusal{Violations: []offboarding.Violation{{Code: offboarding.CodeISPDomain}, {Code: offboarding.CodeLastOwner}}}
	require.NoError(t, l.store.Fail(t.Context(), offboarding.FailInput{Step: l.step("fail"), Refusal: refusal}))
	require.Equal(t, "failed", l.phase())
	require.Equal(t, "isp_domain,last_owner", l.Text(`SELECT failure FROM cases WHERE id = $1`, l.id))
	l.of(l.member).admit(l.request())
}
