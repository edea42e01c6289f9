package console

import (
	"net/http"
	"net/url"
	"time"

	"handover/offboarding"
)

// leavers registers the list of cases.
func (c *Console) leavers(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"leavers", AccessAdmin, (*visit).leaverList)
	c.route(mux, "POST "+Path+"leavers", AccessAdmin, func(v *visit) error {
		if v.Value("q") == "" && v.Value("cursor") == "" { // nothing that an address may not have
			query := url.Values{}
			for _, name := range []string{"show", "phase", "organization"} {
				if value := v.Value(name); value != "" {
					query.Set(name, value)
				}
			}
			return v.redirect(Path + "leavers?" + query.Encode())
		}
		return v.leaverList()
	})
}

// What the list of leavers may be narrowed to.
const (
	showOpen     = "" // what has not closed
	showOverdue  = "overdue"
	showTroubled = "troubled"
	showAll      = "all"
)

// leaverList is what the list of leavers shows.
type leaverList struct {
	Items         []leaver
	Next          string
	Show, Phases  []Option
	Organizations []Option
	Narrowed      bool // to less than what is open
}

func (v *visit) leaverList() error {
	if v.narrowing("cursor") == "" { // a later page is not made anew under the reader
		if err := v.follow(); err != nil {
			return err
		}
	}
	show, phase, searched := v.narrowing("show"), v.narrowing("phase"), v.Value("q")
	list := leaverList{
		Show: []Option{
			{Value: showOpen, Label: v.T("leavers.open")},
			{Value: showOverdue, Label: v.T("leavers.overdue")},
			{Value: showTroubled, Label: v.T("leavers.troubled")},
			{Value: showAll, Label: v.T("leavers.all")},
		},
		Phases:   append([]Option{{Label: v.T("leavers.any_phase")}}, options(v, "phase", offboarding.Phases...)...),
		Narrowed: show != showOpen || phase != "" || searched != "" || v.narrowing("organization") != "",
	}
	var err error
	if list.Organizations, err = v.organizations(); err != nil {
		return err
	}
	body := map[string]any{
		"q": searched, "overdue": show == showOverdue, "troubled": show == showTroubled,
		"open":  show == showOpen && !offboarding.Phase(phase).Closed(), // who asks for closed cases gets them
		"limit": leaversOnAPage, "cursor": v.narrowing("cursor"), "organization": v.narrowing("organization"),
	}
	if phase != "" {
		body["phase"] = phase
	}
	var page offboarding.Page[offboarding.CaseRow]
	err = v.post("/v1/offboardings/search", body, &page)
	if err != nil && !v.refused(err) {
		return err
	}
	now := v.Now()
	for _, row := range page.Items {
		list.Items = append(list.Items, newLeaver(row, now))
	}
	list.Next = page.Next
	return v.show("leavers", list)
}

const leaversOnAPage = 50

// leaver is a case in the list.
type leaver struct {
	offboarding.CaseRow
	Now   time.Time  // by the case's own clock
	What  string     // it is waiting for or has come to, as its words are called
	At    *time.Time // when that is or was; nil where nobody knows
	Ahead bool       // it is yet to come
}

func newLeaver(row offboarding.CaseRow, now time.Time) leaver {
	l := leaver{CaseRow: row, Now: row.Clock(now), What: "working"}
	switch {
	case row.ClosedAt != nil:
		l.What, l.At = "closed", row.ClosedAt
	case row.Phase == offboarding.PhaseScheduled:
		l.What, l.At, l.Ahead = "access_ends", &row.EffectiveAt, true
	case row.Phase == offboarding.PhaseGrace:
		l.What, l.At, l.Ahead = "read_only_in", row.GraceEndsAt, true
	case row.Phase == offboarding.PhaseReadOnly:
		l.What, l.At = "read_only_since", row.GraceEndsAt
	case row.Phase == offboarding.PhaseRevoking && row.SessionsEndAt != nil:
		l.What, l.At, l.Ahead = "sessions_end", row.SessionsEndAt, true
	}
	return l
}

// narrowing is what narrows a list that is searched: a field of its form, or of the
// address where no form was sent.
func (v *visit) narrowing(name string) string {
	if v.Posted() {
		return v.Value(name)
	}
	return v.Query(name)
}
