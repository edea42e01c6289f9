package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
)

// BulkMemberBody is one member of a list.
type BulkMemberBody struct {
	MemberID string `json:"member_id" minLength:"1" maxLength:"400" doc:"ID, email:<address> or external:<external id>"`
	PlanBody
}

// BulkOptions are what a run can be told besides its members.
type BulkOptions struct {
	AllOrNothing bool `json:"all_or_nothing,omitempty" query:"all_or_nothing" doc:"One refusal refuses all"`
	Confirmed    bool `json:"confirmed,omitempty" query:"confirmed" doc:"Remove more of the organization than may be removed by mistake"`
	Rate         int  `json:"rate,omitempty" query:"rate" minimum:"1" maximum:"1000" doc:"Cases started a second once everybody has lost access; 50 unless given"`
}

// BulkInput offboards the members of a list.
type BulkInput struct {
	OriginInput
	PreferInput
	Body BulkBody
}

// BulkBody is a list.
type BulkBody struct {
	Members []BulkMemberBody `json:"members" minItems:"1" maxItems:"10000" doc:"Who leaves; what one leaves out is said for all below"`
	PlanBody
	BulkOptions
}

// BulkCSVInput offboards the members of a CSV file.
type BulkCSVInput struct {
	OriginInput
	PreferInput
	BulkOptions
	RawBody []byte `contentType:"text/csv" doc:"As starter bulk takes it: columns email, last_day, reason and, if wanted, disposition and new_owner_email"`
}

// BulkAnswer is a run, with what it came to once everybody has been processed.
type BulkAnswer struct {
	offboarding.BulkRunRow
	Message    string `json:"message,omitempty" enum:"SUCCESS,PARTIAL_SUCCESS,REFUSED,FAILED" doc:"Once everybody has been processed (rule B1)"`
	ResultCode *int   `json:"resultCode,omitempty" doc:"0 SUCCESS, 3 PARTIAL_SUCCESS, 4 REFUSED, 1 FAILED"`
}

func newBulkAnswer(row offboarding.BulkRunRow) BulkAnswer {
	b := BulkAnswer{BulkRunRow: row}
	if row.AccessGoneAt != nil || row.ClosedAt != nil {
		message, code := row.Counts.Result()
		b.Message, b.ResultCode = message, &code
	}
	return b
}

// BulkStarted names a run.
type BulkStarted struct {
	BulkID string `json:"bulk_id"`
	URL    string `json:"url" doc:"Where the run can be read"`
	Total  int    `json:"total" doc:"Members on the list"`
}

// BulkStartOutput answers the start of a run.
type BulkStartOutput struct {
	Location string `header:"Location" doc:"Where the run can be read"`
	Applied  string `header:"Preference-Applied"`
	Body     BulkStarted
}

// BulkPath names a run.
type BulkPath struct {
	ID string `path:"id" maxLength:"200" doc:"The run's ID"`
}

// BulkListInput selects runs.
type BulkListInput struct {
	PageInput
	Organization string `query:"organization" maxLength:"200" doc:"Only of this organization, by ID or slug; all within reach unless given"`
	Open         bool   `query:"open" doc:"Only runs that have not closed"`
}

// BulkListOutput is a page of runs.
type BulkListOutput struct {
	Body offboarding.Page[BulkAnswer]
}

// BulkOutput is a run.
type BulkOutput struct{ Body BulkAnswer }

// BulkMembersInput selects members of a run.
type BulkMembersInput struct {
	BulkPath
	PageInput
	Outcome offboarding.BulkOutcome `query:"outcome" enum:"pending,started,scheduled,existing,refused,failed,canceled,not_started" doc:"Only with this outcome"`
}

// BulkMembersOutput is a page of what became of the members of a run.
type BulkMembersOutput struct {
	Body offboarding.Page[offboarding.BulkMemberRow]
}

// BulkCancelInput cancels a run.
type BulkCancelInput struct {
	BulkPath
	OriginInput
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why, without personal data"`
	}
}

const bulkPath = "/v1/bulk-offboardings"

