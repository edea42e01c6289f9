package offboarding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// claim are facts under which a claim wins.
func claim() offboarding.ClaimFacts {
	return offboarding.ClaimFacts{
		Claimant: member("x"), SameOrganization: true, DocumentFound: true, OwnedByLeaver: true,
		Grant: offboarding.GrantEdit, Policy: offboarding.PolicySelfServe,
	}
}

type claimCase struct {
	change  func(f *offboarding.ClaimFacts)
	outcome string
	broken  []string
}

func runClaims(t *testing.T, tests map[string]claimCase) {
	t.Helper()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := claim()
			tt.change(&f)
			outcome, err := offboarding.JudgeClaim(f)
			require.Equal(t, tt.outcome, outcome)
			require.Equal(t, tt.broken, broken(t, err))
		})
	}
}

func TestRuleC1(t *testing.T) {
	t.Parallel()
	owned := []string{"C1 already_owned document_id"}
	runClaims(t, map[string]claimCase{
		"a maker with an edit grant": {func(*offboarding.ClaimFacts) {}, offboarding.OutcomeClaimed, nil},
		"whatever was asked before":  {func(f *offboarding.ClaimFacts) { f.Pending = true }, offboarding.OutcomeClaimed, nil},
		"whatever the role":          {func(f *offboarding.ClaimFacts) { f.Claimant.Role = offboarding.RoleReader }, offboarding.OutcomeClaimed, nil},
		"somebody was first":         {func(f *offboarding.ClaimFacts) { f.OwnedByLeaver = false }, "", owned},
		"the leaver is active":       {func(f *offboarding.ClaimFacts) { f.LeaverActive = true }, "", owned},
		"taken, and archived":        {func(f *offboarding.ClaimFacts) { f.OwnedByLeaver, f.Archived = false, true }, "", owned},
		"archived":                   {func(f *offboarding.ClaimFacts) { f.Archived = true }, "", []string{"C1 not_eligible_to_claim document_id"}},
		"held":                       {func(f *offboarding.ClaimFacts) { f.Held = true }, "", []string{"H1 legal_hold document_id"}},
		"a claim and nothing else":   {func(f *offboarding.ClaimFacts) { f.As = offboarding.AsClaim }, offboarding.OutcomeClaimed, nil},
		"which is not allowed":       {func(f *offboarding.ClaimFacts) { f.As, f.Policy = offboarding.AsClaim, offboarding.PolicyApproval }, "", []string{"C1 not_eligible_to_claim document_id"}},
	})
}

func TestRuleC2(t *testing.T) {
	t.Parallel()
	noAccess := []string{"C2 no_access document_id"}
	runClaims(t, map[string]claimCase{
		"an editor":                           {func(f *offboarding.ClaimFacts) { f.Claimant.AccountType = offboarding.AccountEditor }, offboarding.OutcomeRequested, nil},
		"a viewer":                            {func(f *offboarding.ClaimFacts) { f.Claimant.AccountType = offboarding.AccountViewer }, offboarding.OutcomeRequested, nil},
		"a view grant":                        {func(f *offboarding.ClaimFacts) { f.Grant = offboarding.GrantView }, offboarding.OutcomeRequested, nil},
		"another policy":                      {func(f *offboarding.ClaimFacts) { f.Policy = offboarding.PolicyApproval }, offboarding.OutcomeRequested, nil},
		"a second time":                       {func(f *offboarding.ClaimFacts) { f.Grant, f.Pending = offboarding.GrantView, true }, "", []string{"C2 already_requested document_id"}},
		"no grant":                            {func(f *offboarding.ClaimFacts) { f.Grant = offboarding.GrantNone }, "", noAccess},
		"nobody":                              {func(f *offboarding.ClaimFacts) { f.Claimant = nil }, "", noAccess},
		"inactive":                            {func(f *offboarding.ClaimFacts) { f.Claimant.Status = offboarding.MemberInactive }, "", noAccess},
		"another tenant":                      {func(f *offboarding.ClaimFacts) { f.SameOrganization = false }, "", noAccess},
		"no document":                         {func(f *offboarding.ClaimFacts) { f.DocumentFound = false }, "", noAccess},
		"asked for where it could be claimed": {func(f *offboarding.ClaimFacts) { f.As = offboarding.AsRequest }, offboarding.OutcomeRequested, nil},
		"held, and asked for":                 {func(f *offboarding.ClaimFacts) { f.As, f.Held = offboarding.AsRequest, true }, offboarding.OutcomeRequested, nil},
		"asked for a second time":             {func(f *offboarding.ClaimFacts) { f.As, f.Pending = offboarding.AsRequest, true }, "", []string{"C2 already_requested document_id"}},
		"not even hinted":                     {func(f *offboarding.ClaimFacts) { f.Grant, f.OwnedByLeaver, f.Archived = "", false, true }, "", noAccess},
	})
}

