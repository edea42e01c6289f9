package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
	"handover/server/problem"
)

// cases registers one case and what admins do with it.
func (c *Console) cases(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"leavers/{id}", AccessAdmin, (*visit).casePage)
	c.route(mux, "GET "+Path+"leavers/{id}/transfer", AccessAdmin, (*visit).transferCase)
	c.route(mux, "POST "+Path+"leavers/{id}/transfer", AccessAdmin, (*visit).transferCase)
	for _, a := range caseActions {
		c.route(mux, "GET "+Path+"leavers/{id}/"+a.Name, AccessAdmin, a.page)
		c.route(mux, "POST "+Path+"leavers/{id}/"+a.Name, AccessAdmin, a.page)
	}
}

// caseDetail is a case as the API has it.
type caseDetail struct {
	offboarding.CaseRow
	Live *struct {
		Documents       offboarding.Counts           `json:"documents"`
		NextReminderAt  *time.Time                   `json:"next_reminder_at"`
		NextEscalation  *time.Time                   `json:"next_escalation_at"`
		Trouble         *offboarding.Trouble         `json:"trouble"`
		RefusedMessages []offboarding.RefusedMessage `json:"refused_messages"`
	} `json:"live"`
	Now time.Time `json:"now"`
}

// Gone reports whether the leaver has left, and not come back: the documents wait.
func (c caseDetail) Gone() bool {
	return c.DeactivatedAt != nil && c.ClosedAt == nil && c.Phase != offboarding.PhaseReactivated
}

// AwaitsSessions reports whether the leaver is active until SSO sessions have ended.
func (c caseDetail) AwaitsSessions() bool {
	return c.Phase == offboarding.PhaseRevoking && c.SessionsEndAt != nil
}

// Trouble is why the case cannot go on, nil where it does.
func (c caseDetail) Trouble() *offboarding.Trouble {
	switch {
	case c.Live != nil && c.Live.Trouble != nil:
		return c.Live.Trouble
	case c.TroubleStep == "":
		return nil
	}
	t := &offboarding.Trouble{Step: c.TroubleStep, Attempt: c.TroubleAttempt, LastError: c.TroubleError}
	if c.TroubleSince != nil {
		t.Since = *c.TroubleSince
	}
	return t
}

// Counts are the documents of the case by what became of them, as far as it is known.
func (c caseDetail) Counts() offboarding.Counts {
	if c.Live != nil {
		return c.Live.Documents
	}
	return offboarding.Counts{Unowned: c.Unowned}
}

// Moved is how many documents have found a new owner.
func (c caseDetail) Moved() int {
	n := c.Counts()
	return n.Transferred + n.Claimed + n.Approved
}

// Failures are the codes for which a case has failed.
func (c caseDetail) Failures() (codes []offboarding.Code) {
	for code := range strings.SplitSeq(c.Failure, ",") {
		codes = append(codes, offboarding.Code(code))
	}
	return codes
}

// Credentials is how many credentials work of whom a preview is about.
func (c caseDetail) Credentials(p *offboarding.Preview) (n int) {
	for _, kind := range p.Credentials {
		n += kind
	}
	return n
}

// oneCase is the case whose ID is in the address.
func (v *visit) oneCase() (c caseDetail, err error) {
	id := v.r.PathValue("id")
	if uuid.Validate(id) != nil {
		return c, problem.New(v.r.Context(), problem.CodeNotFound, v.T("error.no_page"))
	}
	return c, v.get(at("/v1/offboardings/%s", id), nil, &c)
}

func casePath(id string) string { return Path + "leavers/" + id }

// casePage is what the page of a case shows: where it stands, what waits for an admin,
// and one of its lists.
type casePage struct {
	caseDetail
	Actions   []string // the names of those that the case can be sent now
	Requests  offboarding.Page[offboarding.RequestRow]
	Tabs      []Option
	Timeline  *timeline
	Documents *offboarding.Page[offboarding.DocumentRow]
}

func (v *visit) casePage() error {
	if err := v.follow(); err != nil {
		return err
	}
	c, err := v.oneCase()
	if err != nil {
		return err
	}
	p := casePage{caseDetail: c, Actions: actionsOf(c), Tabs: v.caseTabs(c)}
	if c.PendingRequests > 0 {
		if err := v.get("/v1/ownership-requests", url.Values{"case": {c.ID}, "limit": {pageSize}}, &p.Requests); err != nil {
			return err
		}
	}
	if state := v.Query("show"); state == "" {
		p.Timeline, err = v.timeline(c)
	} else {
		err = v.get("/v1/documents", v.documentsOf(c.ID, state, v.Query("cursor")), &p.Documents)
	}
	if err != nil {
		return err
	}
	return v.show("case", p)
}

// documentsOf narrows the list of documents to a page of those of a case.
func (v *visit) documentsOf(caseID, state, cursor string) url.Values {
	return url.Values{"case": {caseID}, "state": {state}, "cursor": {cursor}, "limit": {pageSize}}
}

// caseTabs are the lists of a case: its timeline, and its documents by what became of
// them.
func (v *visit) caseTabs(c caseDetail) []Option {
	states := options(v, "case.documents", offboarding.DocumentWaiting, offboarding.DocumentReadOnly, offboarding.DocumentMoved, offboarding.DocumentArchived)
	n := c.Counts()
	for i, count := range []int{n.Unowned, n.ReadOnly, c.Moved(), n.Archived} {
		states[i].Count = count
	}
	if c.DeactivatedAt == nil {
		states[0].Label = v.T("case.documents.theirs")
	}
	return append([]Option{{Label: v.T("timeline.title")}}, states...)
}
