package console

import (
	"net/http"
	"net/url"

	"handover/offboarding"
)

// runRow is a run with what it came to, as the API says it.
type runRow struct {
	offboarding.BulkRunRow
	Message string `json:"message"`
}

// Done is how far a run is, of Whole: first everybody loses access, then the cases are
// started that have something left to settle.
func (r runRow) Done() int {
	if r.Phase == offboarding.BulkStarting {
		return r.Counts.Running
	}
	return r.Counts.Total - r.Counts.Pending
}

// Whole is what Done comes to.
func (r runRow) Whole() int {
	if r.Phase == offboarding.BulkStarting {
		return r.Counts.Cases
	}
	return r.Counts.Total
}

// runsOnAPage is how many runs a page shows; each is counted.
const runsOnAPage = "20"

// runList is what the list of runs shows.
type runList struct {
	offboarding.Page[runRow]
	Organizations []Option
	Open          bool // one of them goes on
}

func (v *visit) bulkRuns() error {
	if err := v.follow(); err != nil {
		return err
	}
	var list runList
	query := url.Values{"limit": {runsOnAPage}, "cursor": v.r.URL.Query()["cursor"], "organization": v.r.URL.Query()["organization"]}
	err := v.get(bulkAPI, query, &list.Page)
	if err != nil && !v.refused(err) {
		return err
	}
	for _, r := range list.Items {
		list.Open = list.Open || r.ClosedAt == nil
	}
	if list.Organizations, err = v.organizations(); err != nil {
		return err
	}
	return v.show("bulk", list)
}

// runPage is what the page of a run shows.
type runPage struct {
	runRow
	Tabs    []Option
	Members offboarding.Page[offboarding.BulkMemberRow]
}

func (v *visit) bulkRun() error {
	if err := v.follow(); err != nil {
		return err
	}
	var p runPage
	if err := v.get(at(bulkAPI+"/%s", v.r.PathValue("id")), nil, &p.runRow); err != nil {
		return err
	}
	query := url.Values{"limit": {pageSize}, "cursor": v.r.URL.Query()["cursor"], "outcome": v.r.URL.Query()["outcome"]}
	if err := v.get(at(bulkAPI+"/%s/members", p.ID), query, &p.Members); err != nil && !v.refused(err) {
		return err
	}
	n := p.Counts
	counts := map[offboarding.BulkOutcome]int{
		offboarding.BulkMemberPending: n.Pending, offboarding.BulkMemberStarted: n.Started, offboarding.BulkMemberScheduled: n.Scheduled,
		offboarding.BulkMemberExisting: n.Existing, offboarding.BulkMemberRefused: n.Refused, offboarding.BulkMemberFailed: n.Failed,
		offboarding.BulkMemberCanceled: n.Canceled, offboarding.BulkMemberNotStarted: n.NotStarted,
	}
	p.Tabs = []Option{{Label: v.T("bulk.everybody"), Count: n.Total}}
	for _, tab := range options(v, "bulk_outcome", offboarding.BulkOutcomes...) {
		if tab.Count = counts[offboarding.BulkOutcome(tab.Value)]; tab.Count > 0 || tab.Value == v.Query("outcome") {
			p.Tabs = append(p.Tabs, tab)
		}
	}
	return v.show("bulk-run", p)
}

// cancelBulk asks, with the numbers as they are, and then takes off the list who has
// not been processed.
func (v *visit) cancelBulk() error {
	id := v.r.PathValue("id")
	if v.Value("step") == "confirm" {
		err := v.post(at(bulkAPI+"/%s/cancel", id), map[string]string{"reason": v.Value("reason")}, nil)
		if err == nil {
			return v.done(Path+"bulk/"+url.PathEscape(id), "bulk_canceled")
		}
		if !v.refused(err) {
			return err
		}
	}
	var r runRow
	if err := v.get(at(bulkAPI+"/%s", id), nil, &r); err != nil {
		return err
	}
	if v.status == 0 {
		v.status = http.StatusOK
	}
	return v.show("bulk-cancel", r)
}
