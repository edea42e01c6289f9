package offboarding

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// The bounds of a bulk offboarding.
const (
	// MaxBulkMembers is how many members one run takes.
	MaxBulkMembers = 10_000
	// MaxBulkInput is the size in bytes of the largest input: what Temporal takes
	// as one payload, and a little less.
	MaxBulkInput = 2<<20 - 4<<10
	// DefaultBulkRate is how many cases a second are started unless the run says
	// otherwise, MaxBulkRate how many at most.
	DefaultBulkRate = 50
	MaxBulkRate     = 1000
	// maxBulkID is the length of the longest bulk ID.
	maxBulkID = 200
)

// The guard against removing a whole organization by mistake (rule B1): so many
// members, or so many percent of an organization's active ones, may always be
// removed.
const (
	BulkLimitMembers        = 10
	DefaultBulkLimitPercent = 20
)

// BulkPlan is what can be said for one member of a list, or for all of them.
type BulkPlan struct {
	Reason           string      `json:"reason,omitempty"`
	EffectiveAt      string      `json:"effective_at,omitempty"`
	Disposition      Disposition `json:"disposition,omitempty"`
	NewOwnerID       string      `json:"new_owner_id,omitempty"`
	ArchiveSchedules bool        `json:"archive_schedules,omitempty"`
	GracePeriod      string      `json:"grace_period,omitempty"`
}

// BulkMember is one row of a list: as in a Request, and what is left out is the
// run's.
type BulkMember struct {
	MemberID string `json:"member_id"`
	BulkPlan
}

// BulkRequest starts a bulk offboarding; it is the input of the workflow
// BulkOffboarding. RequestedBy and Members are required.
type BulkRequest struct {
	RequestedBy string       `json:"requested_by"`
	Origin      string       `json:"origin,omitempty"` // TYPE,OrgName,SourceName (rule O1)
	Members     []BulkMember `json:"members"`
	BulkPlan                 // for those who say nothing else

	AllOrNothing bool `json:"all_or_nothing,omitempty"` // one refusal refuses all
	Confirmed    bool `json:"confirmed,omitempty"`      // more may be removed than the guard lets pass
	Rate         int  `json:"rate,omitempty"`           // cases started a second; 0 is DefaultBulkRate
}

// BulkID is the run's ID, from the workflow's: whatever stands behind the prefix.
func BulkID(workflowID string) string { return strings.TrimPrefix(workflowID, BulkWorkflowID("")) }

// Request is the start of the member at this place of the list. A member who
// says what happens to the documents, and names nobody, does not get the run's
// new owner.
func (b *BulkRequest) Request(i int) Request {
	m := b.Members[i]
	r := Request{
		MemberID: m.MemberID, RequestedBy: b.RequestedBy, Origin: b.Origin, Reason: cmp.Or(m.Reason, b.Reason),
		EffectiveAt: cmp.Or(m.EffectiveAt, b.EffectiveAt), Disposition: cmp.Or(m.Disposition, b.Disposition),
		NewOwnerID: cmp.Or(m.NewOwnerID, b.NewOwnerID), ArchiveSchedules: m.ArchiveSchedules || b.ArchiveSchedules,
		GracePeriod: cmp.Or(m.GracePeriod, b.GracePeriod),
	}
	switch {
	case m.Disposition == "" && m.NewOwnerID != "":
		r.Disposition = DispositionTransfer
	case m.Disposition != "" && m.Disposition != DispositionTransfer:
		r.NewOwnerID, r.ArchiveSchedules = m.NewOwnerID, m.ArchiveSchedules
	}
	return r
}

// CheckBulk judges what can be seen in the run alone. What is wrong with a member
// of the list is judged with the member.
func CheckBulk(bulkID string, b *BulkRequest) []Violation {
	var f form
	if bulkID == "" || checkText(bulkID, maxBulkID) != "" {
		f.bad("B1", "bulk_id", fmt.Sprintf("the bulk ID must be a text of 1 to %d bytes", maxBulkID))
	}
	if len(b.Members) == 0 {
		f.bad("B1", "members", "members is empty")
	}
	if len(b.Members) > MaxBulkMembers {
		f.bad("B1", "members", fmt.Sprintf("a run takes at most %d members, not %d", MaxBulkMembers, len(b.Members)))
	}
	if b.Rate < 0 || b.Rate > MaxBulkRate {
		f.bad("B1", "rate", fmt.Sprintf("rate must be from 1 to %d a second", MaxBulkRate))
	}
	defaults := BulkRequest{RequestedBy: b.RequestedBy, Origin: b.Origin, BulkPlan: b.BulkPlan, Members: []BulkMember{{MemberID: "each"}}}
	return append(f, CheckRequest(defaults.Request(0))...)
}

// BulkShare is how much of an organization a run would remove.
type BulkShare struct {
	Removed int // active members of the list
	Active  int // active members
	Percent int // the organization's limit
}

