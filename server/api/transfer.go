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

// TransferInput moves documents of leavers.
type TransferInput struct{ Body TransferBody }

// TransferBody says what goes to whom.
type TransferBody struct {
	From        string   `json:"from,omitempty" maxLength:"400" doc:"The leaver whose documents go, all of them: ID, email:<address> or external:<external id>; instead of document_ids" example:"external:emp-1041"`
	DocumentIDs []string `json:"document_ids,omitempty" maxItems:"1000" doc:"The documents that go: IDs or external:<external id>, of one leaver or of several; instead of from"`
	NewOwner    string   `json:"new_owner,omitempty" maxLength:"400" doc:"Who gets them: a maker, or manager for the leaver's; the caller where nobody is named" example:"email:grace@example.com"`
}

// TransferOutput says what went.
type TransferOutput struct{ Body Transferred }

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

func (a *API) transfer(ctx context.Context, c *auth.Caller, in *TransferInput) (*TransferOutput, error) {
	groups, err := a.groups(ctx, c, in.Body)
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
			return &TransferOutput{out}, nil
		}
	}
	return nil, problem.Of(ctx, refused)
}

// groups finds everything that a transfer names; what cannot be found is reported
// all together, before anything is sent.
func (a *API) groups(ctx context.Context, c *auth.Caller, b TransferBody) ([]*group, error) {
	var w wrong
	if (b.From == "") == (len(b.DocumentIDs) == 0) {
		w.add(offboarding.Refuse("T1", offboarding.CodeInvalidArgument, "document_ids", "name the leaver in from, or documents in document_ids, one of them"), "")
	}
	var groups []*group
	if b.From != "" {
		m, err := a.store.FindMember(ctx, b.From, c.Organizations...)
		if w.add(err, "from") {
			row, err := a.caseOfLeaver(ctx, m)
			if w.add(err, "from") {
				groups = append(groups, &group{row: row})
			}
		}
	}
	of, named := map[string]*group{}, map[string]bool{}
	for _, ref := range b.DocumentIDs {
		d, err := a.document(ctx, c, ref)
		if !w.add(err, "document_ids") || named[d.ID] {
			continue
		}
		named[d.ID] = true
		g := of[d.CaseID]
		if g == nil || d.CaseID == "" { // nothing archived waits, and it can be given away all the same
			row, err := a.caseToTransfer(ctx, d)
			if !w.add(err, "document_ids") {
				continue
			}
			if g = of[row.ID]; g == nil {
				g = &group{row: row}
				of[row.ID], groups = g, append(groups, g)
			}
		}
		g.message.DocumentIDs = append(g.message.DocumentIDs, d.ID)
	}
	for _, g := range groups {
		g.message.AdminID = c.Member.ID
		var err error
		g.message.NewOwnerID, err = a.newOwner(ctx, c, b.NewOwner, g.row.OrganizationID)
		if !w.add(err, "new_owner") {
			break // it is the same for all
		}
	}
	return groups, w.err()
}

func (a *API) caseToTransfer(ctx context.Context, d offboarding.DocumentRow) (offboarding.CaseRow, error) {
	row, err := a.store.FindCaseOfDocument(ctx, d.ID, a.now().UTC())
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound && d.OwnerStatus == offboarding.MemberActive {
		err = offboarding.Refuse("T1", offboarding.CodeMemberStillActive, "", "documents are transferred only from a member who is not active")
	}
	return row, err
}

// caseOfLeaver is the case that a message about all documents of a member goes to.
func (a *API) caseOfLeaver(ctx context.Context, m offboarding.Member) (offboarding.CaseRow, error) {
	row, err := a.store.FindCase(ctx, m.ID, a.now().UTC())
	if offboarding.CodeOf(err) == offboarding.CodeCaseNotFound && m.Active() {
		err = offboarding.Refuse("T1", offboarding.CodeMemberStillActive, "", "documents are transferred only from a member who is not active")
	}
	return row, err
}

// newOwner finds a new owner among the members of an organization; "" and "manager"
// stay what they are.
func (a *API) newOwner(ctx context.Context, c *auth.Caller, ref, organizationID string) (string, error) {
	if ref == "" || ref == offboarding.NewOwnerManager {
		return ref, nil
	}
	m, err := a.memberOf(ctx, c, ref, organizationID)
	return m.ID, err
}

// memberOf finds a member whom a request about an organization names: one of that
// organization, else of any within reach.
func (a *API) memberOf(ctx context.Context, c *auth.Caller, ref, organizationID string) (offboarding.Member, error) {
	m, err := a.store.FindMember(ctx, own(c, ref), organizationID)
	if offboarding.CodeOf(err) == offboarding.CodeMemberNotFound {
		return a.store.FindMember(ctx, own(c, ref), c.Organizations...)
	}
	return m, err
}
