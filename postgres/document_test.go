package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

func documentIDs(t *testing.T, l *leaving, f offboarding.DocumentFilter) []string {
	t.Helper()
	ids := []string{}
	for {
		page, err := l.store.Documents(t.Context(), f)
		require.NoError(t, err)
		for _, row := range page.Items {
			ids = append(ids, row.ID)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return ids
		}
	}
}

// Seed 002: members see what they own and what they have a grant on, and of that
// what they may claim or ask for.
func TestDocumentsAsAMemberSeesThem(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	maker := l.Maker()
	var own, granted, hidden string
	for i := range 3 { // in turns, so that pages mix them
		own = l.Document(maker, "")
		granted = l.Document(l.member, "")
		hidden = l.Document(l.member, "")
		if i > 0 {
			l.Grant(own, maker, offboarding.GrantEdit) // on what they own too: it is not listed twice
		}
		l.Grant(granted, maker, offboarding.GrantView)
	}
	others := l.Document(l.Manager, "")
	l.Grant(others, maker, offboarding.GrantEdit)
	archived := l.Document(l.member, "")
	l.Grant(archived, maker, offboarding.GrantEdit)
	mine := offboarding.DocumentFilter{ViewerID: maker, ViewerOnly: true}
	claimable := offboarding.DocumentFilter{ViewerID: maker, Claimable: true}
	require.Empty(t, documentIDs(t, l, claimable), "the owner is there still")

	l.inGrace()
	l.Exec(`UPDATE documents SET access = 'archived', access_case_id = $2 WHERE id = $1`, archived, l.id)
	all := documentIDs(t, l, mine)
	require.Len(t, all, 8)
	require.IsIncreasing(t, all)
	require.NotContains(t, all, hidden)
	for _, limit := range []int{1, 2, 3, 7} {
		mine.Limit, claimable.Limit = limit, limit
		require.Equal(t, all, documentIDs(t, l, mine), "pages of %d", limit)
		require.Len(t, documentIDs(t, l, claimable), 3, "pages of %d", limit)
	}
	require.NotContains(t, documentIDs(t, l, claimable), archived, "what is archived waits for nobody")
	require.Len(t, documentIDs(t, l, offboarding.DocumentFilter{ViewerID: maker, ViewerOnly: true, OwnerID: l.member}), 4)
	require.Equal(t, []string{others}, documentIDs(t, l, offboarding.DocumentFilter{ViewerID: maker, ViewerOnly: true, OwnerID: l.Manager}))

	request := l.claim(granted, maker).RequestID
	row, err := l.store.ReadDocument(t.Context(), granted, maker, false, l.ID)
	require.NoError(t, err)
	require.Equal(t, []any{l.id, offboarding.PhaseGrace, offboarding.GrantView, request, offboarding.MemberInactive},
		[]any{row.CaseID, row.CasePhase, row.Grant, row.RequestID, row.OwnerStatus})
	require.NotNil(t, row.GraceEndsAt)
	_, err = l.store.ReadDocument(t.Context(), hidden, maker, false, l.ID)
	refused(t, offboarding.CodeNoAccess, err)
	_, absent := l.store.ReadDocument(t.Context(), newID(), maker, false, l.ID)
	require.Equal(t, absent, err, "hidden is as absent")
	_, err = l.store.ReadDocument(t.Context(), hidden, l.Admin, true, l.ID)
	require.NoError(t, err)
}

// Rule W1: what somebody has left behind in a workspace can be claimed, and only that.
func TestDocumentsOfARemovalAreClaimable(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	maker := r.Maker()
	r.Grant(r.inside, maker, offboarding.GrantEdit)
	r.Grant(r.outside, maker, offboarding.GrantEdit)
	claimable := offboarding.DocumentFilter{ViewerID: maker, Claimable: true}
	require.Empty(t, documentIDs(t, r.leaving, claimable))
	r.deactivated(r.request())
	require.Equal(t, []string{r.inside}, documentIDs(t, r.leaving, claimable))
}

// Whoever lists within a reach sees nothing of other organizations, whatever they ask for.
func TestListsStayWithinReach(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.claimable()
	wanted := l.Document(l.member, "")
	l.inGrace()
	request := l.requested(wanted, maker)
	l.claim(document, maker)
	hold, err := l.store.PlaceHold(t.Context(), offboarding.Hold{DocumentID: wanted, Reason: "matter 1"}, l.Admin, l.at)
	require.NoError(t, err)
	other := fixture.New(t, l.DB)
	third := fixture.New(t, l.DB)

	ctx := t.Context()
	for name, list := range map[string]func(organization string, reach ...string) (int, error){
		"cases": func(organization string, reach ...string) (int, error) {
			page, err := l.store.Cases(ctx, offboarding.CaseFilter{OrganizationID: organization, Reach: reach, Now: l.at})
			return len(page.Items), err
		},
		"requests": func(organization string, reach ...string) (int, error) {
			page, err := l.store.Requests(ctx, offboarding.RequestFilter{OrganizationID: organization, Reach: reach})
			return len(page.Items), err
		},
		"members": func(organization string, reach ...string) (int, error) {
			page, err := l.store.Members(ctx, offboarding.MemberFilter{OrganizationID: organization, Reach: reach, Status: offboarding.MemberInactive})
			return *page.Total, err
		},
		"documents": func(organization string, reach ...string) (int, error) {
			page, err := l.store.Documents(ctx, offboarding.DocumentFilter{OrganizationID: organization, Reach: reach})
			return len(page.Items), err
		},
		"documents of a viewer": func(organization string, reach ...string) (int, error) {
			page, err := l.store.Documents(ctx, offboarding.DocumentFilter{OrganizationID: organization, Reach: reach, ViewerID: maker, ViewerOnly: true})
			return len(page.Items), err
		},
		"audit": func(organization string, reach ...string) (int, error) {
			page, err := l.store.AuditEvents(ctx, offboarding.AuditFilter{OrganizationID: organization, Reach: reach, CaseID: l.id})
			return len(page.Items), err
		},
		"holds": func(organization string, reach ...string) (int, error) {
			page, err := l.store.Holds(ctx, offboarding.HoldFilter{OrganizationID: organization, Reach: reach})
			return len(page.Items), err
		},
	} {
		for _, reach := range [][]string{{l.ID}, {other.ID, l.ID}} {
			n, err := list("", reach...)
			require.NoError(t, err)
			require.Positive(t, n, name)
		}
		for _, reach := range [][]string{{other.ID}, {other.ID, third.ID}} {
			for _, organization := range []string{"", l.ID} {
				n, err := list(organization, reach...)
				require.NoError(t, err)
				require.Zero(t, n, "%s of another organization", name)
			}
		}
	}
	_, err = l.store.FindRequest(ctx, request, l.ID)
	require.NoError(t, err)
	_, err = l.store.FindRequest(ctx, request, other.ID)
	_, absent := l.store.FindRequest(ctx, newID(), other.ID)
	require.Equal(t, absent, err)
	_, err = l.store.FindHold(ctx, hold, l.ID)
	require.NoError(t, err)
	_, err = l.store.FindHold(ctx, hold, other.ID)
	_, absent = l.store.FindHold(ctx, newID(), other.ID)
	require.Equal(t, absent, err)
}