func (a *API) bulk() {
	tags := []string{"Bulk"}
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: bulkPath, OperationID: "start-bulk", Summary: "Offboard many members", Tags: tags,
		Description: "Answers 202 as soon as the run is admitted; it goes on by itself, first everybody's access, then the cases. Each member is judged alone, " +
			"unless all_or_nothing; a list that removes more than 10 members and more than the organization's share has to be confirmed (rule B1).",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: maxBulkBody, Errors: []int{http.StatusConflict},
	}, a.startBulk)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: bulkPath + "/csv", OperationID: "start-bulk-csv", Summary: "Offboard the members of a CSV file", Tags: tags,
		Description:   "As the list in JSON; a file in which a row is malformed is refused whole.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: maxBulkBody, Errors: []int{http.StatusConflict},
	}, a.startBulkCSV)
	a.bulkPreviews()
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: bulkPath, OperationID: "list-bulk", Summary: "List bulk runs", Tags: tags, Description: "Runs within reach, the newest first.",
	}, func(ctx context.Context, c *auth.Caller, in *BulkListInput) (*BulkListOutput, error) {
		n := a.naming(ctx, c)
		f := offboarding.BulkFilter{Reach: n.organizations(in.Organization), OpenOnly: in.Open, Cursor: in.Cursor, Limit: in.Limit}
		if err := n.err(); err != nil {
			return nil, err
		}
		page, err := a.store.BulkRuns(ctx, f)
		out := &BulkListOutput{Body: offboarding.Page[BulkAnswer]{Items: make([]BulkAnswer, len(page.Items)), Next: page.Next}}
		for i, row := range page.Items {
			out.Body.Items[i] = newBulkAnswer(row)
		}
		return out, err
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: bulkPath + "/{id}", OperationID: "get-bulk", Summary: "Read a bulk run", Tags: tags,
		Description: "How far a run is, and what it came to.", Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *BulkPath) (*BulkOutput, error) {
		row, err := a.store.FindBulkRun(ctx, in.ID, c.Organizations...)
		return &BulkOutput{newBulkAnswer(row)}, err
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: bulkPath + "/{id}/members", OperationID: "list-bulk-members", Summary: "List what became of the members of a run", Tags: tags,
		Description: "In the order of the list.", Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *BulkMembersInput) (*BulkMembersOutput, error) {
		if _, err := a.store.FindBulkRun(ctx, in.ID, c.Organizations...); err != nil {
			return nil, err
		}
		page, err := a.store.BulkMembers(ctx, in.ID, offboarding.BulkFilter{Outcome: in.Outcome, Cursor: in.Cursor, Limit: in.Limit})
		return &BulkMembersOutput{page}, err
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: bulkPath + "/{id}/cancel", OperationID: "cancel-bulk", Summary: "Cancel a bulk run", Tags: tags,
		Description: "Takes off the list who has not been processed; those who have lost access stay without.", Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.cancelBulk)
}

// maxBulkBody is room for what Temporal takes as a list, with addresses for IDs.
const maxBulkBody = 2 * offboarding.MaxBulkInput

func (a *API) startBulk(ctx context.Context, c *auth.Caller, in *BulkInput) (*BulkStartOutput, error) {
	return a.runBulk(ctx, c, in.Body.Members, in.Body.PlanBody, in.Body.BulkOptions, in.OriginInput, in.async())
}

func (a *API) startBulkCSV(ctx context.Context, c *auth.Caller, in *BulkCSVInput) (*BulkStartOutput, error) {
	leavers, wrong := offboarding.ReadLeavers(bytes.NewReader(in.RawBody))
	n := a.naming(ctx, c)
	n.add(malformed(wrong)...)
	if err := n.err(); err != nil {
		return nil, err
	}
	return a.runBulk(ctx, c, membersOfFile(leavers), PlanBody{}, in.BulkOptions, in.OriginInput, in.async())
}

