package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"handover/offboarding"
)

// caseAction is a message to a case that takes one form: the page says in numbers what
// it will do, and asks once.
type caseAction struct {
	Name string
	fits func(caseDetail) bool
	// previews: the page needs to know what the leaver has.
	previews bool
	// send sends what was typed, and fields pairs the API's names with the form's.
	send   func(*visit, caseDetail) error
	fields []string
	done   func(v *visit, to string) error
}

var caseActions = []caseAction{
	{
		Name: "extend",
		fits: func(c caseDetail) bool { return c.Phase == offboarding.PhaseGrace },
		send: func(v *visit, c caseDetail) error {
			return v.post(at("/v1/offboardings/%s/extend-grace", c.ID), map[string]any{"until": v.moment("day", "clock")}, nil)
		},
		fields: []string{"until", "day"},
		done:   func(v *visit, to string) error { return v.done(to, "case_extended") },
	},
	{
		Name: "reschedule", fits: waits, previews: true,
		send: func(v *visit, c caseDetail) error {
			return v.post(at("/v1/offboardings/%s/reschedule", c.ID), map[string]any{"effective_at": v.moment("day", "clock")}, nil)
		},
		fields: []string{"effective_at", "day"},
		done:   func(v *visit, to string) error { return v.done(to, "case_rescheduled") },
	},
	{
		Name: "cancel", fits: waits, previews: true,
		send: func(v *visit, c caseDetail) error {
			return v.post(at("/v1/offboardings/%s/cancel", c.ID), map[string]any{"reason": v.Value("reason")}, nil)
		},
		done: func(v *visit, to string) error { return v.done(to, "case_canceled") },
	},
	{
		Name: "reactivate",
		fits: func(c caseDetail) bool {
			return c.Gone() || c.AwaitsSessions() || c.Phase == offboarding.PhaseCompleted && c.WorkspaceID == ""
		},
		send: func(v *visit, c caseDetail) error {
			path := at("/v1/offboardings/%s/reactivate", c.ID)
			if c.ClosedAt != nil { // the case is not there any more to be told
				path = at("/v1/members/%s/reactivate", c.MemberID)
			}
			return v.post(path, map[string]any{"return_documents": v.Checked("return_documents", "true")}, nil)
		},
		done: func(v *visit, to string) error { return v.done(to, "case_reactivated") },
	},
}

// waits reports whether a case waits for its effective time.
func waits(c caseDetail) bool { return c.Phase == offboarding.PhaseScheduled }

// actionsOf are the names of what a case can be sent as it stands.
func actionsOf(c caseDetail) (names []string) {
	if c.Gone() {
		names = append(names, actionTransfer)
	}
	for _, a := range caseActions {
		if a.fits(c) {
			names = append(names, a.Name)
		}
	}
	return names
}

// caseForm is what the page of an action shows.
type caseForm struct {
	caseDetail
	Action  string
	Preview *offboarding.Preview // where the action needs it
	Zone    string               // of the times that the reader types
	Day     string               // what the day begins with
}

// page shows the form of an action, or does it.
func (a caseAction) page(v *visit) error {
	c, err := v.oneCase()
	switch {
	case err != nil:
		return err
	case !v.Posted() && !slices.Contains(actionsOf(c), a.Name):
		return v.redirect(casePath(c.ID)) // which says where the case stands
	}
	f := caseForm{caseDetail: c, Action: a.Name, Zone: v.zone().String()}
	if v.Posted() {
		if slices.Contains(a.fields, "day") && v.Value("day") == "" {
			v.fault("day", v.T("case.day_missing"))
		} else if err := a.send(v, c); !v.refused(err, a.fields...) {
			if err != nil {
				return err
			}
			return a.done(v, casePath(c.ID))
		}
		if !slices.Contains(actionsOf(c), a.Name) {
			v.Faults = []Fault{{Message: v.T("case.gone_on", "phase", v.T("phase."+string(c.Phase)))}}
		}
		for i := range v.Faults { // in the form's words
			if v.Faults[i].Field == "day" && v.Value("day") != "" {
				v.Faults[i].Message = v.T("case.day_refused." + a.Name)
			}
		}
	}
	if a.Name == "extend" && c.GraceEndsAt != nil {
		f.Day = c.GraceEndsAt.In(v.zone()).AddDate(0, 0, 7).Format(time.DateOnly)
	}
	if a.previews {
		if f.Preview, err = v.previewOf(c, "1"); err != nil {
			return err
		}
	}
	return v.show("case-action", f)
}

// previewOf says what the leaver of a case has now, and who could have so many of the
// documents one by one; nil where the reader may not know.
func (v *visit) previewOf(c caseDetail, limit string) (*offboarding.Preview, error) {
	var p offboarding.Preview
	body := map[string]any{"member_id": c.MemberID, "workspace_id": c.WorkspaceID}
	err := v.call(http.MethodPost, "/v1/offboardings/preview", url.Values{"limit": {limit}}, body, &p)
	if v.refused(err) {
		return nil, nil //nolint:nilnil // why is on the page
	}
	return &p, err
}

// moment is a time that was typed as a day and perhaps a time of that day in the
// reader's zone. A day alone is for the API, which knows where the member is (rule L1).
func (v *visit) moment(day, clock string) string {
	if v.Value(clock) == "" {
		return v.Value(day)
	}
	typed := v.Value(day) + " " + v.Value(clock)
	at, err := time.ParseInLocation("2006-01-02 15:04", typed, v.zone())
	if err != nil {
		return typed // the API says what is wrong with it
	}
	return at.Format(time.RFC3339)
}
