package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// SeedPlan is what seed 000 lets a caller say about the documents of who leaves.
type SeedPlan struct {
	NewOwnerID              string `json:"newOwnerId,omitempty" maxLength:"400" doc:"Who gets the documents: a member, or manager for the leaver's"`
	ArchiveDocuments        bool   `json:"archiveDocuments,omitempty" doc:"Archive the documents, and their schedules with them, instead of giving them to anybody"`
	ArchiveScheduledExports bool   `json:"archiveScheduledExports,omitempty" doc:"Archive the schedules of the documents that somebody gets"`
}

// plan is what the fields come to, and what contradicts.
func (s SeedPlan) plan() (PlanBody, []offboarding.Violation) {
	plan := PlanBody{NewOwnerID: s.NewOwnerID, ArchiveSchedules: s.ArchiveScheduledExports}
	var wrong []offboarding.Violation
	switch {
	case s.ArchiveDocuments:
		plan.Disposition = offboarding.DispositionArchive
		if s.NewOwnerID != "" {
			wrong = append(wrong, contradiction("N1", "newOwnerId", "newOwnerId goes with documents that are transferred, not archived"))
		}
		if s.ArchiveScheduledExports {
			wrong = append(wrong, contradiction("D3", "archiveScheduledExports",
				"archiveScheduledExports goes with documents that are transferred; archived ones have their schedules archived anyway"))
		}
	case s.NewOwnerID != "":
		plan.Disposition = offboarding.DispositionTransfer
	}
	return plan, wrong
}

func contradiction(rule, field, message string) offboarding.Violation {
	return offboarding.Violation{Rule: rule, Code: offboarding.CodeInvalidArgument, Field: field, Message: message}
}

// seedFields are the seeds' names of fields.
var seedFields = map[string]string{
	"member_id": "id", "new_owner_id": "newOwnerId", "archive_schedules": "archiveScheduledExports", "disposition": "archiveDocuments",
}

// inSeedsWords names the fields at fault as the seeds do.
func inSeedsWords(err error) error {
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	out := &offboarding.Refusal{Violations: make([]offboarding.Violation, len(refusal.Violations))}
	for i, v := range refusal.Violations {
		if field, ok := seedFields[v.Field]; ok {
			v.Field = field
		}
		out.Violations[i] = v
	}
	return out
}

// SeedAnswer is the answer of seed 003.
type SeedAnswer struct {
	Message    string `json:"message" enum:"SUCCESS,PARTIAL_SUCCESS" doc:"What it came to; PARTIAL_SUCCESS is of requests about many members only"`
	ResultCode int    `json:"resultCode" enum:"0,3" doc:"0 success, 3 partial success"`
}

// SeedOutput answers a shorthand.
type SeedOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the case can be read"`
	Body     SeedAnswer
}

// DeactivateInput deactivates a member.
type DeactivateInput struct {
	MemberPath
	OriginInput
	Body *SeedPlan
}

// PatchInput changes a member.
type PatchInput struct {
	MemberPath
	OriginInput
	Body struct {
		IsArchived *bool `json:"isArchived,omitempty" doc:"Required: true offboards the member, false makes them active again"`
		SeedPlan
	}
}

// PatchOutput is a member after a change.
type PatchOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the case can be read"`
	Body     struct {
		MemberID   string `json:"memberId"`
		IsArchived bool   `json:"isArchived" doc:"The member is not active"`
		SeedAnswer
	}
}