// JudgeBulkLimit judges the guard of rule B1: a run that removes more than ten
// members and more than the organization's share of its active ones has to be
// confirmed.
func JudgeBulkLimit(confirmed bool, shares []BulkShare) []Violation {
	for _, s := range shares {
		if confirmed || s.Removed <= BulkLimitMembers || s.Removed*100 <= s.Active*s.Percent {
			continue
		}
		return []Violation{{
			Rule: "B1", Code: CodeBulkLimitExceeded, Field: "confirmed",
			Message: fmt.Sprintf("the list names %d of %d active members, and more than %d have to be confirmed",
				s.Removed, s.Active, max(BulkLimitMembers, s.Active*s.Percent/100)),
		}}
	}
	return nil
}

// WithoutManager is the start of a member whose manager, who was to get the
// documents, leaves at once in the same run: the documents are retained.
func (r Request) WithoutManager() (changed Request, reason string) {
	r.NewOwnerID, r.Disposition, r.ArchiveSchedules = "", DispositionRetain, false
	return r, "the leaver's manager leaves in the same run; the documents are retained"
}

// BulkPhase is where a run stands.
type BulkPhase string

// The phases of a run, in their order.
const (
	BulkJudging   BulkPhase = "judging"   // everybody is judged before anything happens (all_or_nothing)
	BulkRevoking  BulkPhase = "revoking"  // everybody loses access
	BulkStarting  BulkPhase = "starting"  // the cases that have something left to settle are started
	BulkCompleted BulkPhase = "completed" //
)

// BulkOutcome is what became of a member of the list.
type BulkOutcome string

// The outcomes of a member.
const (
	BulkMemberPending    BulkOutcome = "pending"     // nothing yet
	BulkMemberStarted    BulkOutcome = "started"     // can no longer get in
	BulkMemberScheduled  BulkOutcome = "scheduled"   // the case waits for its effective time, or for a session's end
	BulkMemberExisting   BulkOutcome = "existing"    // the case was open already; nothing was changed (rule E2)
	BulkMemberRefused    BulkOutcome = "refused"     // by the rules
	BulkMemberFailed     BulkOutcome = "failed"      // by the database
	BulkMemberCanceled   BulkOutcome = "canceled"    // the run was canceled before
	BulkMemberNotStarted BulkOutcome = "not_started" // another was refused, with all_or_nothing
)

// BulkOutcomes lists every outcome of a member.
var BulkOutcomes = []BulkOutcome{
	BulkMemberPending, BulkMemberStarted, BulkMemberScheduled, BulkMemberExisting, BulkMemberRefused, BulkMemberFailed, BulkMemberCanceled,
	BulkMemberNotStarted,
}

// BulkCounts are the members of a run by what became of them.
type BulkCounts struct {
	Total      int `db:"total" json:"total"`
	Pending    int `db:"pending" json:"pending"`
	Started    int `db:"started" json:"started"`
	Scheduled  int `db:"scheduled" json:"scheduled"`
	Existing   int `db:"existing" json:"existing"`
	Refused    int `db:"refused" json:"refused"`
	Failed     int `db:"failed" json:"failed"`
	Canceled   int `db:"canceled" json:"canceled"`
	NotStarted int `db:"not_started" json:"not_started"`
	Cases      int `db:"cases" json:"cases"`         // opened by the run with something left to settle: these are started
	Unstarted  int `db:"unstarted" json:"unstarted"` // of them, those whose workflow was not started yet
	Running    int `db:"running" json:"running"`     // of them, those whose workflow has taken over
}

// Accepted is how many members are leaving, by this run or before it.
func (c BulkCounts) Accepted() int { return c.Started + c.Scheduled + c.Existing }

// The results of a run and their codes (rule B1, seed 003).
const (
	BulkSuccess        = "SUCCESS"
	BulkPartialSuccess = "PARTIAL_SUCCESS"
	BulkRefused        = "REFUSED"
	BulkFailed         = "FAILED"
)

// Result is what a run with these counts comes to: its message and code.
func (c BulkCounts) Result() (message string, code int) {
	switch {
	case c.Accepted() == c.Total:
		return BulkSuccess, 0
	case c.Accepted() > 0:
		return BulkPartialSuccess, 3
	case c.Failed > 0 || c.Refused == 0:
		return BulkFailed, 1
	}
	return BulkRefused, 4
}

// BulkResult is what the workflow BulkOffboarding returns. What became of each
// member is read from the database, by pages.
type BulkResult struct {
	BulkID     string     `json:"bulk_id"`
	Message    string     `json:"message"`
	ResultCode int        `json:"resultCode"`
	Counts     BulkCounts `json:"counts"`
}