// malformed is what is wrong with the rows of a file, a violation each.
func malformed(rows []offboarding.RowError) []offboarding.Violation {
	out := make([]offboarding.Violation, len(rows))
	for i, row := range rows {
		out[i] = contradiction("B1", fmt.Sprintf("line %d, %s", row.Line, row.Field), row.Reason)
	}
	return out
}

// membersOfFile are the rows of a file as a list in JSON has them.
func membersOfFile(leavers []offboarding.Leaver) []BulkMemberBody {
	members := make([]BulkMemberBody, len(leavers))
	for i, l := range leavers {
		owner := l.NewOwnerEmail
		if owner != "" && owner != offboarding.NewOwnerManager {
			owner = emailPrefix + owner
		}
		members[i] = BulkMemberBody{MemberID: emailPrefix + l.Email, PlanBody: PlanBody{
			Reason: l.Reason, EffectiveAt: l.LastDay, Disposition: l.Disposition, NewOwnerID: owner,
		}}
	}
	return members
}

// runBulk starts a run and answers when it is admitted. What is wrong with a member
// of the list is for the run to say.
func (a *API) runBulk(
	ctx context.Context, c *auth.Caller, members []BulkMemberBody, plan PlanBody, o BulkOptions, from OriginInput, async bool,
) (*BulkStartOutput, error) {
	bulkID := a.newID(ctx, "bulk")
	r, err := a.bulkRequest(ctx, c, bulkID, members, plan, o, from)
	if err != nil {
		return nil, err
	}
	if _, err := a.cases.StartBulk(ctx, bulkID, r); err != nil {
		return nil, err
	}
	out := &BulkStartOutput{Location: bulkPath + "/" + bulkID}
	out.Body = BulkStarted{BulkID: bulkID, URL: out.Location, Total: len(r.Members)}
	if async {
		out.Applied = respondAsync
		return out, nil
	}
	return out, a.awaitBulk(ctx, c, bulkID, func(offboarding.BulkRunRow) bool { return true })
}

// admitPause is between two looks whether a run is where it is waited for.
const admitPause = 50 * time.Millisecond

// awaitBulk waits until a run is in the database and as wanted, or was refused.
func (a *API) awaitBulk(ctx context.Context, c *auth.Caller, bulkID string, wanted func(offboarding.BulkRunRow) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := a.cases.BulkResult(ctx, bulkID)
		ended <- err
	}()
	tick := time.NewTicker(admitPause)
	defer tick.Stop()
	for {
		row, err := a.store.FindBulkRun(ctx, bulkID, c.Organizations...)
		if err == nil && wanted(row) || err != nil && offboarding.CodeOf(err) != offboarding.CodeCaseNotFound {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			if err != nil {
				return err
			}
			ended = nil // it is as wanted now, or never will be
		case <-tick.C:
			if ended == nil {
				return errors.New("a bulk run has ended otherwise than it was waited for")
			}
		}
	}
}

const emailPrefix = "email:"

// bulkRequest is the run that a list asks for. Addresses become IDs, for they must
// not be in a history; who cannot be found stays on the list by place, and is
// refused there.
func (a *API) bulkRequest(
	ctx context.Context, c *auth.Caller, bulkID string, members []BulkMemberBody, plan PlanBody, o BulkOptions, from OriginInput,
) (offboarding.BulkRequest, error) {
	r := offboarding.BulkRequest{
		RequestedBy: c.Member.ID, BulkPlan: plan.bulk(), AllOrNothing: o.AllOrNothing, Confirmed: o.Confirmed, Rate: o.Rate,
		Members: make([]offboarding.BulkMember, len(members)),
	}
	n := a.naming(ctx, c)
	r.Origin = n.origin(from)
	found, err := a.byEmail(ctx, c, members, plan.NewOwnerID)
	if err != nil {
		return r, err
	}
	if r.NewOwnerID = found.ref(plan.NewOwnerID, ""); r.NewOwnerID == "" && plan.NewOwnerID != "" {
		n.add(offboarding.Violation{Rule: "N1", Code: offboarding.CodeNewOwnerNotEligible, Field: "new_owner_id", Message: "there is no such member"})
		r.NewOwnerID = plan.NewOwnerID
	}
	for i, m := range members {
		listed := offboarding.BulkMember{MemberID: found.ref(m.MemberID, ""), BulkPlan: m.bulk()}
		listed.NewOwnerID = found.ref(m.NewOwnerID, found.organization(m.MemberID))
		if listed.MemberID == "" {
			listed.MemberID = nobodyAt(i)
		}
		if m.NewOwnerID != "" && listed.NewOwnerID == "" {
			listed.NewOwnerID = nobodyAt(i)
		}
		r.Members[i] = listed
	}
	n.add(offboarding.CheckBulk(bulkID, &r)...)
	return r, n.err()
}