func (a *API) leaving() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/members/{id}/deactivate", OperationID: "deactivate-member", Summary: "Deactivate a member", Tags: []string{"Members"},
		Description: "An offboarding in one call, as seed 003 has it: answers when the member can no longer get in. What happens to the documents is the " +
			"organization's to say, unless the body does. 202 where the organization waits for SSO sessions to end: the credentials are revoked already (rule S1).",
		Metadata: alsoAnswers(http.StatusAccepted), Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, c *auth.Caller, in *DeactivateInput) (*SeedOutput, error) {
		var seed SeedPlan
		if in.Body != nil {
			seed = *in.Body
		}
		plan, wrong := seed.plan()
		start, err := a.deactivate(ctx, c, in.ID, in.OriginInput, plan, wrong)
		if err != nil {
			return nil, err
		}
		return &SeedOutput{Status: statusOf(start), Location: start.URL, Body: success}, nil
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPatch, Path: "/v1/members/{id}", OperationID: "update-member", Summary: "Deactivate or reactivate a member", Tags: []string{"Members"},
		Description: "As in seed 000: isArchived true offboards the member, and the documents go to newOwnerId, to the caller where nobody is named, or are archived; " +
			"false reactivates, and takes none of the other fields. Who is what isArchived says already stays so.",
		Metadata: alsoAnswers(http.StatusAccepted), Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.patchMember)
	a.leavingMany()
}

var success = SeedAnswer{Message: offboarding.BulkSuccess, ResultCode: 0}

// statusOf is 202 where the member is still on the way out.
func statusOf(s Start) int {
	if s.AccessRevoked {
		return http.StatusOK
	}
	return http.StatusAccepted
}

// deactivate offboards a member now. One whose offboarding waits for its time is
// not deactivated, and nothing else may be said.
func (a *API) deactivate(
	ctx context.Context, c *auth.Caller, ref string, o OriginInput, plan PlanBody, wrong []offboarding.Violation,
) (Start, error) {
	r, err := a.request(ctx, c, StartBody{MemberID: ref, PlanBody: plan}, o)
	if len(wrong) > 0 { // what contradicts was judged in the caller's words
		n := a.naming(ctx, c)
		n.add(wrong...)
		n.keep(inSeedsWords(err), "")
		return Start{}, n.err()
	}
	if err != nil {
		return Start{}, inSeedsWords(err)
	}
	status, _, err := a.cases.StartOnce(ctx, r, a.onceOnly(ctx))
	if err != nil {
		return Start{}, inSeedsWords(err)
	}
	start := newStart(status)
	if start.WaitsFor == "effective_at" {
		return Start{}, offboarding.Refuse("E2", offboarding.CodeWrongPhase, "id",
			"the member's offboarding waits for its effective time; reschedule the case to now, or cancel it")
	}
	return start, nil
}

func (a *API) patchMember(ctx context.Context, c *auth.Caller, in *PatchInput) (*PatchOutput, error) {
	b := in.Body
	plan, wrong := b.plan()
	switch {
	case b.IsArchived == nil:
		wrong = append(wrong, contradiction("", "isArchived", "isArchived must be true or false"))
	case !*b.IsArchived:
		for field, given := range map[string]bool{
			"newOwnerId": b.NewOwnerID != "", "archiveDocuments": b.ArchiveDocuments, "archiveScheduledExports": b.ArchiveScheduledExports,
		} {
			if given {
				wrong = append(wrong, contradiction("", field, field+" goes with isArchived true only"))
			}
		}
	}
	n := a.naming(ctx, c)
	n.add(wrong...)
	m := n.member(in.ID, "id")
	origin := n.origin(in.OriginInput)
	if n.failed != nil || len(n.violations) > 0 {
		return nil, n.err()
	}
	out := &PatchOutput{Status: http.StatusOK}
	out.Body.MemberID, out.Body.IsArchived, out.Body.SeedAnswer = m.ID, *b.IsArchived, success
	switch {
	case m.Active() != *b.IsArchived && b.SeedPlan == SeedPlan{}:
		return out, nil // it is so already
	case *b.IsArchived:
		if plan.Disposition == "" {
			plan.Disposition = offboarding.DispositionTransfer // to the caller (seed 000, rule N2)
		}
		start, err := a.deactivate(ctx, c, m.ID, in.OriginInput, plan, nil)
		if err != nil {
			return nil, err
		}
		out.Status, out.Location, out.Body.IsArchived = statusOf(start), start.URL, start.AccessRevoked
		return out, nil
	}
	done, err := a.reactivate(ctx, c, m, origin, false)
	if err != nil {
		return nil, inSeedsWords(err)
	}
	if done.CaseID != "" {
		out.Location = caseURL(done.CaseID)
	}
	return out, nil
}
