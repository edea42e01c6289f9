package offboarding

import (
	"regexp"
	"strings"
	"time"
)

// DeletionRequest is the input of the workflow MemberDeletion (rule X1). The
// member goes by ID alone: an external ID would outlive the deletion in the
// engine's history. What concerns the documents is for the offboarding of a
// member who is still active, as in Request.
type DeletionRequest struct {
	MemberID         string      `json:"member_id"`
	RequestedBy      string      `json:"requested_by,omitempty"`
	Provider         string      `json:"provider,omitempty"` // as in Request
	Origin           string      `json:"origin,omitempty"`   // TYPE,OrgName,SourceName (rule O1)
	Reason           string      `json:"reason,omitempty"`   // of the offboarding; forgotten with everything else
	Disposition      Disposition `json:"disposition,omitempty"`
	NewOwnerID       string      `json:"new_owner_id,omitempty"`
	ArchiveSchedules bool        `json:"archive_schedules,omitempty"`
	GracePeriod      string      `json:"grace_period,omitempty"`
}

// Offboarding is the start of the case of a member who is still active.
func (r DeletionRequest) Offboarding() Request {
	return Request{
		MemberID: r.MemberID, RequestedBy: r.RequestedBy, Provider: r.Provider, Origin: r.Origin, Reason: r.Reason,
		Disposition: r.Disposition, NewOwnerID: r.NewOwnerID, ArchiveSchedules: r.ArchiveSchedules, GracePeriod: r.GracePeriod,
	}
}

// DeletionFacts is what the rules need to know to judge a deletion.
type DeletionFacts struct {
	AdmissionFacts
	OpenPhase Phase // of the member's open case, "" for none
	Held      bool  // a legal hold is on the member (rule H1)
}

var memberID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// JudgeDeletion judges rule X1: whoever may offboard the member may delete them,
// and while a member is active all that is said about their offboarding holds too
// (A3, E3 to E5, N1). A member who is not active any more can be deleted by an
// admin whoever managed the account: identity providers deactivate, and mostly do
// not delete.
func JudgeDeletion(r DeletionRequest, f DeletionFacts, now time.Time) error {
	var violations []Violation
	if r.MemberID != "" && !memberID.MatchString(r.MemberID) {
		violations = append(violations, Violation{
			Rule: "X1", Code: CodeInvalidArgument, Field: "member_id", Message: "a deletion names the member by ID, which is no personal data",
		})
	}
	if f.Leaver == nil || f.Leaver.Active() && f.OpenPhase == "" {
		_, err := Admit(r.Offboarding(), f.AdmissionFacts, now)
		violations = append(violations, violationsOf(err)...)
	} else {
		violations = append(violations, CheckRequest(r.Offboarding())...)
		violations = append(violations, JudgeAsker(f.Actor, r.Provider, f.Organization, f.Leaver)...)
	}
	if f.OpenPhase == PhaseScheduled {
		violations = append(violations, Violation{
			Rule: "X1", Code: CodeWrongPhase, Field: "member_id",
			Message: "the member's offboarding waits for its time; a deletion cannot wait, so reschedule it to now or cancel it first",
		})
	}
	if f.Held {
		violations = append(violations, Violation{
			Rule: "H1", Code: CodeLegalHold, Field: "member_id", Message: "a legal hold is on the member, who is not deleted until it is lifted",
		})
	}
	return RefusalOf(violations)
}

// DeletionPreview is what a deletion would do, judged by the rules as they stand now;
// nothing is changed. Plan is that of the offboarding that would come first.
type DeletionPreview struct {
	Preview
	OffboardFirst bool        `json:"offboard_first"` // the member is active
	Attribution   Attribution `json:"attribution"`    // whose name content would keep
}

// BeginDeletionInput asks where a deletion goes on.
type BeginDeletionInput struct {
	Step                    // CaseID is the deletion's own ID
	Request DeletionRequest `json:"request"`
	Sent    *Sent           `json:"sent,omitempty"`
}

// DeletionBegun says where a deletion goes on.
type DeletionBegun struct {
	MemberID string `json:"member_id"`
	Offboard bool   `json:"offboard,omitempty"` // the member is active, and has no open case
	Wait     bool   `json:"wait,omitempty"`     // the member's case is on its way to make them inactive, or active
}

// OffboardFirstInput starts the case of a member who is to be deleted.
type OffboardFirstInput struct {
	UpdateID string  `json:"update_id"`
	Request  Request `json:"request"`
	CaseID   string  `json:"case_id,omitempty"` // the deletion's own ID
	MemberID string  `json:"member_id,omitempty"`
}

// Erased is what a deletion came to: rows whose personal data is gone.
type Erased struct {
	Active      bool        `json:"active,omitempty"` // somebody made the member active again meanwhile: nothing was erased
	Attribution Attribution `json:"attribution"`      // whose name content keeps
	Documents   int         `json:"documents"`        // that the member still owns; content stays
	CaseID      string      `json:"case_id,omitempty"`
	Credentials int         `json:"credentials"`
	Cases       int         `json:"cases"`
	Steps       int         `json:"steps"` // records of closed cases
	Requests    int         `json:"requests"`
	Events      int         `json:"audit_events"` // whose texts are gone; the events stay
	Folders     int         `json:"folders"`      // called after the member
	Reports     int         `json:"reports"`      // members whose manager this one was
	Bulk        int         `json:"bulk_rows"`
	Holds       int         `json:"legal_holds"` // lifted ones
}

// DeletionResult is what the workflow MemberDeletion returns.
type DeletionResult struct {
	MemberID string `json:"member_id"`
	Outcome  string `json:"outcome"` // deleted
	Erased
}

// OutcomeDeleted is the outcome of a deletion.
const OutcomeDeleted = "deleted"

// The stages of a deletion.
const (
	DeletionOffboarding = "offboarding" // until the member is inactive
	DeletionErasing     = "erasing"
	DeletionDone        = "deleted"
)

// DeletionStatus answers the query status of the workflow MemberDeletion.
type DeletionStatus struct {
	MemberID       string    `json:"member_id"`
	Stage          string    `json:"stage"` // "" until it is admitted, else offboarding, erasing or deleted
	Trouble        *Trouble  `json:"trouble,omitempty"`
	ContinuedAsNew int       `json:"continued_as_new,omitempty"`
	WorkflowTime   time.Time `json:"workflow_time"`
}

// DeletedName is what people see instead of the name of a deleted member, where
// attribution is anonymous.
const DeletedName = "Deleted member"

// SameAddress reports whether two addresses are one, as the confirmation of a
// deletion asks.
func SameAddress(typed, email string) bool {
	return strings.EqualFold(strings.TrimSpace(typed), email)
}
