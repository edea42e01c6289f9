package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
)

// PlanBody is what can be said about an offboarding besides who leaves.
type PlanBody struct {
	Reason           string                  `json:"reason,omitempty" maxLength:"2000" doc:"Why, without personal data; kept in the case"`
	EffectiveAt      string                  `json:"effective_at,omitempty" maxLength:"100" doc:"When: a time with its zone, or a date for the end of that day in the member's time zone (rule L1); now unless given" example:"2026-03-31"`
	Disposition      offboarding.Disposition `json:"disposition,omitempty" enum:"transfer,archive,retain" doc:"What happens to the documents; transfer where new_owner_id is given, else the organization's"`
	NewOwnerID       string                  `json:"new_owner_id,omitempty" maxLength:"400" doc:"Who gets the documents: a member, or manager for the leaver's (rules N1, N2)" example:"manager"`
	ArchiveSchedules bool                    `json:"archive_schedules,omitempty" doc:"Archive the schedules of transferred documents (rule D3)"`
	GracePeriod      string                  `json:"grace_period,omitempty" maxLength:"50" doc:"How long unowned documents stay editable; the organization's unless given" example:"7d"`
}

// StartBody starts an offboarding.
type StartBody struct {
	MemberID    string `json:"member_id" minLength:"1" maxLength:"400" doc:"Who leaves: ID, email:<address> or external:<external id>" example:"external:emp-1041"`
	WorkspaceID string `json:"workspace_id,omitempty" maxLength:"400" doc:"Only from this workspace, by ID or external:<external id> (rule W1)"`
	PlanBody
}

// StartInput starts an offboarding.
type StartInput struct {
	OriginInput
	PreferInput
	Body StartBody
}

// The states of a start.
const (
	startPending = "pending"
	startOpen    = "open"
	startRefused = "refused"
)

// Start is what a start came to: the status of the case, and how far it is.
type Start struct {
	State         string                  `json:"state" enum:"pending,open,refused" doc:"pending: not judged yet; open: the case was opened, by this start or before it; refused: the rules say no, and nothing was changed"`
	AccessRevoked bool                    `json:"access_revoked" doc:"The member is inactive, and no credential and no session works; from a workspace: no longer belongs to it"`
	WaitsFor      string                  `json:"waits_for,omitempty" enum:"effective_at,sessions_end_at" doc:"What the case waits for before the member is inactive; while it is sessions_end_at the credentials are revoked already (rule S1)"`
	URL           string                  `json:"url,omitempty" doc:"Where the case can be read, once there is one"`
	Violations    []offboarding.Violation `json:"violations,omitempty" doc:"Why it was refused"`
	offboarding.Status
}

// StartOutput answers a start.
type StartOutput struct {
	Status   int
	Location string `header:"Location" doc:"Where the case can be read, or after 202 what has become of the start"`
	Applied  string `header:"Preference-Applied" doc:"respond-async, after 202"`
	Body     Start
}

func (a *API) starts() {
	register(a, AccessMember, huma.Operation{
		Method: http.MethodPost, Path: "/v1/offboardings", OperationID: "start-offboarding", Summary: "Offboard a member", Tags: []string{"Offboardings"},
		Description: "Answers 201 when the member can no longer get in (access_revoked), or the case waits for its time (waits_for); " +
			"200 when the case was open already, and this start changed nothing (rule E2). With `Prefer: respond-async` it answers 202 at once; " +
			"Location then tells what becomes of the start. Owners and admins offboard members; with workspace_id an admin of the workspace may too.",
		DefaultStatus: http.StatusCreated, Metadata: alsoAnswers(http.StatusOK, http.StatusAccepted),
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.start)
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/members/{id}/starts/{run}", OperationID: "get-start", Summary: "See what has become of a start", Tags: []string{"Offboardings"},
		Description: "For who has started an offboarding with `Prefer: respond-async`, at the Location of the answer. Admins of a workspace see the removals from it.",
		Errors:      []int{http.StatusNotFound},
	}, a.startState)
}

