package api

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// queryWithin is how long a read waits for the case itself; then the database answers.
const queryWithin = 2 * time.Second

// CasePath names a case.
type CasePath struct {
	ID string `path:"id" format:"uuid" doc:"The case's ID"`
}

// CaseListInput selects cases.
type CaseListInput struct {
	PageInput
	Organization string            `query:"organization" maxLength:"200" doc:"Only of this organization, by ID or slug; all within reach unless given"`
	MemberID     string            `query:"member" maxLength:"400" doc:"Only of this member: ID, email:<address> or external:<external id>"`
	Phase        offboarding.Phase `query:"phase" enum:"scheduled,revoking,deactivated,transferring,grace,read_only,completed,canceled,reactivated,failed" doc:"Only in this phase"`
	Open         bool              `query:"open" doc:"Only cases that have not closed"`
	Troubled     bool              `query:"troubled" doc:"Only cases that cannot go on"`
	Overdue      bool              `query:"overdue" doc:"Only cases whose next step was due and has not been done"`
	Waiting      bool              `query:"waiting" doc:"Only cases in which documents wait for an owner, in the grace or after it"`
}

// CaseSearchInput selects cases by the names of members too, which are in no URL.
type CaseSearchInput struct {
	Body struct {
		SearchBody
		Phase    offboarding.Phase `json:"phase,omitempty" enum:"scheduled,revoking,deactivated,transferring,grace,read_only,completed,canceled,reactivated,failed" doc:"Only in this phase"`
		Open     bool              `json:"open,omitempty" doc:"Only cases that have not closed"`
		Troubled bool              `json:"troubled,omitempty" doc:"Only cases that cannot go on"`
		Overdue  bool              `json:"overdue,omitempty" doc:"Only cases whose next step was due and has not been done"`
		Waiting  bool              `json:"waiting,omitempty" doc:"Only cases in which documents wait for an owner, in the grace or after it"`
	}
}

// CaseListOutput is a page of cases.
type CaseListOutput struct {
	Body offboarding.Page[offboarding.CaseRow]
}

// Live is what the case itself says, beyond what the database has.
type Live struct {
	Documents       offboarding.Counts           `json:"documents" doc:"Of the leaver, by what became of them in this case"`
	PendingRequests []string                     `json:"pending_requests" doc:"IDs of the oldest 100"`
	StepsDone       []string                     `json:"steps_done" doc:"In the order in which they were done"`
	NextReminderAt  *time.Time                   `json:"next_reminder_at,omitempty"`
	NextEscalation  *time.Time                   `json:"next_escalation_at,omitempty" doc:"When the oldest pending request goes to the owners"`
	Trouble         *offboarding.Trouble         `json:"trouble,omitempty" doc:"While the case cannot go on"`
	RefusedMessages []offboarding.RefusedMessage `json:"refused_messages,omitempty" doc:"The latest 20 that broke a rule"`
}

// CaseDetail is a case.
type CaseDetail struct {
	offboarding.CaseRow
	Source string `json:"source" enum:"workflow,database" doc:"workflow: the case itself was asked too, and live is what it says; database: it has closed, or could not answer"`
	Live   *Live  `json:"live,omitempty"`
	// Now is what its times are to be compared with.
	Now time.Time `json:"now" doc:"The case's own clock, which is ahead of others where its time was skipped"`
}

// CaseOutput is a case.
type CaseOutput struct{ Body CaseDetail }

// OutcomeOutput is what a message came to.
type OutcomeOutput struct{ Body offboarding.Outcome }

func (a *API) offboardings() {
	a.starts()
	a.previews()
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/offboardings", OperationID: "list-offboardings", Summary: "List cases", Tags: []string{"Offboardings"},
		Description: "Cases within reach, the newest first.", Errors: []int{http.StatusNotFound},
	}, a.listCases)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/v1/offboardings/search", OperationID: "search-offboardings", Summary: "Search cases", Tags: []string{"Offboardings"},
		Description: "As the list, but only cases of members of whom every word of q is the beginning of a word of their name, email address or external ID. " +
			"Changes nothing; it is a POST because what is searched for is in no URL.",
		Metadata: maps.Clone(changesNothing),
	}, a.searchCases)
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/offboardings/{id}", OperationID: "get-offboarding", Summary: "Read a case", Tags: []string{"Offboardings"},
		Description: "A case within reach, as it is now. Admins of a workspace read the removals from it.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *CasePath) (*CaseOutput, error) {
		row, err := a.findCase(ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		return &CaseOutput{a.detail(ctx, row)}, nil
	})
	a.caseMessages()
	a.events()
}

