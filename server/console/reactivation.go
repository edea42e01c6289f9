package console

import (
	"errors"
	"fmt"
	"net/http"

	"handover/offboarding"
	"handover/server/problem"
)

// reactivation registers how members come back: one, and those who were ticked.
func (c *Console) reactivation(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"members/{id}/reactivate", AccessAdmin, func(v *visit) error {
		m, err := v.member()
		if err != nil {
			return err
		}
		return v.reactivationForm(m)
	})
	c.route(mux, "POST "+Path+"members/{id}/reactivate", AccessAdmin, (*visit).reactivate)
	c.route(mux, "POST "+Path+"members/reactivate", AccessAdmin, func(v *visit) error {
		if v.Value("step") == "confirm" {
			return v.reactivateMany()
		}
		return v.reviewReactivations()
	})
}

// reactivationPage is what a reactivation would come to.
type reactivationPage struct {
	Member  offboarding.MemberDetail
	Preview offboarding.PreviewedReactivation
	Why     []string // the member cannot come back, or not now
}

func (v *visit) reactivationForm(m offboarding.MemberDetail) error {
	p := reactivationPage{Member: m}
	err := v.get(at("/v1/members/%s/reactivation-preview", m.ID), nil, &p.Preview)
	if p.Why, err = v.whyNot(err, p.Preview.Violations); err != nil {
		return err
	}
	return v.show("reactivation", p)
}

func (v *visit) reactivate() error {
	m, err := v.member()
	if err != nil {
		return err
	}
	err = v.post(at("/v1/members/%s/reactivate", m.ID), map[string]any{"return_documents": v.Checked("return_documents", "true")}, nil)
	switch {
	case v.refused(err):
		return v.reactivationForm(m)
	case err != nil:
		return err
	}
	return v.done(Path+"members/"+m.ID, "member_back")
}

// reactivationsPage is what the reactivation of many would come to, or has come to.
type reactivationsPage struct {
	offboarding.ReactivationPreview
	Why  []string // nobody comes back
	Back []member // who would come back, or has
	Not  []member // who would not, or has not
	// Of those who would come back.
	Documents, Moved, Returnable, Requests int
}

// member is one of many, and why they do not come back.
type member struct {
	ID, Name, Email string
	Why             []string
}

// ticked asks what the reactivation of those who were ticked would come to.
func (v *visit) ticked() (p reactivationsPage, err error) {
	body := map[string]any{"member_ids": v.r.PostForm["member"]}
	if err := v.post("/v1/members/reactivate/preview", body, &p.ReactivationPreview); err != nil {
		return p, err
	}
	for _, violation := range p.Violations {
		p.Why = append(p.Why, v.why(violation))
	}
	for _, m := range p.Members {
		one := member{ID: m.MemberID, Name: m.MemberName, Email: m.Email}
		for _, violation := range m.Violations {
			one.Why = append(one.Why, v.why(violation))
		}
		if len(one.Why) > 0 {
			p.Not = append(p.Not, one)
			continue
		}
		p.Back = append(p.Back, one)
		p.Documents, p.Moved = p.Documents+m.Documents, p.Moved+m.Moved
		p.Returnable, p.Requests = p.Returnable+m.Returnable, p.Requests+m.Requests
	}
	return p, nil
}

// reviewReactivations shows in numbers what it comes to for those who were ticked.
func (v *visit) reviewReactivations() error {
	if len(v.r.PostForm["member"]) == 0 {
		return v.done(Path+"members?status="+string(offboarding.MemberInactive), "nobody_ticked")
	}
	p, err := v.ticked()
	if err != nil {
		return err
	}
	return v.show("reactivations", p)
}

// reactivateMany brings back those who were ticked, and says of each what became of
// them.
func (v *visit) reactivateMany() error {
	before, err := v.ticked() // who they are
	if err != nil {
		return err
	}
	var done struct {
		Members []struct {
			Position int                `json:"position"`
			Outcome  string             `json:"outcome"`
			Codes    []offboarding.Code `json:"codes"` // why not
		} `json:"members"`
	}
	body := map[string]any{"member_ids": v.r.PostForm["member"], "return_documents": v.Checked("return_documents", "true")}
	err = v.post("/v1/members/reactivate", body, &done)
	why := make([][]string, len(before.Members))
	if v.refused(err) { // all of them
		if v.Faults = v.eachOf(err, why); len(v.Faults) > 0 {
			return v.show("reactivations", before)
		}
	} else if err != nil {
		return err
	}
	for _, m := range done.Members { // in the order of the request, as those before
		if len(m.Codes) == 0 && m.Outcome != offboarding.OutcomeReactivated {
			m.Codes = []offboarding.Code{offboarding.CodeTryAgain}
		}
		for _, code := range m.Codes {
			why[m.Position-1] = append(why[m.Position-1], v.WhyCode(code))
		}
	}
	var p reactivationsPage
	for i, m := range before.Members {
		one := member{ID: m.MemberID, Name: m.MemberName, Email: m.Email, Why: why[i]}
		if len(one.Why) > 0 {
			p.Not = append(p.Not, one)
		} else {
			p.Back = append(p.Back, one)
		}
	}
	return v.show("reactivated", p)
}

// eachOf sorts what is wrong with each of many members; what concerns none of them
// alone is handed back.
func (v *visit) eachOf(err error, why [][]string) (rest []Fault) {
	var refusal *problem.Problem
	if !errors.As(err, &refusal) {
		return nil
	}
	for _, f := range refusal.Errors {
		var i int
		if n, _ := fmt.Sscanf(f.Field, "member_ids[%d]", &i); n == 1 && i >= 0 && i < len(why) {
			why[i] = append(why[i], f.Message)
		} else {
			rest = append(rest, Fault{Message: f.Message})
		}
	}
	return rest
}
