package console

import (
	"net/http"
	"path"
	"strings"

	"handover/offboarding"
)

// deletion registers the deletion of a member for good, which asks for their email
// address, and what has become of it.
func (c *Console) deletion(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"members/{id}/delete", AccessAdmin, func(v *visit) error {
		m, err := v.member()
		if err != nil {
			return err
		}
		return v.deletionForm(m)
	})
	c.route(mux, "POST "+Path+"members/{id}/delete", AccessAdmin, (*visit).delete)
	c.route(mux, "GET "+Path+"members/{id}/deletions/{run}", AccessAdmin, (*visit).deleted)
}

// deletionPage is what a deletion would do.
type deletionPage struct {
	Member  offboarding.MemberDetail
	Preview offboarding.DeletionPreview
	Why     []string // nobody may delete the member, or not now
}

func (v *visit) deletionForm(m offboarding.MemberDetail) error {
	p := deletionPage{Member: m}
	err := v.get(at("/v1/members/%s/deletion-preview", m.ID), nil, &p.Preview)
	if p.Why, err = v.whyNot(err, p.Preview.Violations); err != nil {
		return err
	}
	return v.show("deletion", p)
}

// delete begins the deletion. Without an address the API would not delete but
// deactivate, so nothing is sent.
func (v *visit) delete() error {
	m, err := v.member()
	if err != nil {
		return err
	}
	email := strings.TrimSpace(v.Value("email"))
	if email == "" {
		v.fault("email", v.T("deletion.type"))
		return v.deletionForm(m)
	}
	header, err := v.callWith(http.Header{"Handover-Confirm-Email": {email}, "Prefer": {"respond-async"}},
		http.MethodDelete, at("/v1/members/%s", m.ID), nil, nil, nil)
	switch {
	case v.refused(err, "Handover-Confirm-Email", "email"):
		return v.deletionForm(m)
	case err != nil:
		return err
	}
	return v.redirect(Path + at("members/%s/deletions/%s", m.ID, path.Base(header.Get("Location"))))
}

// deletionState is how far a deletion is.
type deletionState struct {
	Member     offboarding.MemberDetail `json:"-"`
	Outcome    string                   `json:"outcome"`
	Stage      string                   `json:"stage"`
	Trouble    *offboarding.Trouble     `json:"trouble"`
	Violations []offboarding.Violation  `json:"violations"`
	Why        []string                 `json:"-"`
}

func (v *visit) deleted() error {
	if err := v.follow(); err != nil {
		return err
	}
	m, err := v.member()
	if err != nil {
		return err
	}
	s := deletionState{Member: m}
	if err := v.get(at("/v1/members/%s/deletions/%s", m.ID, v.r.PathValue("run")), nil, &s); err != nil {
		return err
	}
	for _, violation := range s.Violations {
		s.Why = append(s.Why, v.why(violation))
	}
	return v.show("deleted", s)
}
