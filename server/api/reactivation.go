package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// ReactivateMemberInput makes a member active again.
type ReactivateMemberInput struct {
	MemberPath
	OriginInput
	Body *ReturnBody
}

// ReactivateManyInput makes many members active again.
type ReactivateManyInput struct {
	OriginInput
	Body struct {
		MemberIDs []string `json:"member_ids" minItems:"1" maxItems:"1000" doc:"IDs, email:<address> or external:<external id>"`
		ReturnBody
	}
}

// ReactivationPreviewInput asks what the reactivation of a member would come to.
type ReactivationPreviewInput struct{ MemberPath }

// ReactivationPreviewOutput says what the reactivation of a member would come to.
type ReactivationPreviewOutput struct {
	Body offboarding.PreviewedReactivation
}

// ReactivationsPreviewInput asks what the reactivation of many members would come to.
type ReactivationsPreviewInput struct {
	Body struct {
		MemberIDs []string `json:"member_ids" minItems:"1" maxItems:"1000" doc:"The members' IDs" example:"[\"01a1ffde-c038-72a2-abd3-2ee046c7cc2d\"]"`
	}
}

// ReactivationsPreviewOutput says what the reactivation of many members would come to.
type ReactivationsPreviewOutput struct {
	Body offboarding.ReactivationPreview
}

// ManyAnswer is what became of many members.
type ManyAnswer struct {
	SeedAnswer
	Total   int          `json:"total"`
	Done    int          `json:"done" doc:"Of them, those for whom it came to what was asked for"`
	Refused int          `json:"refused"`
	Members []ManyMember `json:"members" doc:"In the order of the request"`
}

// ManyMember is what became of one of many.
type ManyMember struct {
	Position int                `json:"position" doc:"Place in the request, from 1"`
	MemberID string             `json:"member_id,omitempty" doc:"Nobody where there is no such member"`
	Outcome  string             `json:"outcome" example:"reactivated"`
	CaseID   string             `json:"case_id,omitempty"`
	Codes    []offboarding.Code `json:"codes,omitempty" doc:"Why refused"`
}

// ManyOutput answers a request about many members.
type ManyOutput struct{ Body ManyAnswer }

func (a *API) reactivations() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/members/{id}/reactivate", OperationID: "reactivate-member", Summary: "Reactivate a member", Tags: []string{"Members"},
		Description: "Makes a leaver active again, while the case is open and after (rules R1, E5). What is still unowned is theirs and editable again; " +
			"credentials and sessions stay revoked. Answers when the documents are settled.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, c *auth.Caller, in *ReactivateMemberInput) (*SeedOutput, error) {
		n := a.naming(ctx, c)
		m := n.member(in.ID, "id")
		origin := n.origin(in.OriginInput)
		if err := n.err(); err != nil {
			return nil, err
		}
		done, err := a.reactivate(ctx, c, m, origin, in.Body != nil && in.Body.ReturnDocuments)
		if err != nil {
			return nil, inSeedsWords(err)
		}
		out := &SeedOutput{Status: http.StatusOK, Body: success}
		if done.CaseID != "" {
			out.Location = caseURL(done.CaseID)
		}
		return out, nil
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/members/reactivate", OperationID: "reactivate-members", Summary: "Reactivate many members", Tags: []string{"Members"},
		Description: "Each is judged alone: SUCCESS/0 where all are active again, PARTIAL_SUCCESS/3 where some were refused; where all were, it is a problem that says " +
			"of each why. Only where no identity provider authenticates the organization (rule R2).",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.reactivateMany)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/reactivation-preview", OperationID: "preview-reactivation", Summary: "Preview a reactivation",
		Tags: []string{"Members"}, Errors: []int{http.StatusNotFound},
		Description: "What the reactivation of a member would come to, without doing it: every rule that it would break, and what becomes of the documents.",
	}, a.previewReactivation)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/members/reactivate/preview", OperationID: "preview-reactivations", Summary: "Preview the reactivation of many members",
		Tags: []string{"Members"}, Metadata: maps.Clone(changesNothing),
		Description: "What the reactivation of many members would come to, without doing it: each is judged alone, and who comes back takes a seat from those after them.",
	}, func(ctx context.Context, c *auth.Caller, in *ReactivationsPreviewInput) (*ReactivationsPreviewOutput, error) {
		preview, err := a.store.PreviewReactivation(ctx, offboarding.ReactivationRequest{MemberIDs: in.Body.MemberIDs, RequestedBy: c.Member.ID})
		return &ReactivationsPreviewOutput{preview}, err
	})
}

