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
	Confirm string `header:"Handover-Confirm-Email" maxLength:"400" doc:"The member's email address: delete for good. As confirm_email in the body"`
	Body    *DeleteBody
}

// DeleteBody confirms a deletion, and says what happens to what an active member owns.
type DeleteBody struct {
	ConfirmEmail     string                  `json:"confirm_email,omitempty" maxLength:"400" doc:"The member's email address: delete for good"`
	Reason           string                  `json:"reason,omitempty" maxLength:"2000" doc:"Why, without personal data"`
	Disposition      offboarding.Disposition `json:"disposition,omitempty" enum:"transfer,archive,retain" doc:"Of the documents of a member who is still active; as in a start"`
	NewOwnerID       string                  `json:"new_owner_id,omitempty" maxLength:"400" doc:"As in a start"`
	ArchiveSchedules bool                    `json:"archive_schedules,omitempty" doc:"As in a start"`
	GracePeriod      string                  `json:"grace_period,omitempty" maxLength:"50" doc:"As in a start"`
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
		Description: "With the member's email address as confirmation, in the body or the header, it deletes for good (rule X1), which cannot be undone: an active " +
			"member is offboarded first. Without it, it is seed 000's endpoint of that name, which deactivates: the documents go to the caller, and the member can come back.",
		Metadata: alsoAnswers(http.StatusAccepted), Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.delete)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/deletions/{run}", OperationID: "get-deletion", Summary: "See what has become of a deletion", Tags: []string{"Members"},
		Description: "For who has asked for it with `Prefer: respond-async`, at the Location of the answer.",
		Errors:      []int{http.StatusNotFound},
	}, a.deletionState)
}

func (a *API) delete(ctx context.Context, c *auth.Caller, in *DeleteInput) (*DeleteOutput, error) {
	var b DeleteBody
	if in.Body != nil {
		b = *in.Body
	}
	if b.ConfirmEmail == "" && in.Confirm == "" {
		return a.deleteAsSeed(ctx, c, in, b)
	}
	n := a.naming(ctx, c)
	m := n.member(in.ID, "id")
	once := a.onceOnly(ctx)
	done := once.Repeated && m.Status == offboarding.MemberDeleted // by this very request, perhaps: the engine knows
	if m.ID != "" && !done && (differs(in.Confirm, m) || differs(b.ConfirmEmail, m)) {
		n.add(contradiction("X1", "confirm_email", "the confirmation is not the member's email address; nothing was changed"))
	}
	r := offboarding.DeletionRequest{
		MemberID: m.ID, RequestedBy: c.Member.ID, Origin: n.origin(in.OriginInput), Reason: b.Reason, Disposition: b.Disposition,
		NewOwnerID: n.newOwner(b.NewOwnerID, m.OrganizationID, "new_owner_id"), ArchiveSchedules: b.ArchiveSchedules, GracePeriod: b.GracePeriod,
	}
	form := r.Offboarding()
	form.MemberID, form.NewOwnerID = in.ID, b.NewOwnerID
	n.add(offboarding.CheckRequest(form)...)
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

func differs(typed string, m offboarding.Member) bool {
	return typed != "" && !offboarding.SameAddress(typed, m.Email)
}

// deleteAsSeed deactivates, as seed 000's endpoint does: what the member owns goes
// to the caller unless the body says otherwise.
func (a *API) deleteAsSeed(ctx context.Context, c *auth.Caller, in *DeleteInput, b DeleteBody) (*DeleteOutput, error) {
	plan := PlanBody{
		Reason: b.Reason, Disposition: b.Disposition, NewOwnerID: b.NewOwnerID, ArchiveSchedules: b.ArchiveSchedules, GracePeriod: b.GracePeriod,
	}
	if plan.Disposition == "" {
		plan.Disposition = offboarding.DispositionTransfer
	}
	start, err := a.deactivate(ctx, c, in.ID, in.OriginInput, plan, nil)
	if err != nil {
		return nil, err
	}
	return &DeleteOutput{Status: statusOf(start), Location: start.URL, Body: Deletion{
		Outcome: "deactivated", MemberID: start.MemberID, CaseID: start.CaseID,
	}}, nil
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
