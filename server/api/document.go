package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// DocumentPath names a document.
type DocumentPath struct {
	ID string `path:"id" maxLength:"400" doc:"The document: ID or external:<external id>" example:"external:d01914"`
}

// DocumentsInput selects documents.
type DocumentsInput struct {
	PageInput
	OrganizationInput
	Owner     string `query:"owner" maxLength:"400" doc:"Only documents of this member: ID, email:<address>, external:<external id>, or me" example:"external:emp-1041"`
	Unowned   bool   `query:"unowned" doc:"Only documents whose owner is not active; archived ones wait for nobody"`
	Case      string `query:"case" maxLength:"100" doc:"Only documents of the leaver of this case, those in state" example:"b3c04a61-c585-5040-b763-01d6fae1a107"`
	State     string `query:"state" enum:"waiting,read_only,moved,archived" doc:"With case, what became of them in it. waiting (unless given): still the leaver's and not archived; read_only: of those, what is locked; moved: given to somebody by the case, and moved by no other case since; archived: still the leaver's, archived by the case" example:"moved"`
	Claimable bool   `query:"claimable" doc:"Only documents that wait for an owner and that the caller has a grant on: what may I claim or ask for?"`
}

// Document is a document as the caller sees it.
type Document struct {
	offboarding.DocumentRow
	GraceDaysLeft *int   `json:"grace_days_left,omitempty" doc:"Days of the grace that have begun or are to come; 0 when it is over"`
	May           string `json:"may,omitempty" enum:"claim,request" doc:"What the caller may do about a document that waits for an owner: claim it at once (rule C1), or request it (rule C2)"`

	ClaimObstacle offboarding.Obstacle `json:"claim_obstacle,omitempty" enum:"claim_policy,account_type,grant" doc:"Why the caller may request the document and not claim it: the organization lets nobody claim, the caller is not a maker, or may not edit the document"`
}

// DocumentOutput is a document.
type DocumentOutput struct{ Body Document }

// DocumentsOutput is a page of documents.
type DocumentsOutput struct{ Body offboarding.Page[Document] }

func (a *API) documents() {
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/documents", OperationID: "list-documents", Summary: "List documents", Tags: []string{"Documents"},
		Description: "Documents in the order in which they arrived. Owners and admins see all within reach, others what they own or have a grant on (seed 002).",
		Errors:      []int{http.StatusNotFound},
	}, a.listDocuments)
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/documents/{id}", OperationID: "get-document", Summary: "Read a document", Tags: []string{"Documents"},
		Description: "A document, for owners and admins, its owner, and those with a grant on it; for everybody else there is no such document.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *DocumentPath) (*DocumentOutput, error) {
		row, err := a.document(ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		seen, err := a.seen(ctx, c, row)
		return &DocumentOutput{seen}, err
	})
}

func (a *API) listDocuments(ctx context.Context, c *auth.Caller, in *DocumentsInput) (*DocumentsOutput, error) {
	n := a.naming(ctx, c)
	f := offboarding.DocumentFilter{
		Reach: n.organizations(in.Organization), ViewerID: c.Member.ID, ViewerOnly: !c.Admin(), Unowned: in.Unowned, Claimable: in.Claimable,
		Cursor: in.Cursor, Limit: in.Limit,
	}
	n.caseOf(in, &f)
	if err := n.err(); err != nil {
		return nil, err
	}
	if in.Owner != "" {
		// Who has a grant on a document may know whose it is, and nobody else about anybody.
		owner, err := a.store.FindMember(ctx, own(c, in.Owner), c.Organizations...)
		switch {
		case err == nil:
			f.OwnerID = owner.ID
		case c.Admin() || offboarding.CodeOf(err) == "":
			return nil, err
		default:
			return &DocumentsOutput{offboarding.Page[Document]{Items: []Document{}}}, nil
		}
	}
	page, err := a.store.Documents(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &DocumentsOutput{offboarding.Page[Document]{Items: make([]Document, 0, len(page.Items)), Next: page.Next}}
	policies := map[string]offboarding.ClaimPolicy{}
	for _, row := range page.Items {
		seen, err := a.seenBy(ctx, c, row, policies)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, seen)
	}
	return out, nil
}

// caseOf narrows a list of documents to those of a case that the caller may see.
func (n *naming) caseOf(in *DocumentsInput, f *offboarding.DocumentFilter) {
	switch {
	case in.Case != "":
		row, err := n.a.findCase(n.ctx, n.caller, in.Case)
		if err != nil {
			n.keep(err, "case")
		}
		f.Case, f.State = &row.Case, offboarding.DocumentState(in.State)
	case in.State != "":
		n.add(offboarding.Violation{Code: offboarding.CodeInvalidArgument, Field: "state", Message: "state goes with case"})
	}
}

// own reads "me".
func own(c *auth.Caller, ref string) string {
	if ref == "me" {
		return c.Member.ID
	}
	return ref
}

// document finds a document that the caller may see.
func (n *naming) document(ref, field string) offboarding.DocumentRow {
	d, err := n.a.document(n.ctx, n.caller, ref)
	if err != nil {
		n.keep(err, field)
	}
	return d
}

// document finds a document that the caller may see.
func (a *API) document(ctx context.Context, c *auth.Caller, ref string) (offboarding.DocumentRow, error) {
	return a.store.ReadDocument(ctx, ref, c.Member.ID, c.Admin(), c.Organizations...)
}

func (a *API) seen(ctx context.Context, c *auth.Caller, row offboarding.DocumentRow) (Document, error) {
	return a.seenBy(ctx, c, row, map[string]offboarding.ClaimPolicy{})
}

// seenBy says what the caller may do about a document that waits: what the rules
// would say of a claim-request right now. policies are those read so far.
func (a *API) seenBy(ctx context.Context, c *auth.Caller, row offboarding.DocumentRow, policies map[string]offboarding.ClaimPolicy) (Document, error) {
	d := Document{DocumentRow: row}
	if row.GraceEndsAt != nil {
		const day = 24 * 60 * 60
		left := int(row.GraceEndsAt.Sub(row.Clock(a.now())).Seconds())
		days := max(0, (left+day-1)/day)
		d.GraceDaysLeft = &days
	}
	if row.CaseID == "" || row.Grant == offboarding.GrantNone {
		return d, nil
	}
	policy, known := policies[row.OrganizationID]
	if !known {
		o, err := a.store.Organization(ctx, row.OrganizationID)
		if err != nil {
			return d, err
		}
		policy, policies[row.OrganizationID] = o.ClaimPolicy, o.ClaimPolicy
	}
	f := offboarding.ClaimFacts{
		Claimant: &c.Member, SameOrganization: c.Member.OrganizationID == row.OrganizationID, DocumentFound: true, OwnedByLeaver: true,
		Archived: row.Access == offboarding.AccessArchived, Held: row.Held, IsLeaver: row.OwnerID == c.Member.ID,
		Grant: row.Grant, Pending: row.RequestID != "", Policy: policy,
	}
	outcome, _ := offboarding.JudgeClaim(f) // what is refused now is nothing that the caller may do
	switch outcome {
	case offboarding.OutcomeClaimed:
		d.May = offboarding.AsClaim
	case offboarding.OutcomeRequested:
		d.May, d.ClaimObstacle = offboarding.AsRequest, f.Obstacle()
	}
	return d, nil
}