func TestRuleC3(t *testing.T) {
	t.Parallel()
	approve := offboarding.AdminApproval{RequestID: "r", AdminID: "admin", Decision: offboarding.DecisionApprove}
	reject := offboarding.AdminApproval{RequestID: "r", AdminID: "admin", Decision: offboarding.DecisionReject}
	notPending := []string{"C3 request_not_pending request_id"}
	tests := map[string]struct {
		message offboarding.AdminApproval
		change  func(f *offboarding.DecisionFacts)
		want    []string
	}{
		"approve":                    {approve, func(*offboarding.DecisionFacts) {}, nil},
		"reject":                     {reject, func(*offboarding.DecisionFacts) {}, nil},
		"by no admin":                {approve, func(f *offboarding.DecisionFacts) { f.Admin = by(member("x")) }, []string{"A1 not_authorized admin_id"}},
		"no such request":            {approve, func(f *offboarding.DecisionFacts) { f.Found, f.NewOwner = false, nil }, notPending},
		"reject what was decided":    {reject, func(f *offboarding.DecisionFacts) { f.Status = offboarding.RequestApproved }, notPending},
		"superseded":                 {approve, func(f *offboarding.DecisionFacts) { f.Status = offboarding.RequestSuperseded }, notPending},
		"withdrawn":                  {approve, func(f *offboarding.DecisionFacts) { f.Status = offboarding.RequestWithdrawn }, notPending},
		"rejected":                   {approve, func(f *offboarding.DecisionFacts) { f.Status = offboarding.RequestRejected }, notPending},
		"a requester who cannot own": {approve, func(f *offboarding.DecisionFacts) { f.NewOwner.AccountType = offboarding.AccountEditor }, []string{"N1 new_owner_not_eligible new_owner_id"}},
		"who is then rejected":       {reject, func(f *offboarding.DecisionFacts) { f.NewOwner.AccountType = offboarding.AccountEditor }, nil},
		"reject for another":         {offboarding.AdminApproval{Decision: offboarding.DecisionReject, NewOwnerID: "y"}, func(*offboarding.DecisionFacts) {}, []string{"C3 invalid_argument new_owner_id"}},
		"neither":                    {offboarding.AdminApproval{Decision: "Approve"}, func(*offboarding.DecisionFacts) {}, []string{"C3 invalid_argument decision"}},
		"all at once": {approve, func(f *offboarding.DecisionFacts) {
			f.Admin, f.Status, f.NewOwner = offboarding.Actor{}, offboarding.RequestRejected, member("leaver")
		}, []string{"A1 not_authorized admin_id", "C3 request_not_pending request_id", "N1 new_owner_not_eligible new_owner_id"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := offboarding.DecisionFacts{
				Admin: admin(), Found: true, Status: offboarding.RequestPending,
				Leaver: member("leaver", status(offboarding.MemberInactive)), NewOwner: member("x"),
			}
			tt.change(&f)
			require.Equal(t, tt.want, broken(t, offboarding.JudgeDecision(tt.message, f)))
		})
	}
}

