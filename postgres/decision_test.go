package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

// Rule C3: the document goes to the requester, or to whom the admin names; the
// others' requests on it are superseded, and those on other documents stay.
func TestApproval(t *testing.T) {
	t.Parallel()
	for name, named := range map[string]bool{"for the requester": false, "for somebody else": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaving(t)
			document, other := l.Document(l.member, ""), l.Document(l.member, "")
			l.inGrace()
			maker := l.Maker()
			request := l.requested(document, maker)
			beaten := l.requested(document, l.Maker())
			stays := l.requested(other, maker)
			in, owner := l.decideInput(request, offboarding.DecisionApprove, ""), maker
			if named {
				in.Message.NewOwnerID, owner = "external:m3", l.Manager
			}
			out, err := l.store.Decide(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, offboarding.Outcome{
				Outcome: offboarding.OutcomeApproved, RequestID: request, DocumentID: document, OwnerID: owner, Documents: 1, Superseded: []string{beaten},
			}, out)
			require.Equal(t, owner+" editable", l.DocumentState(document))
			require.Equal(t, "approved "+l.Admin+" as agreed "+owner, l.Text(
				`SELECT status || ' ' || decided_by || ' ' || decision_note || ' ' || new_owner_id FROM ownership_requests WHERE id = $1`, request))
			require.Equal(t, "superseded", l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, beaten))
			require.Equal(t, "pending", l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, stays))
			require.Equal(t, 3, l.Count(`SELECT count(*) FROM audit_events WHERE actor_id = $1 AND document_id = $2`, l.Admin, document))
			invariantsHold(t, l.store)
		})
	}
}

func TestRejection(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document, maker := l.Document(l.member, ""), l.Maker()
	request := l.inGrace().requested(document, maker)
	_, err := l.store.Decide(t.Context(), l.decideInput(request, offboarding.DecisionReject, ""))
	require.NoError(t, err)
	require.Equal(t, `RejectDocOwnership {"status": "pending"} -> {"status": "rejected"}`, l.lastEvent())
	require.Equal(t, l.member+" editable", l.DocumentState(document))
	// One may ask again.
	require.Equal(t, offboarding.OutcomeRequested, l.claim(document, maker).Outcome)
	invariantsHold(t, l.store)
}

func TestDecisionsThatAreRefused(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document := l.Document(l.member, "")
	reader := l.Member(offboarding.RoleReader, offboarding.AccountViewer)
	request := l.inGrace().requested(document, reader)
	stranger := fixture.New(t, l.DB)
	elsewhere := newLeavingOn(t, stranger, l.store)
	theirs := elsewhere.Document(elsewhere.member, "")
	foreign := elsewhere.inGrace().requested(theirs, elsewhere.Maker())

	for name, test := range map[string]struct {
		m    offboarding.AdminApproval
		code offboarding.Code
	}{
		"by a contributor":                        {offboarding.AdminApproval{RequestID: request, AdminID: l.Manager, Decision: "approve"}, offboarding.CodeNotAuthorized},
		"by another organization's owner":         {offboarding.AdminApproval{RequestID: request, AdminID: stranger.Owner, Decision: "approve"}, offboarding.CodeNotAuthorized},
		"by the leaver":                           {offboarding.AdminApproval{RequestID: request, AdminID: l.member, Decision: "approve"}, offboarding.CodeNotAuthorized},
		"for a reader":                            {offboarding.AdminApproval{RequestID: request, AdminID: l.Admin, Decision: "approve"}, offboarding.CodeNewOwnerNotEligible},
		"for the leaver":                          {offboarding.AdminApproval{RequestID: request, AdminID: l.Admin, Decision: "approve", NewOwnerID: l.member}, offboarding.CodeNewOwnerNotEligible},
		"for another organization's owner":        {offboarding.AdminApproval{RequestID: request, AdminID: l.Admin, Decision: "approve", NewOwnerID: stranger.Owner}, offboarding.CodeNewOwnerNotEligible},
		"of another organization's request":       {offboarding.AdminApproval{RequestID: foreign, AdminID: l.Admin, Decision: "approve"}, offboarding.CodeRequestNotPending},
		"of nothing":                              {offboarding.AdminApproval{RequestID: "r1", AdminID: l.Admin, Decision: "approve"}, offboarding.CodeRequestNotPending},
		"another word than approve and reject":    {offboarding.AdminApproval{RequestID: request, AdminID: l.Admin, Decision: "maybe"}, offboarding.CodeInvalidArgument},
		"a rejection that names an owner for all": {offboarding.AdminApproval{RequestID: request, AdminID: l.Admin, Decision: "reject", NewOwnerID: l.Manager}, offboarding.CodeInvalidArgument},
	} {
		_, err := l.store.Decide(t.Context(), offboarding.DecideInput{Step: l.step(name), Message: test.m})
		require.Equal(t, test.code, offboarding.CodeOf(err), "%s: %v", name, err)
		require.Equal(t, "pending", l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, request), name)
	}
}

// A document whose owner changed outside of the case is not taken away again.
func TestApprovalOfADocumentThatHasAnOwner(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	document := l.Document(l.member, "")
	request := l.inGrace().requested(document, l.Maker())
	l.Exec(`UPDATE documents SET owner_id = $2 WHERE id = $1`, document, l.Admin)
	_, err := l.store.Decide(t.Context(), l.decideInput(request, offboarding.DecisionApprove, ""))
	refused(t, offboarding.CodeAlreadyOwned, err)
	require.Equal(t, l.Admin+" editable", l.DocumentState(document))
	// The case completes and lets go of the request.
	s, err := l.store.Settle(t.Context(), offboarding.SettleInput{Step: l.step("settle again")})
	require.NoError(t, err)
	require.Equal(t, offboarding.Settled{Phase: offboarding.PhaseCompleted}, s)
	require.Equal(t, "superseded", l.Text(`SELECT status FROM ownership_requests WHERE id = $1`, request))
}
