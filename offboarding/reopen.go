package offboarding

import (
	"fmt"
	"slices"
	"time"
)

// ReactivationRequest is the input of the workflow Reactivation: one member, or
// many where MemberIDs is used (rule R2). Members are IDs or "external:<external
// id>".
type ReactivationRequest struct {
	MemberID        string   `json:"member_id,omitempty"`
	MemberIDs       []string `json:"member_ids,omitempty"` // instead of MemberID, at most MaxReactivated
	RequestedBy     string   `json:"requested_by,omitempty"`
	Provider        string   `json:"provider,omitempty"`         // as in Request
	Origin          string   `json:"origin,omitempty"`           // TYPE,OrgName,SourceName (rule O1)
	ReturnDocuments bool     `json:"return_documents,omitempty"` // also what the case moved, unless passed on since
}

// MaxReactivated is how many members one bulk reactivation takes, so that its
// result fits into a workflow's.
const MaxReactivated = 1000

// Bulk reports whether the request is for many members.
func (r ReactivationRequest) Bulk() bool { return r.MemberID == "" }

// Members are those whom the request names.
func (r ReactivationRequest) Members() []string {
	if r.Bulk() {
		return r.MemberIDs
	}
	return []string{r.MemberID}
}

// CheckReactivation judges what can be seen in the request alone.
func CheckReactivation(r ReactivationRequest) []Violation {
	var f form
	switch {
	case (r.MemberID == "") == (len(r.MemberIDs) == 0):
		f.bad("E1", "member_id", "either member_id or member_ids is required")
	case len(r.MemberIDs) > MaxReactivated:
		f.bad("R2", "member_ids", fmt.Sprintf("at most %d members can be reactivated at once", MaxReactivated))
	}
	seen := map[string]bool{}
	for _, id := range r.MemberIDs {
		if id == "" || seen[id] {
			f.bad("R2", "member_ids", "member_ids has an empty or repeated member")
			break
		}
		seen[id] = true
	}
	for _, id := range r.Members() {
		f.text("member_id", id)
	}
	f.actor("requested_by", r.RequestedBy, r.Provider)
	return append(f, CheckOrigin(r.Origin)...)
}

// JudgeBulkReactivation judges rule R2 (seed 000): several members at once only
// where nobody's identity provider authenticates them, and so never on its behalf.
func JudgeBulkReactivation(r ReactivationRequest, organizations []Organization) []Violation {
	authenticated := func(o Organization) bool { return o.IdentityProvider != IdentityProviderNone }
	if r.Provider == "" && !slices.ContainsFunc(organizations, authenticated) {
		return nil
	}
	return []Violation{{
		Rule: "R2", Code: CodeIDPAuthentication, Field: "member_ids",
		Message: "several members are reactivated at once only where no identity provider authenticates the organization",
	}}
}

// JudgeReopening judges the reactivation of a member whose case may have closed:
// as JudgeReactivation, of a member who exists and is not active. A request for
// many members is judged by CheckReactivation as a whole, and here for each.
func JudgeReopening(r ReactivationRequest, f ReactivationFacts) error {
	var violations []Violation
	if !r.Bulk() {
		violations = CheckReactivation(r)
	}
	if f.Leaver == nil {
		violations = append(violations, JudgeAdmin(f.Admin)...)
		return RefusalOf(append(violations, Violation{
			Rule: "E1", Code: CodeMemberNotFound, Field: "member_id", Message: "there is no such member in the actor's reach",
		}))
	}
	for _, v := range violationsOf(JudgeReactivation(f)) {
		if v.Field == "admin_id" {
			v.Field = "requested_by"
		}
		violations = append(violations, v)
	}
	if f.Leaver.Active() && !f.Leaving {
		violations = append(violations, Violation{Code: CodeAlreadyActive, Field: "member_id", Message: "the member is active"})
	}
	return RefusalOf(violations)
}