// nobodyAt stands for somebody who was not found: no external ID has this form.
func nobodyAt(i int) string { return fmt.Sprintf("place %d of the list", i+1) }

func (p PlanBody) bulk() offboarding.BulkPlan {
	return offboarding.BulkPlan{
		Reason: p.Reason, EffectiveAt: p.EffectiveAt, Disposition: p.Disposition, NewOwnerID: p.NewOwnerID,
		ArchiveSchedules: p.ArchiveSchedules, GracePeriod: p.GracePeriod,
	}
}

// addresses are members by their address, as the caller reaches them.
type addresses struct {
	caller *auth.Caller
	found  map[string][]offboarding.Member
}

// byEmail finds everybody whom a list names by address, all at once.
func (a *API) byEmail(ctx context.Context, c *auth.Caller, members []BulkMemberBody, others ...string) (addresses, error) {
	var emails []string
	named := others
	for _, m := range members {
		named = append(named, m.MemberID, m.NewOwnerID)
	}
	for _, ref := range named {
		if email, ok := asEmail(ref); ok {
			emails = append(emails, email)
		}
	}
	found, err := a.store.MembersByEmail(ctx, emails, c.Organizations...)
	return addresses{caller: c, found: found}, err
}

func asEmail(ref string) (string, bool) {
	if email, ok := strings.CutPrefix(ref, emailPrefix); ok {
		return email, true
	}
	return ref, strings.Contains(ref, "@") && !strings.HasPrefix(ref, "external:")
}

// one is the member with an address: of the organization that is asked for, else
// of the caller's, else the only one within reach; nil where there is none.
func (f addresses) one(email, organizationID string) *offboarding.Member {
	members := f.found[strings.ToLower(strings.TrimSpace(email))]
	for i := range members {
		if members[i].OrganizationID == organizationID || organizationID == "" && members[i].OrganizationID == f.caller.Member.OrganizationID {
			return &members[i]
		}
	}
	if organizationID == "" && len(members) == 1 {
		return &members[0]
	}
	return nil
}

// ref is a reference without an address in it; "" is nobody.
func (f addresses) ref(ref, organizationID string) string {
	email, ok := asEmail(ref)
	if !ok {
		return ref
	}
	if m := f.one(email, organizationID); m != nil {
		return m.ID
	}
	return ""
}

// organization is that of a member who is named by address, "" of others.
func (f addresses) organization(ref string) string {
	if email, ok := asEmail(ref); ok {
		if m := f.one(email, ""); m != nil {
			return m.OrganizationID
		}
	}
	return ""
}

func (a *API) cancelBulk(ctx context.Context, c *auth.Caller, in *BulkCancelInput) (*OutcomeOutput, error) {
	n := a.naming(ctx, c)
	m := offboarding.Cancel{AdminID: c.Member.ID, Origin: n.origin(in.OriginInput)}
	if in.Body != nil {
		m.Reason = in.Body.Reason
	}
	row, err := a.store.FindBulkRun(ctx, in.ID, c.Organizations...)
	if err != nil {
		n.keep(err, "id")
	}
	n.add(m.Check()...)
	if err := n.err(); err != nil {
		return nil, err
	}
	out, err := a.cases.CancelBulk(ctx, row.ID, m, client.WithUpdateID(a.updateID(ctx)))
	return &OutcomeOutput{out}, err
}