func TestRuleT1(t *testing.T) {
	t.Parallel()
	left := status(offboarding.MemberInactive)
	tests := map[string]struct {
		facts offboarding.TransferFacts
		want  []string
	}{
		"from who has left":     {offboarding.TransferFacts{Admin: admin(), Leaver: member("leaver", left), NewOwner: member("x")}, nil},
		"from who was archived": {offboarding.TransferFacts{Admin: owner(), Leaver: member("leaver", status(offboarding.MemberArchived)), NewOwner: member("x")}, nil},
		"to the admin":          {offboarding.TransferFacts{Admin: admin(), Leaver: member("leaver", left), NewOwner: admin().Member}, nil},
		"from who is here":      {offboarding.TransferFacts{Admin: admin(), Leaver: member("leaver"), NewOwner: member("x")}, []string{"T1 member_still_active member_id"}},
		"what is not theirs":    {offboarding.TransferFacts{Admin: admin(), Leaver: member("leaver", left), NewOwner: member("x"), NotOwned: 1}, []string{"T1 already_owned document_ids"}},
		"all at once": {offboarding.TransferFacts{Admin: by(member("x")), Leaver: member("leaver"), NotOwned: 2}, []string{
			"A1 not_authorized admin_id", "T1 member_still_active member_id", "N1 new_owner_not_eligible new_owner_id", "T1 already_owned document_ids",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, broken(t, offboarding.JudgeTransfer(tt.facts)))
		})
	}
}

func TestRuleR1(t *testing.T) {
	t.Parallel()
	full := []string{"R1 seat_limit_exceeded"}
	for _, tt := range []struct {
		active, limit int
		want          []string
	}{{2, 3, nil}, {3, 3, full}, {4, 3, full}, {1000, 0, nil}, {0, 1, nil}} {
		got := broken(t, offboarding.JudgeReactivation(offboarding.ReactivationFacts{
			Admin: admin(), Leaver: member("leaver", status(offboarding.MemberInactive)), ActiveMembers: tt.active,
			Organization: offboarding.Organization{SeatLimit: tt.limit, Domains: []string{"acme.example"}},
		}))
		assert.Equal(t, tt.want, got, "%d of %d seats", tt.active, tt.limit)
	}
	f := offboarding.ReactivationFacts{Admin: admin(), Leaver: member("leaver"), ActiveMembers: 3, Organization: offboarding.Organization{SeatLimit: 3, Domains: []string{"acme.example"}}}
	assert.NoError(t, offboarding.JudgeReactivation(f), "who is still active has a seat")

	f.Leaver = member("leaver", role(offboarding.RoleOwner), status(offboarding.MemberArchived), func(m *offboarding.Member) { m.ManagedBy = "okta" })
	assert.Equal(t, []string{"A2 not_authorized admin_id", "R1 seat_limit_exceeded", "E5 externally_managed"}, broken(t, offboarding.JudgeReactivation(f)))
	f.Provider, f.Organization.IdentityProvider = "okta", "okta"
	assert.Equal(t, full, broken(t, offboarding.JudgeReactivation(f)), "a provider needs a free seat as anybody")
	f.Provider, f.Leaver.ManagedBy, f.Admin = "", "", by(member("leaver"))
	assert.Equal(t, []string{"A1 not_authorized admin_id", "A4 self_offboarding admin_id", "R1 seat_limit_exceeded"}, broken(t, offboarding.JudgeReactivation(f)))
}

// Seed 002: why somebody may ask and not claim.
func TestObstacles(t *testing.T) {
	t.Parallel()
	require.Empty(t, claim().Obstacle())
	for want, change := range map[offboarding.Obstacle]func(*offboarding.ClaimFacts){
		offboarding.ObstaclePolicy: func(f *offboarding.ClaimFacts) {
			f.Policy, f.Claimant.AccountType, f.Grant = offboarding.PolicyApproval, offboarding.AccountViewer, offboarding.GrantView
		},
		offboarding.ObstacleAccount: func(f *offboarding.ClaimFacts) {
			f.Claimant.AccountType, f.Grant = offboarding.AccountEditor, offboarding.GrantView
		},
		offboarding.ObstacleGrant: func(f *offboarding.ClaimFacts) { f.Grant = offboarding.GrantView },
	} {
		f := claim()
		change(&f)
		require.Equal(t, want, f.Obstacle())
		outcome, err := offboarding.JudgeClaim(f)
		require.NoError(t, err)
		require.Equal(t, offboarding.OutcomeRequested, outcome)
	}
}
