package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// TransferDocumentsInput moves documents of leavers.
type TransferDocumentsInput struct {
	OriginInput
	Body TransferBody
}

// TransferBody says what goes to whom.
type TransferBody struct {
	From        string   `json:"from,omitempty" maxLength:"400" doc:"The leaver whose documents go, all of them: ID, email:<address> or external:<external id>; instead of document_ids" example:"external:emp-1041"`
	DocumentIDs []string `json:"document_ids,omitempty" maxItems:"1000" doc:"The documents that go: IDs or external:<external id>, of one leaver or of several; instead of from"`
	NewOwner    string   `json:"new_owner,omitempty" maxLength:"400" doc:"Who gets them: a maker, or manager for the leaver's; the caller where nobody is named" example:"email:grace@example.com"`
}

// TransferDocumentsOutput says what went.
type TransferDocumentsOutput struct{ Body Transferred }

// Transferred says what a transfer came to, leaver by leaver.
type Transferred struct {
	Message    string           `json:"message" enum:"SUCCESS,PARTIAL_SUCCESS" doc:"SUCCESS where the documents of all leavers went"`
	ResultCode int              `json:"resultCode" enum:"0,3" doc:"0 for SUCCESS, 3 for PARTIAL_SUCCESS"`
	Documents  int              `json:"documents" doc:"Documents that changed hands"`
	Transfers  []TransferOfCase `json:"transfers" doc:"An entry for each leaver"`
}

// TransferOfCase is what became of one leaver's documents.
type TransferOfCase struct {
	MemberID  string                  `json:"member_id" doc:"The leaver"`
	CaseID    string                  `json:"case_id" doc:"The leaver's case"`
	Outcome   string                  `json:"outcome" enum:"transferred,refused" doc:"What became of it"`
	OwnerID   string                  `json:"owner_id,omitempty" doc:"Who owns the documents now"`
	Documents int                     `json:"documents" doc:"Documents that changed hands"`
	Errors    []offboarding.Violation `json:"errors,omitempty" doc:"Why it was refused"`
}

func (a *API) transfers() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/documents/transfer", OperationID: "transfer-documents", Summary: "Transfer documents of leavers",
		Tags: []string{"Documents"}, DefaultStatus: http.StatusOK, Errors: []int{http.StatusNotFound, http.StatusConflict},
		Description: "Gives what leavers still own to somebody else: all of one leaver's documents, or those that are named (rules T1 and N1). " +
			"The documents of one leaver go together or not at all. Where those of several are named and some are refused, the answer is PARTIAL_SUCCESS.",
	}, a.transfer)
}

// group is what goes in one message: documents of one leaver.
type group struct {
	row     offboarding.CaseRow
	message offboarding.TransferDocuments
}

func (a *API) transfer(ctx context.Context, c *auth.Caller, in *TransferDocumentsInput) (*TransferDocumentsOutput, error) {
	groups, err := a.groups(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := Transferred{Message: "SUCCESS", Transfers: []TransferOfCase{}}
	var refused []offboarding.Violation
	for _, g := range groups {
		t := TransferOfCase{MemberID: g.row.MemberID, CaseID: g.row.ID, Outcome: "refused"}
		outcome, err := a.cases.Transfer(ctx, g.row.WorkflowID, g.message, client.WithUpdateID(a.updateID(ctx)))
		var refusal *offboarding.Refusal
		switch {
		case errors.As(err, &refusal):
			t.Errors = refusal.Violations
			refused = append(refused, refusal.Violations...)
		case err != nil:
			return nil, err // sent again with the same key it goes on where it stopped
		default:
			t.Outcome, t.OwnerID, t.Documents = outcome.Outcome, outcome.OwnerID, outcome.Documents
			out.Documents += outcome.Documents
		}
		if t.Errors != nil {
			out.Message, out.ResultCode = "PARTIAL_SUCCESS", 3
		}
		out.Transfers = append(out.Transfers, t)
	}
	for _, t := range out.Transfers {
		if t.Errors == nil {
			return &TransferDocumentsOutput{out}, nil
		}
	}
	return nil, problem.Of(ctx, refused)
}

// groups finds everything that a transfer names; what cannot be found is reported
// all together, before anything is sent.
func (a *API) groups(ctx context.Context, c *auth.Caller, in *TransferDocumentsInput) ([]*group, error) {
	n, b := a.naming(ctx, c), in.Body
	origin := n.origin(in.OriginInput)
	if (b.From == "") == (len(b.DocumentIDs) == 0) {
		n.add(offboarding.Violation{
			Rule: "T1", Code: offboarding.CodeInvalidArgument, Field: "document_ids", Message: "name the leaver in from, or documents in document_ids, one of them",
		})
	}
	of, named := map[string]*group{}, map[string]bool{}
	var groups []*group
	to := func(row offboarding.CaseRow) *group {
		if of[row.ID] == nil {
			of[row.ID] = &group{row: row, message: offboarding.TransferDocuments{AdminID: c.Member.ID, Origin: origin}}
			groups = append(groups, of[row.ID])
		}
		return of[row.ID]
	}
	if b.From != "" {
		if m := n.member(b.From, "from"); m.ID != "" {
			row, err := a.store.FindCase(ctx, m.ID, a.now().UTC())
			if n.waits(err, m.Status, "from") {
				to(row)
			}
		}
	}
	for _, ref := range b.DocumentIDs {
		d := n.document(ref, "document_ids")
		if d.ID == "" || named[d.ID] {
			continue
		}
		named[d.ID] = true
		g := of[d.CaseID]
		if g == nil { // also what is archived, which waits for nobody and can be given away all the same
			row, err := a.store.FindCaseOfDocument(ctx, d.ID, a.now().UTC())
			if !n.waits(err, d.OwnerStatus, "document_ids") {
				continue
			}
			g = to(row)
		}
		g.message.DocumentIDs = append(g.message.DocumentIDs, d.ID)
	}
	for _, g := range groups {
		g.message.NewOwnerID = n.newOwner(b.NewOwner, g.row.OrganizationID, "new_owner")
	}
	return groups, n.err()
}

// waits reports whether a case was found to which a transfer can be sent. Where none
// is open and the owner is active, that is why (rule T1).
func (n *naming) waits(err error, owner offboarding.MemberStatus, field string) bool {
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound && owner == offboarding.MemberActive {
		err = offboarding.Refuse("T1", offboarding.CodeMemberStillActive, field, "documents are transferred only from a member who is not active")
	}
	if err != nil {
		n.keep(err, field)
	}
	return err == nil
}