// BeginReactivationInput asks to reactivate one member of a request.
type BeginReactivationInput struct {
	Step                           // CaseID is the reactivation's own ID
	Sent       *Sent               `json:"sent,omitempty"`
	ID         string              `json:"id"` // of the reactivation, as messages have one
	MemberID   string              `json:"member_id"`
	Request    ReactivationRequest `json:"request"` // one for many members without them
	WorkflowID string              `json:"workflow_id"`
	About      string              `json:"about,omitempty"` // the case that it has sent a message to, and no later one
	Messages   string              `json:"messages"`        // what the IDs of the messages begin with that this reactivation sends to an open case
}

// ReactivationBegun says where the reactivation of a member goes on.
type ReactivationBegun struct {
	MemberID string `json:"member_id"` // the ID, whatever the request wrote
	CaseID   string `json:"case_id,omitempty"`
	// OpenCase is the workflow ID of the member's case, which is open and reactivates
	// the member itself; "" when the member is active now.
	OpenCase string     `json:"open_case,omitempty"`
	Message  Reactivate `json:"message"` // to an open case
	// Reactivation is what is left to do in the case, nil when that is nothing.
	Reactivation *Reactivation `json:"reactivation,omitempty"`
}

// SendReactivateInput sends reactivate to an open case.
type SendReactivateInput struct {
	Step                  // CaseID is the reactivation's own ID
	WorkflowID string     `json:"workflow_id"`
	UpdateID   string     `json:"update_id"`
	Message    Reactivate `json:"message"`
}

// ReactivateSent is what the case said; Gone when it cannot take the message: it
// has closed, or nothing runs it right now.
type ReactivateSent struct {
	Outcome Outcome `json:"outcome"`
	Gone    bool    `json:"gone,omitempty"`
}

// ReactivationResult is what the workflow Reactivation returns: of one member,
// or, where member_ids was used, of many.
type ReactivationResult struct {
	*MemberReactivation
	*BulkReactivation
}

// MemberReactivation is what became of one member.
type MemberReactivation struct {
	MemberID string `json:"member_id"`         // as the request wrote it, of many; else the ID
	Outcome  string `json:"outcome"`           // reactivated or refused
	CaseID   string `json:"case_id,omitempty"` // the case that was reopened, or reactivated the member; none without a case
	Restored int    `json:"restored,omitempty"`
	Returned int    `json:"returned,omitempty"`
	Granted  int    `json:"granted,omitempty"`
	Codes    []Code `json:"codes,omitempty"` // why refused
}

// OutcomeRefused is the outcome of a member whom the rules do not let come back.
const OutcomeRefused = "refused"

// BulkReactivation is what became of many members.
type BulkReactivation struct {
	Message     string               `json:"message"`
	ResultCode  int                  `json:"resultCode"`
	Total       int                  `json:"total"`
	Reactivated int                  `json:"reactivated"`
	Refused     int                  `json:"refused"`
	Members     []MemberReactivation `json:"members"` // in the order of the request
}

// NewBulkReactivation counts the results of many members.
func NewBulkReactivation(members []MemberReactivation) *BulkReactivation {
	b := &BulkReactivation{Total: len(members), Members: members}
	for _, m := range members {
		if m.Outcome == OutcomeReactivated {
			b.Reactivated++
		} else {
			b.Refused++
		}
	}
	b.Message, b.ResultCode = BulkCounts{Total: b.Total, Started: b.Reactivated, Refused: b.Refused}.Result()
	return b
}

// ReactivationStatus answers the query status of the workflow Reactivation.
type ReactivationStatus struct {
	Total          int                  `json:"total"`
	Members        []MemberReactivation `json:"members"`           // those that are done
	Trouble        *Trouble             `json:"trouble,omitempty"` // nil while it goes on
	ContinuedAsNew int                  `json:"continued_as_new,omitempty"`
	WorkflowTime   time.Time            `json:"workflow_time"`
}
