package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// DeactivateManyInput deactivates many members.
type DeactivateManyInput struct {
	OriginInput
	Body struct {
		MemberIDs []string `json:"memberIds" minItems:"1" maxItems:"1000" doc:"IDs, email:<address> or external:<external id>"`
		SeedPlan
		Confirmed bool `json:"confirmed,omitempty" doc:"Remove more of the organization than may be removed by mistake"`
	}
}

func (a *API) leavingMany() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/members/deactivate", OperationID: "deactivate-members", Summary: "Deactivate many members", Tags: []string{"Members"},
		Description: "A bulk offboarding in one call: answers when everybody has lost access or was refused. SUCCESS/0 where nobody gets in any more, PARTIAL_SUCCESS/3 " +
			"where some were refused; where all were, it is a problem that says of each why (rule B1).",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.deactivateMany)
}

func (a *API) deactivateMany(ctx context.Context, c *auth.Caller, in *DeactivateManyInput) (*ManyOutput, error) {
	plan, wrong := in.Body.plan()
	if len(wrong) > 0 {
		return nil, offboarding.RefusalOf(wrong)
	}
	members := make([]BulkMemberBody, len(in.Body.MemberIDs))
	for i, ref := range in.Body.MemberIDs {
		members[i].MemberID = ref
	}
	bulkID := a.newID(ctx, "bulk")
	r, err := a.bulkRequest(ctx, c, bulkID, members, plan, BulkOptions{Confirmed: in.Body.Confirmed}, in.OriginInput)
	if err != nil {
		return nil, inSeedsWords(err)
	}
	if _, err := a.cases.StartBulk(ctx, bulkID, r); err != nil {
		return nil, err
	}
	processed := func(row offboarding.BulkRunRow) bool { return row.AccessGoneAt != nil || row.ClosedAt != nil }
	if err := a.awaitBulk(ctx, c, bulkID, processed); err != nil {
		return nil, err
	}
	page, err := a.store.BulkMembers(ctx, bulkID, offboarding.BulkFilter{Limit: offboarding.MaxLimit})
	if err != nil {
		return nil, err
	}
	many := make([]ManyMember, len(page.Items))
	for i, m := range page.Items {
		many[i] = ManyMember{Position: m.Position, MemberID: m.MemberID, Outcome: string(m.Outcome), CaseID: m.CaseID}
		refusal := &offboarding.Refusal{Violations: m.Violations}
		many[i].Codes = refusal.Codes()
		switch {
		case m.Outcome == offboarding.BulkMemberFailed:
			many[i].Codes = []offboarding.Code{offboarding.CodeTryAgain}
		case m.Phase == offboarding.PhaseScheduled: // the case was there before, and the member still gets in
			many[i].Codes = []offboarding.Code{offboarding.CodeWrongPhase}
		}
	}
	return manyAnswer(many, "memberIds", func(m ManyMember) bool {
		switch offboarding.BulkOutcome(m.Outcome) {
		case offboarding.BulkMemberStarted, offboarding.BulkMemberScheduled, offboarding.BulkMemberExisting:
			return len(m.Codes) == 0
		}
		return false
	})
}