func (a *API) listCases(ctx context.Context, c *auth.Caller, in *CaseListInput) (*CaseListOutput, error) {
	n := a.naming(ctx, c)
	f := offboarding.CaseFilter{
		Reach: n.organizations(in.Organization), Phase: in.Phase, OpenOnly: in.Open, Troubled: in.Troubled, Overdue: in.Overdue, Waiting: in.Waiting,
		Now: a.now().UTC(), Cursor: in.Cursor, Limit: in.Limit,
	}
	if in.MemberID != "" {
		f.MemberID = n.member(in.MemberID, "member").ID
	}
	if err := n.err(); err != nil {
		return nil, err
	}
	page, err := a.store.Cases(ctx, f)
	return &CaseListOutput{page}, err
}

func (a *API) searchCases(ctx context.Context, c *auth.Caller, in *CaseSearchInput) (*CaseListOutput, error) {
	n, b := a.naming(ctx, c), in.Body
	f := offboarding.CaseFilter{
		Reach: n.organizations(b.Organization), Search: b.Query, Phase: b.Phase, OpenOnly: b.Open, Troubled: b.Troubled, Overdue: b.Overdue, Waiting: b.Waiting,
		Now: a.now().UTC(), Cursor: b.Cursor, Limit: b.Limit,
	}
	if err := n.err(); err != nil {
		return nil, err
	}
	page, err := a.store.Cases(ctx, f)
	return &CaseListOutput{page}, err
}

// noCase is the answer about a case that does not exist, or is out of reach.
func noCase() error {
	return offboarding.Refuse("", offboarding.CodeCaseNotFound, "id", "there is no such case")
}

// findCase finds a case that the caller may see: as an owner or admin, or as an
// admin of the workspace that it is about.
func (a *API) findCase(ctx context.Context, c *auth.Caller, id string) (offboarding.CaseRow, error) {
	row, err := a.store.FindCase(ctx, id, a.now().UTC())
	switch {
	case offboarding.CodeOf(err) == offboarding.CodeCaseNotFound:
		return row, noCase()
	case err != nil:
		return row, err
	case !strings.EqualFold(row.ID, id) || !c.Reaches(row.OrganizationID):
		return offboarding.CaseRow{}, noCase()
	case c.Admin():
		return row, nil
	}
	admin := false
	if row.WorkspaceID != "" {
		admin, err = a.store.IsWorkspaceAdmin(ctx, row.WorkspaceID, c.Member.ID)
	}
	if err == nil && !admin {
		err = noCase()
	}
	if err != nil {
		return offboarding.CaseRow{}, err
	}
	return row, nil
}

// detail asks an open case for what only it knows; where it does not answer, what
// the database has must do.
func (a *API) detail(ctx context.Context, row offboarding.CaseRow) CaseDetail {
	d := CaseDetail{CaseRow: row, Source: "database", Now: row.Clock(a.now().UTC())}
	if row.ClosedAt != nil {
		return d
	}
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	status, err := a.cases.Status(ctx, row.WorkflowID)
	if err != nil || status.CaseID != row.ID {
		return d
	}
	if now, err := a.cases.Now(ctx, row.WorkflowID); err == nil && now.After(d.Now) {
		d.Now = now
	}
	d.Source = "workflow"
	d.Live = &Live{
		Documents: status.Documents, PendingRequests: status.PendingRequests, StepsDone: status.StepsDone, NextReminderAt: status.NextReminderAt,
		NextEscalation: status.NextEscalation, Trouble: status.Trouble, RefusedMessages: status.RefusedMessages,
	}
	return d
}
