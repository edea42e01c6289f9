package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
)

// ClaimInput asks for a document.
type ClaimInput struct {
	DocumentPath
	OriginInput
	Body *NoteBody
}

// NoteBody is a note for whoever decides or reads about it.
type NoteBody struct {
	Note string `json:"note,omitempty" maxLength:"2000" doc:"For whoever decides" example:"I keep it up to date"`
}

func (b *NoteBody) text() string {
	if b == nil {
		return ""
	}
	return b.Note
}

func (a *API) claims() {
	register(a, AccessMember, huma.Operation{
		Method: http.MethodPost, Path: "/v1/documents/{id}/claim", OperationID: "claim-document", Summary: "Claim an unowned document",
		Tags: []string{"Documents"}, DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "The caller takes a document whose owner has left (rule C1): a maker with an edit grant on it, where the organization lets them. " +
			"The first to claim gets it, and the same answer when they ask again; everybody after is answered `already_owned`. Who may only ask is answered `not_eligible_to_claim` and asks with `request-ownership`.",
	}, func(ctx context.Context, c *auth.Caller, in *ClaimInput) (*OutcomeOutput, error) {
		return a.claim(ctx, c, in, offboarding.AsClaim)
	})
	register(a, AccessMember, huma.Operation{
		Method: http.MethodPost, Path: "/v1/documents/{id}/request-ownership", OperationID: "request-ownership", Summary: "Ask for an unowned document",
		Tags: []string{"Documents"}, DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "The caller asks for a document whose owner has left, and an admin decides (rule C2): any member with a grant on it, " +
			"also one who could claim it and would rather have it decided. One request of a member for a document waits at a time.",
	}, func(ctx context.Context, c *auth.Caller, in *ClaimInput) (*OutcomeOutput, error) {
		return a.claim(ctx, c, in, offboarding.AsRequest)
	})
}

func (a *API) claim(ctx context.Context, c *auth.Caller, in *ClaimInput, as string) (*OutcomeOutput, error) {
	n := a.naming(ctx, c)
	origin := n.origin(in.OriginInput)
	d := n.document(in.ID, "id")
	if err := n.err(); err != nil {
		return nil, err
	}
	var outcome offboarding.Outcome
	row, err := a.caseOf(ctx, d)
	if err == nil {
		outcome, err = a.cases.Claim(ctx, row.WorkflowID, offboarding.ClaimRequest{
			DocumentID: d.ID, MemberID: c.Member.ID, Note: in.Body.text(), As: as, Origin: origin,
		}, client.WithUpdateID(a.updateID(ctx)))
	}
	if as == offboarding.AsClaim && offboarding.CodeOf(err) == offboarding.CodeAlreadyOwned {
		// Theirs by a case already: the answer to a claim sent twice is the same, also
		// when the case has closed in between.
		given, readErr := a.store.GivenTo(ctx, d.ID, c.Member.ID)
		if readErr != nil {
			return nil, readErr
		}
		if given {
			outcome, err = offboarding.Outcome{Outcome: offboarding.OutcomeClaimed, DocumentID: d.ID, OwnerID: c.Member.ID}, nil
		}
	}
	return &OutcomeOutput{outcome}, err
}

// caseOf is the case that a message about a document goes to: the open one in which
// it waits, else the owner's last, which says why it is too late.
func (a *API) caseOf(ctx context.Context, d offboarding.DocumentRow) (offboarding.CaseRow, error) {
	now := a.now().UTC()
	row, err := a.store.FindCaseOfDocument(ctx, d.ID, now)
	if offboarding.CodeOf(err) != offboarding.CodeCaseNotFound {
		return row, err
	}
	if d.OwnerStatus == offboarding.MemberActive {
		return row, offboarding.Refuse("C1", offboarding.CodeAlreadyOwned, "document_id", "the document has an active owner")
	}
	return a.store.FindCase(ctx, d.OwnerID, now)
}