// BulkRun is a run as the database has it.
type BulkRun struct {
	ID             string     `db:"id" json:"bulk_id"`
	WorkflowID     string     `db:"workflow_id" json:"workflow_id"`
	OrganizationID string     `db:"organization_id" json:"organization_id"`
	RequestedBy    string     `db:"requested_by" json:"requested_by"`
	AllOrNothing   bool       `db:"all_or_nothing" json:"all_or_nothing"`
	Rate           int        `db:"rate" json:"rate"`
	Phase          BulkPhase  `db:"phase" json:"phase"`
	CreatedAt      time.Time  `db:"created_at" json:"created_at"`
	AccessGoneAt   *time.Time `db:"access_gone_at" json:"access_gone_at,omitempty"` // everybody has been processed
	CanceledAt     *time.Time `db:"canceled_at" json:"canceled_at,omitempty"`
	ClosedAt       *time.Time `db:"closed_at" json:"closed_at,omitempty"`
	Counts         BulkCounts `db:"counts" json:"counts"`
}

// BulkStatus answers the query of a run.
type BulkStatus struct {
	BulkRun
	Step            string           `json:"step"`              // what is being done
	Trouble         *Trouble         `json:"trouble,omitempty"` // nil while the run goes on
	RefusedMessages []RefusedMessage `json:"refused_messages,omitempty"`
	ContinuedAsNew  int              `json:"continued_as_new,omitempty"`
	WorkflowTime    time.Time        `json:"workflow_time"`
}

// BulkRunRow is a run as lists show it to people.
type BulkRunRow struct {
	BulkRun
	OrganizationSlug string     `db:"organization_slug" json:"organization"`
	RequesterName    string     `db:"requester_name" json:"requester_name"`
	TroubleStep      string     `db:"trouble_step" json:"trouble_step,omitempty"`
	TroubleAttempt   int        `db:"trouble_attempt" json:"trouble_attempt,omitempty"`
	TroubleError     string     `db:"trouble_error" json:"trouble_error,omitempty"`
	TroubleSince     *time.Time `db:"trouble_since" json:"trouble_since,omitempty"`
}

// BulkMemberRow is a member of a run as lists show it to people.
type BulkMemberRow struct {
	Position   int         `db:"position" json:"position"`             // in the list, from 1
	Reference  string      `db:"reference" json:"reference,omitempty"` // what the list says, where it names nobody
	MemberID   string      `db:"member_id" json:"member_id,omitempty"` //
	MemberName string      `db:"member_name" json:"member_name,omitempty"`
	Email      string      `db:"member_email" json:"member_email,omitempty"`
	Outcome    BulkOutcome `db:"result" json:"outcome"`
	CaseID     string      `db:"case_id" json:"case_id,omitempty"`
	Phase      Phase       `db:"phase" json:"phase,omitempty"` // the case's, now
	Violations []Violation `db:"-" json:"violations,omitempty"`
	Error      string      `db:"error" json:"error,omitempty"`
}

// BulkFilter selects members of a run, or runs; what is empty does not narrow.
type BulkFilter struct {
	OrganizationID string      // of runs
	Reach          []string    // of runs: IDs of the organizations that may be seen at all; none for all
	Outcome        BulkOutcome // of members
	OpenOnly       bool        // only runs that have not closed
	Cursor         string
	Limit          int // 0 means DefaultLimit
}

// BulkAdmitInput asks to admit a run.
type BulkAdmitInput struct {
	BulkID     string      `json:"bulk_id"`
	WorkflowID string      `json:"workflow_id"`
	At         time.Time   `json:"at"`
	Request    BulkRequest `json:"request"`
	Sent       *Sent       `json:"sent,omitempty"`
	CaseID     string      `json:"case_id,omitempty"` // nobody's case: what the runs of the workflow go on by
	Before     bool        `json:"-"`                 // as in AdmitInput
}

// BulkStep is a step of a run. What has been done is not done again.
type BulkStep struct {
	BulkID string    `json:"bulk_id"`
	At     time.Time `json:"at"` // the workflow's clock
}

// BulkStartInput asks to start cases that a run has opened.
type BulkStartInput struct {
	BulkStep
	Rate  int  `json:"rate"`            // a second
	Again bool `json:"again,omitempty"` // those too that were started and have not been taken over
}

// BulkCancelInput carries a cancel.
type BulkCancelInput struct {
	BulkStep
	Sent    *Sent  `json:"sent,omitempty"`
	Message Cancel `json:"message"`
}

// BulkTroubleInput records that a run cannot go on, or with nil that it does again.
type BulkTroubleInput struct {
	BulkID  string   `json:"bulk_id"`
	Trouble *Trouble `json:"trouble"`
}

// BulkStart is a case that a run has opened and whose workflow is to be started.
type BulkStart struct {
	Position    int    `db:"position"`
	MemberID    string `db:"member_id"`
	CaseID      string `db:"case_id"`
	RequestedBy string `db:"requested_by"`
}
