package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"handover/offboarding"
	"handover/server/problem"
)

// leavingFields are what can be said about an offboarding, by the API's names (seed 000).
var leavingFields = []string{"disposition", "new_owner_id", "archive_schedules", "effective_at", "grace_period", "reason"}

// leaving registers the offboarding of one member: what is to happen is asked, then
// shown in numbers, then done.
func (c *Console) leaving(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"members/{id}/deactivate", AccessAdmin, func(v *visit) error {
		m, err := v.member()
		if err != nil {
			return err
		}
		return v.leavingForm(m)
	})
	c.route(mux, "POST "+Path+"members/{id}/deactivate", AccessAdmin, func(v *visit) error {
		m, err := v.member()
		switch {
		case err != nil:
			return err
		case v.Value("choose") != "":
			v.r.PostForm.Set("disposition", string(offboarding.DispositionTransfer))
			v.r.PostForm.Set("new_owner_id", v.Value("choose"))
		case v.Value("step") == "review":
			return v.reviewLeaving(m)
		case v.Value("step") == "confirm":
			return v.confirmLeaving(m)
		}
		return v.leavingForm(m)
	})
}

// leavingPage is the form, or what the form comes to.
type leavingPage struct {
	Member  offboarding.MemberDetail
	Preview offboarding.Preview
	Why     []string // nobody may offboard the member, or not now
	Choices []Option // what can happen to the documents
	Sent    []Option // what was typed, to be sent again
}

// Shown names what is confirmed: what happens, to whom and when. How much the member
// has is not in it, or they could keep it from ever being confirmed.
func (p leavingPage) Shown(now time.Time) string {
	plan := *p.Preview.Plan
	if p.Now(now) {
		plan.EffectiveAt = time.Time{}
	}
	return shown(p.Member.ID, plan)
}

// leavingForm asks what is to happen. What the API would do by itself is filled in; the
// member's successors stand below.
func (v *visit) leavingForm(m offboarding.MemberDetail) error {
	p := leavingPage{Member: m, Choices: options(v, "disposition", offboarding.Dispositions...)}
	err := v.post("/v1/offboardings/preview", map[string]any{"member_id": m.ID}, &p.Preview)
	if p.Why, err = v.whyNot(err, p.Preview.Violations); err != nil {
		return err
	}
	return v.show("leaving", p)
}

// whyNot is why a preview says that something cannot be done; an error that says
// anything else is handed back.
func (v *visit) whyNot(err error, violations []offboarding.Violation) (why []string, _ error) {
	var refusal *problem.Problem
	switch {
	case errors.As(err, &refusal) && refusal.Status == http.StatusForbidden:
		for _, f := range refusal.Errors {
			why = append(why, f.Message)
		}
	case err != nil:
		return nil, err
	}
	for _, violation := range violations {
		why = append(why, v.why(violation))
	}
	return why, nil
}

// plan is what the form says, as the API takes it.
func (v *visit) plan(memberID string) map[string]any {
	body := map[string]any{"member_id": memberID, "archive_schedules": v.Checked("archive_schedules", "true")}
	for _, name := range leavingFields {
		if value := strings.TrimSpace(v.Value(name)); value != "" && body[name] == nil {
			body[name] = value
		}
	}
	if owner := who(v.Value("new_owner_id")); owner != "" {
		body["new_owner_id"] = owner
	}
	return body
}

// reviewLeaving shows in numbers what the form comes to.
func (v *visit) reviewLeaving(m offboarding.MemberDetail) error {
	p := leavingPage{Member: m}
	if unknown, err := v.unknownOwner(); err != nil {
		return err
	} else if unknown {
		return v.leavingForm(m)
	}
	err := v.post("/v1/offboardings/preview", v.plan(m.ID), &p.Preview)
	if v.refused(err, "member_id", "") {
		return v.leavingForm(m)
	} else if err != nil {
		return err
	}
	for _, violation := range p.Preview.Violations {
		field := violation.Field
		if !slices.Contains(leavingFields, field) {
			field = ""
		}
		v.fault(field, v.why(violation))
	}
	if len(v.Faults) > 0 || p.Preview.Plan == nil {
		return v.leavingForm(m)
	}
	return v.showLeaving(p)
}

// unknownOwner reports whether a new owner is typed whom nobody knows, which the page
// then says: the rule for new owners says the same of all who may not be one.
func (v *visit) unknownOwner() (bool, error) {
	owner := who(v.Value("new_owner_id"))
	if owner == "" || owner == offboarding.NewOwnerManager {
		return false, nil
	}
	err := v.get(at("/v1/members/%s", owner), nil, nil)
	if v.refused(err, "id", "new_owner_id") {
		return true, nil
	}
	return false, err
}

func (v *visit) showLeaving(p leavingPage) error {
	for _, name := range leavingFields {
		if value := v.Value(name); value != "" {
			p.Sent = append(p.Sent, Option{Value: value, Label: name})
		}
	}
	return v.show("leaving-review", p)
}

// confirmLeaving does what was shown; where the plan is another one by now, it is shown
// again. What is under way already, or is refused, is for the API to say.
func (v *visit) confirmLeaving(m offboarding.MemberDetail) error {
	p := leavingPage{Member: m}
	err := v.post("/v1/offboardings/preview", v.plan(m.ID), &p.Preview)
	if err == nil && p.Preview.Plan != nil && p.Preview.OpenCaseID == "" && p.Shown(v.Now()) != v.Value("shown") {
		v.notAsShown()
		return v.showLeaving(p)
	}
	return v.leave(m)
}

// leave starts the case.
func (v *visit) leave(m offboarding.MemberDetail) error {
	var start struct {
		CaseID   string `json:"case_id"`
		WaitsFor string `json:"waits_for"`
	}
	err := v.post("/v1/offboardings", v.plan(m.ID), &start)
	switch {
	case v.refused(err, "member_id", ""):
		return v.leavingForm(m)
	case err != nil:
		return err
	}
	to := Path + "leavers/" + start.CaseID
	switch start.WaitsFor {
	case "effective_at":
		return v.done(to, "leaving_scheduled")
	case "sessions_end_at":
		return v.done(to, "leaving_waits")
	}
	return v.done(to, "left")
}

// Now reports whether the offboarding begins at once.
func (p leavingPage) Now(now time.Time) bool { return !p.Preview.Plan.EffectiveAt.After(now) }

// ManagerSuggested reports whether the member's manager is among those who could take the
// documents.
func (p leavingPage) ManagerSuggested() bool {
	s := p.Preview.Successors
	return s != nil && slices.ContainsFunc(s.Suggestions, func(s offboarding.Suggestion) bool { return s.Manager })
}

// Grace is how long unowned documents stay editable.
func (p leavingPage) Grace() time.Duration {
	return time.Duration(p.Preview.Plan.GracePeriodSeconds) * time.Second
}

// ReadOnlyAt is when documents that nobody owns become read-only.
func (p leavingPage) ReadOnlyAt() time.Time { return p.Preview.Plan.EffectiveAt.Add(p.Grace()) }
