package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

const month = 30 * 24 * time.Hour

// Entra's leaver becomes archived a month after the deactivation, by the case that
// deactivated them and by no other, and not after a rehire (seed 000).
func TestArchiveMember(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("entra", l.Leaver)
	status := func() string { return l.Text(`SELECT status FROM members WHERE id = $1`, l.Leaver) }
	archive := func(c *leaving) bool {
		t.Helper()
		c.at = c.at.Add(month)
		archived, err := c.store.ArchiveMember(t.Context(), c.step("archive-member"))
		require.NoError(t, err)
		return archived
	}
	leave := func(c *leaving) {
		t.Helper()
		c.revoked(c.providers("entra"))
		d, err := c.store.Deactivate(t.Context(), c.step("deactivate"))
		require.NoError(t, err)
		require.Equal(t, c.at.Add(month), *d.ArchiveAt)
		_, err = c.store.Settle(t.Context(), offboarding.SettleInput{Step: c.step("settle")})
		require.NoError(t, err)
		require.Equal(t, "completed", c.phase())
	}
	leave(l)
	l.Exec(`UPDATE members SET status = 'active', deactivated_at = NULL WHERE id = $1`, l.Leaver)
	rehired := *l
	require.False(t, archive(&rehired))
	require.Equal(t, "active", status())

	second := l.of(l.Leaver)
	second.at = second.at.Add(24 * time.Hour)
	leave(second)
	third := l.of(l.Leaver) // the first case's timer again, were it not recorded
	third.Exec(`DELETE FROM case_steps WHERE step = 'archive-member'`)
	require.False(t, archive(l), "the account is the second case's")
	require.True(t, archive(second))
	require.Equal(t, "archived", status())
	require.True(t, archive(second), "asked again, the step answers the same")
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'ArchiveMember' AND case_id = $1 AND subject_id = $2
		AND before->>'status' = 'inactive' AND after->>'status' = 'archived'`, second.id, l.Leaver))
	require.Equal(t, 1, l.eventsOf("ArchiveMember"))

	// Archived is not active: no start, no claim, no seat, no new document.
	_, err := l.store.Admit(t.Context(), third.admitInput(third.providers("entra")))
	refused(t, offboarding.CodeAlreadyInactive, err)
	require.Equal(t, 3, l.Count(`SELECT count(*) FROM members WHERE status = 'active'`))
}

// Okta's leaver stays inactive, and so does one whom nobody manages.
func TestOnlyEntraArchives(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("okta", l.Leaver)
	l.revoked(l.providers("okta"))
	d, err := l.store.Deactivate(t.Context(), l.step("deactivate"))
	require.NoError(t, err)
	require.Nil(t, d.ArchiveAt)
	other := l.of(l.Manager)
	other.revoked(other.request())
	d, err = l.store.Deactivate(t.Context(), other.step("deactivate"))
	require.NoError(t, err)
	require.Nil(t, d.ArchiveAt)
}

// A case that is taken over knows when its leaver becomes archived, one that was
// opened in phase deactivated too; not once that is done.
func TestArchiveAtOfACaseThatIsTakenOver(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("entra", l.Leaver)
	l.Document(l.Leaver, "")
	l.deactivated(l.providers("entra"))
	deactivated := l.at
	again := func() *time.Time {
		t.Helper()
		a, err := l.store.Admit(t.Context(), l.of(l.Leaver).admitInput(l.providers("entra")))
		require.NoError(t, err)
		require.True(t, a.Resumed)
		return a.ArchiveAt
	}
	require.Equal(t, deactivated.Add(month), *again())
	l.at = deactivated.Add(month)
	_, err := l.store.ArchiveMember(t.Context(), l.step("archive-member"))
	require.NoError(t, err)
	require.Nil(t, again())
}

// Whoever starts the archival, it comes at its time and only for whom Entra manages.
func TestNobodyIsArchivedBeforeTheTime(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	l.Provisioned("entra", l.Leaver)
	l.revoked(l.providers("entra"))
	_, err := l.store.Deactivate(t.Context(), l.step("deactivate"))
	require.NoError(t, err)
	other := l.of(l.Manager)
	other.revoked(other.request())
	_, err = l.store.Deactivate(t.Context(), other.step("deactivate"))
	require.NoError(t, err)
	other.at = other.at.Add(month)
	archived, err := l.store.ArchiveMember(t.Context(), other.step("archive-member"))
	require.NoError(t, err)
	require.False(t, archived, "nobody manages the account")

	l.at = l.at.Add(month - time.Minute - time.Second) // a step is a minute later
	_, err = l.store.ArchiveMember(t.Context(), l.step("too-early"))
	refused(t, offboarding.CodeWrongPhase, err)
	require.Equal(t, 2, l.Count(`SELECT count(*) FROM members WHERE status = 'inactive'`))
	l.at = l.at.Add(time.Second - time.Minute)
	archived, err = l.store.ArchiveMember(t.Context(), l.step("archive-member"))
	require.NoError(t, err)
	require.True(t, archived, "at the time")
}