func (a *API) previewReactivation(ctx context.Context, c *auth.Caller, in *ReactivationPreviewInput) (*ReactivationPreviewOutput, error) {
	m, err := a.member(ctx, c, in.ID, "id")
	if err != nil {
		return nil, err
	}
	preview, err := a.store.PreviewReactivation(ctx, offboarding.ReactivationRequest{MemberID: m.ID, RequestedBy: c.Member.ID})
	if err != nil {
		return nil, err
	}
	refusal := &offboarding.Refusal{Violations: preview.Members[0].Violations}
	if refusal.Has(offboarding.CodeNotAuthorized) { // as of other previews
		return nil, refusal
	}
	return &ReactivationPreviewOutput{preview.Members[0]}, nil
}

// reactivate makes one member active again, and waits until it is done.
func (a *API) reactivate(ctx context.Context, c *auth.Caller, m offboarding.Member, origin string, returning bool) (*offboarding.MemberReactivation, error) {
	done, err := a.cases.ReactivateOnce(ctx, "", offboarding.ReactivationRequest{
		MemberID: m.ID, RequestedBy: c.Member.ID, Origin: origin, ReturnDocuments: returning,
	}, a.onceOnly(ctx))
	if err == nil && done.MemberReactivation == nil {
		err = errors.New("a reactivation of one member says nothing about it")
	}
	return done.MemberReactivation, err
}

func (a *API) reactivateMany(ctx context.Context, c *auth.Caller, in *ReactivateManyInput) (*ManyOutput, error) {
	n := a.naming(ctx, c)
	request := offboarding.ReactivationRequest{RequestedBy: c.Member.ID, Origin: n.origin(in.OriginInput), ReturnDocuments: in.Body.ReturnDocuments}
	if err := n.err(); err != nil {
		return nil, err
	}
	members := make([]ManyMember, len(in.Body.MemberIDs))
	why := make([][]offboarding.Violation, len(members))
	named := map[string]bool{}
	for i, ref := range in.Body.MemberIDs {
		members[i] = ManyMember{Position: i + 1, Outcome: offboarding.OutcomeRefused}
		one := a.naming(ctx, c)
		m := one.member(ref, "member_ids")
		if one.failed != nil {
			return nil, one.failed
		}
		if why[i] = one.violations; len(why[i]) > 0 {
			continue
		}
		members[i].MemberID = m.ID
		if !named[m.ID] {
			request.MemberIDs = append(request.MemberIDs, m.ID)
		}
		named[m.ID] = true
	}
	if len(request.MemberIDs) > 0 {
		result, err := a.cases.ReactivateOnce(ctx, a.newID(ctx, "reactivation"), request, a.onceOnly(ctx))
		if err != nil {
			return nil, err
		}
		done := map[string]offboarding.MemberReactivation{}
		for _, m := range result.Members {
			done[m.MemberID] = m
		}
		for i := range members {
			if m, ok := done[members[i].MemberID]; ok {
				members[i].Outcome, members[i].CaseID, members[i].Codes = m.Outcome, m.CaseID, m.Codes
			}
		}
	}
	for i, violations := range why {
		for _, v := range violations {
			members[i].Codes = append(members[i].Codes, v.Code)
		}
	}
	return manyAnswer(members, "member_ids", func(m ManyMember) bool { return m.Outcome == offboarding.OutcomeReactivated })
}

// manyAnswer counts. Where nobody came to what was asked for it is a refusal, which
// says of each member why.
func manyAnswer(members []ManyMember, field string, done func(ManyMember) bool) (*ManyOutput, error) {
	b := ManyAnswer{Total: len(members), Members: members}
	var why []offboarding.Violation
	for i, m := range members {
		if done(m) {
			b.Done++
			continue
		}
		b.Refused++
		for _, code := range m.Codes {
			why = append(why, offboarding.Violation{Code: code, Field: fmt.Sprintf("%s[%d]", field, i), Message: "refused: " + string(code)})
		}
	}
	b.Message, b.ResultCode = offboarding.BulkCounts{Total: b.Total, Started: b.Done, Refused: b.Refused}.Result()
	if b.Done == 0 {
		return nil, offboarding.RefusalOf(why)
	}
	return &ManyOutput{b}, nil
}