func (a *API) start(ctx context.Context, c *auth.Caller, in *StartInput) (*StartOutput, error) {
	request, err := a.request(ctx, c, in.Body, in.OriginInput)
	if err != nil {
		return nil, err
	}
	if in.async() {
		started, err := a.cases.StartAsync(ctx, request, a.onceOnly(ctx))
		if err != nil {
			return nil, err
		}
		out := &StartOutput{Status: http.StatusAccepted, Applied: respondAsync, Location: startURL(request, started.RunID)}
		out.Body = newStart(offboarding.Status{WorkflowID: started.WorkflowID, MemberID: request.MemberID, RequestedBy: request.RequestedBy})
		return out, nil
	}
	status, created, err := a.cases.StartOnce(ctx, request, a.onceOnly(ctx))
	if err != nil {
		return nil, err
	}
	out := &StartOutput{Status: http.StatusOK, Location: caseURL(status.CaseID), Body: newStart(status)}
	if created {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// onceOnly names the request for workflows that it starts.
func (a *API) onceOnly(ctx context.Context) client.Once {
	once := client.Once{ID: a.updateID(ctx)}
	if k := keyedOf(ctx); k != nil {
		once.Repeated = k.attempt > 1
	}
	return once
}

// request is the start that a body asks for, everything resolved to IDs.
func (a *API) request(ctx context.Context, c *auth.Caller, b StartBody, o OriginInput) (offboarding.Request, error) {
	if may, err := a.mayOffboard(ctx, c, b.WorkspaceID); err != nil {
		return offboarding.Request{}, err
	} else if !may { // and learns nothing about whom the request names
		return offboarding.Request{}, offboarding.RefusalOf(offboarding.JudgeAdmin(offboarding.Actor{}))
	}
	n := a.naming(ctx, c)
	leaver := n.member(b.MemberID, "member_id")
	r := b.request()
	r.MemberID, r.RequestedBy, r.Origin = leaver.ID, c.Member.ID, n.origin(o)
	r.NewOwnerID = n.newOwner(b.NewOwnerID, leaver.OrganizationID, "new_owner_id")
	r.WorkspaceID = n.workspace(b.WorkspaceID, leaver.OrganizationID)
	form := r
	form.MemberID, form.NewOwnerID = b.MemberID, b.NewOwnerID // said above, where there is no such member
	n.add(offboarding.CheckRequest(form)...)
	n.time(b.EffectiveAt, leaver, "effective_at")
	return r, n.err()
}

// mayOffboard reports whether there is anybody whom the caller may offboard: as an
// admin, or from the workspace that is named as its admin (rule W1).
func (a *API) mayOffboard(ctx context.Context, c *auth.Caller, workspace string) (bool, error) {
	if c.Admin() || workspace == "" {
		return c.Admin(), nil
	}
	w, err := a.store.FindWorkspace(ctx, workspace, c.Member.OrganizationID)
	if err != nil {
		if offboarding.CodeOf(err) != "" {
			err = nil
		}
		return false, err
	}
	return a.store.IsWorkspaceAdmin(ctx, w.ID, c.Member.ID)
}

func (p PlanBody) request() offboarding.Request {
	return offboarding.Request{
		Reason: p.Reason, EffectiveAt: p.EffectiveAt, Disposition: p.Disposition, ArchiveSchedules: p.ArchiveSchedules, GracePeriod: p.GracePeriod,
	}
}

// newStart says how far a start is.
func newStart(status offboarding.Status) Start {
	s := Start{State: startOpen, AccessRevoked: status.DeactivatedAt != nil, Status: status}
	switch {
	case status.Phase == "":
		s.State = startPending
		s.CaseID = "" // that is not one's to look at yet
	case status.Phase == offboarding.PhaseScheduled:
		s.WaitsFor = "effective_at"
	case status.SessionsEndAt != nil && !s.AccessRevoked:
		s.WaitsFor = "sessions_end_at"
	}
	if s.PendingRequests == nil {
		s.PendingRequests = []string{}
	}
	if s.StepsDone == nil {
		s.StepsDone = []string{}
	}
	if s.CaseID != "" {
		s.URL = caseURL(s.CaseID)
	}
	return s
}

func caseURL(caseID string) string { return "/v1/offboardings/" + caseID }

func startURL(r offboarding.Request, runID string) string {
	u := "/v1/members/" + r.MemberID + "/starts/" + runID
	if r.WorkspaceID != "" {
		u += "?workspace_id=" + url.QueryEscape(r.WorkspaceID)
	}
	return u
}

// StartPath names a start.
type StartPath struct {
	MemberPath
	Run         string `path:"run" format:"uuid" doc:"As in the Location of the answer to the start"`
	WorkspaceID string `query:"workspace_id" format:"uuid" doc:"Of a removal from a workspace"`
}

// StartStateOutput is what has become of a start.
type StartStateOutput struct{ Body Start }

func (a *API) startState(ctx context.Context, c *auth.Caller, in *StartPath) (*StartStateOutput, error) {
	if may, err := a.mayOffboard(ctx, c, in.WorkspaceID); err != nil {
		return nil, err
	} else if !may {
		return nil, noCase()
	}
	n := a.naming(ctx, c)
	leaver := n.member(in.ID, "id")
	if err := n.err(); err != nil {
		return nil, err
	}
	workflowID := offboarding.WorkflowID(leaver.ID)
	if in.WorkspaceID != "" {
		workflowID = offboarding.RemovalWorkflowID(in.WorkspaceID, leaver.ID)
	}
	status, refusal, err := a.cases.StateOf(ctx, client.Started{WorkflowID: workflowID, RunID: in.Run})
	if err != nil {
		return nil, err
	}
	out := newStart(status)
	if refusal != nil {
		out.State, out.Violations, out.MemberID = startRefused, refusal.Violations, leaver.ID
	}
	return &StartStateOutput{out}, nil
}
