package offboarding_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// Rule H1: a claim, an approval and a transfer of what is held are refused; asking
// for it is not.
func TestRuleH1(t *testing.T) {
	t.Parallel()
	claim := offboarding.ClaimFacts{
		Claimant: member("x"), SameOrganization: true, DocumentFound: true, OwnedByLeaver: true, Held: true,
		Grant: offboarding.GrantEdit, Policy: offboarding.PolicySelfServe,
	}
	_, err := offboarding.JudgeClaim(claim)
	require.Equal(t, []string{"H1 legal_hold document_id"}, broken(t, err))
	claim.Grant = offboarding.GrantView
	outcome, err := offboarding.JudgeClaim(claim)
	require.NoError(t, err)
	require.Equal(t, offboarding.OutcomeRequested, outcome)

	decision := offboarding.DecisionFacts{
		Admin: admin(), Found: true, Status: offboarding.RequestPending, Held: true, NewOwner: member("x"),
		Leaver: member("leaver", status(offboarding.MemberInactive)),
	}
	require.Equal(t, []string{"H1 legal_hold request_id"},
		broken(t, offboarding.JudgeDecision(offboarding.AdminApproval{Decision: offboarding.DecisionApprove}, decision)))
	require.NoError(t, offboarding.JudgeDecision(offboarding.AdminApproval{Decision: offboarding.DecisionReject}, decision), "nothing moves")

	require.Equal(t, []string{"H1 legal_hold document_ids"}, broken(t, offboarding.JudgeTransfer(offboarding.TransferFacts{
		Admin: admin(), Leaver: member("leaver", status(offboarding.MemberInactive)), NewOwner: member("x"), Held: true,
	})))
}

func TestRuleH1WhoMayHold(t *testing.T) {
	t.Parallel()
	h := offboarding.Hold{MemberID: "x", Reason: "matter 12"}
	require.NoError(t, offboarding.JudgePlaceHold(h, offboarding.HoldFacts{Actor: admin(), Found: true}))
	require.ElementsMatch(t, []string{"H1 invalid_argument member_id", "invalid_argument reason", "A1 not_authorized requested_by"},
		broken(t, offboarding.JudgePlaceHold(offboarding.Hold{MemberID: "x", DocumentID: "y"}, offboarding.HoldFacts{Actor: by(member("z"))})))
	require.Equal(t, []string{"H1 member_not_found member_id"}, broken(t, offboarding.JudgePlaceHold(h, offboarding.HoldFacts{Actor: admin()})))
	require.ElementsMatch(t, []string{"A1 not_authorized requested_by", "H1 hold_not_found hold_id"},
		broken(t, offboarding.JudgeLiftHold(offboarding.HoldFacts{Actor: by(member("z")), Found: true})))
	require.NoError(t, offboarding.JudgeLiftHold(offboarding.HoldFacts{Actor: admin(), Found: true, Live: true}))
}
