package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
)

// DeleteInput deletes a member for good, or deactivates them.
type DeleteInput struct {
	MemberPath
	OriginInput
	PreferInput
	// In no URL, for those are logged; and in no body, for a DELETE's may be dropped on its way.
	Confirm string `header:"Handover-Confirm-Email" maxLength:"400" doc:"The member's email address: delete for good"`
}

// Deletion is what a deletion came to, or how far it is.
type Deletion struct {
	Outcome    string                  `json:"outcome" enum:"deleted,deactivated,pending,refused" doc:"deactivated: nothing confirmed that the member was to be deleted for good"`
	MemberID   string                  `json:"member_id"`
	CaseID     string                  `json:"case_id,omitempty" doc:"The case that goes on to find owners for the documents"`
	Stage      string                  `json:"stage,omitempty" doc:"Of a deletion that is pending: offboarding or erasing"`
	Trouble    *offboarding.Trouble    `json:"trouble,omitempty" doc:"While a deletion cannot go on"`
	Violations []offboarding.Violation `json:"violations,omitempty" doc:"Why it was refused"`
	Erased     *offboarding.Erased     `json:"erased,omitempty" doc:"How many rows lost the personal data that was in them"`
}

// DeleteOutput answers a deletion.
type DeleteOutput struct {
	Status   int
	Location string `header:"Location" doc:"After 202: what has become of the deletion"`
	Applied  string `header:"Preference-Applied"`
	Body     Deletion
}

// DeletionPreviewInput asks what a deletion would do.
type DeletionPreviewInput struct{ MemberPath }

// DeletionPreviewOutput says what a deletion would do.
type DeletionPreviewOutput struct{ Body offboarding.DeletionPreview }

// DeletionPath names a deletion.
type DeletionPath struct {
	MemberPath
	Run string `path:"run" format:"uuid" doc:"As in the Location of the answer to the deletion"`
}

// DeletionOutput is how far a deletion is.
type DeletionOutput struct{ Body Deletion }

func (a *API) deletions() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodDelete, Path: "/v1/members/{id}", OperationID: "delete-member", Summary: "Delete a member for good, or deactivate them", Tags: []string{"Members"},
		Description: "With the member's email address as confirmation it deletes for good (rule X1), which cannot be undone: an active member " +
			"is offboarded first, as the organization's settings say. Without it, it is seed 000's endpoint of that name, which deactivates: the documents go to the caller, and the member can come back.",
		Metadata: alsoAnswers(http.StatusAccepted), Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.delete)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/deletion-preview", OperationID: "preview-deletion", Summary: "Preview a deletion for good", Tags: []string{"Members"},
		Description: "What a deletion for good (rule X1) would do, without doing it: every rule that it would break, the plan of the offboarding that comes first " +
			"where the member is active, and what the member owns and can do.",
		Errors: []int{http.StatusNotFound},
	}, a.previewDeletion)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/deletions/{run}", OperationID: "get-deletion", Summary: "See what has become of a deletion", Tags: []string{"Members"},
		Description: "For who has asked for it with `Prefer: respond-async`, at the Location of the answer.",
		Errors:      []int{http.StatusNotFound},
	}, a.deletionState)
}

func (a *API) delete(ctx context.Context, c *auth.Caller, in *DeleteInput) (*DeleteOutput, error) {
	if in.Confirm == "" {
		return a.deleteAsSeed(ctx, c, in)
	}
	n := a.naming(ctx, c)
	m := n.member(in.ID, "id")
	once := a.onceOnly(ctx)
	done := once.Repeated && m.Status == offboarding.MemberDeleted // by this very request, perhaps: the engine knows
	if m.ID != "" && !done && !offboarding.SameAddress(in.Confirm, m.Email) {
		n.add(contradiction("X1", "Handover-Confirm-Email", "the confirmation is not the member's email address; nothing was changed"))
	}
	r := offboarding.DeletionRequest{MemberID: m.ID, RequestedBy: c.Member.ID, Origin: n.origin(in.OriginInput)}
	if err := n.err(); err != nil {
		return nil, err
	}
	if in.async() {
		started, err := a.cases.DeleteAsync(ctx, r, once)
		if err != nil {
			return nil, err
		}
		return &DeleteOutput{
			Status: http.StatusAccepted, Applied: respondAsync, Location: "/v1/members/" + m.ID + "/deletions/" + started.RunID,
			Body: Deletion{Outcome: startPending, MemberID: m.ID},
		}, nil
	}
	result, err := a.cases.DeleteOnce(ctx, r, once)
	if err != nil {
		return nil, err
	}
	return &DeleteOutput{Status: http.StatusOK, Body: Deletion{
		Outcome: offboarding.OutcomeDeleted, MemberID: m.ID, CaseID: result.CaseID, Erased: &result.Erased,
	}}, nil
}

// deleteAsSeed deactivates, as seed 000's endpoint does: what the member owns goes
// to the caller.
func (a *API) deleteAsSeed(ctx context.Context, c *auth.Caller, in *DeleteInput) (*DeleteOutput, error) {
	plan := PlanBody{Disposition: offboarding.DispositionTransfer}
	start, err := a.deactivate(ctx, c, in.ID, in.OriginInput, plan, nil)
	if err != nil {
		return nil, err
	}
	return &DeleteOutput{Status: statusOf(start), Location: start.URL, Body: Deletion{
		Outcome: "deactivated", MemberID: start.MemberID, CaseID: start.CaseID,
	}}, nil
}

func (a *API) previewDeletion(ctx context.Context, c *auth.Caller, in *DeletionPreviewInput) (*DeletionPreviewOutput, error) {
	m, err := a.member(ctx, c, in.ID, "id")
	if err != nil {
		return nil, err
	}
	preview, err := a.store.PreviewDeletion(ctx, offboarding.DeletionRequest{MemberID: m.ID, RequestedBy: c.Member.ID}, a.now().UTC())
	if err != nil {
		return nil, err
	}
	refusal := &offboarding.Refusal{Violations: preview.Violations}
	if refusal.Has(offboarding.CodeNotAuthorized) { // what somebody owns is not for everybody
		return nil, refusal
	}
	return &DeletionPreviewOutput{preview}, nil
}

func (a *API) deletionState(ctx context.Context, c *auth.Caller, in *DeletionPath) (*DeletionOutput, error) {
	m, err := a.member(ctx, c, in.ID, "id")
	if err != nil {
		return nil, err
	}
	started := client.Started{WorkflowID: offboarding.DeletionWorkflowID(m.ID), RunID: in.Run}
	status, refusal, err := a.cases.DeletionStateOf(ctx, started)
	if err != nil {
		return nil, err
	}
	out := Deletion{Outcome: startPending, MemberID: m.ID, Stage: status.Stage, Trouble: status.Trouble}
	switch {
	case refusal != nil:
		out.Outcome, out.Violations = startRefused, refusal.Violations
	case status.Stage == offboarding.DeletionDone:
		out.Outcome = offboarding.OutcomeDeleted
	}
	return &DeletionOutput{out}, nil
}
