package console

import (
	"net/http"
	"net/url"
	"strings"

	"handover/offboarding"
)

const bulkAPI = "/v1/bulk-offboardings"

// maxList is room for the longest list that the API takes; each of its bytes may come
// as three.
const maxList = 3 * 2 * offboarding.MaxBulkInput

// bulk registers offboarding many at once: a list is pasted or uploaded, previewed, and
// then started; a run is looked at and canceled.
func (c *Console) bulk(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"bulk", AccessAdmin, (*visit).bulkRuns)
	c.route(mux, "GET "+Path+"bulk/new", AccessAdmin, func(v *visit) error { return v.show("bulk-new", nil) })
	c.routeWithin(mux, "POST "+Path+"bulk/new", AccessAdmin, maxList, func(v *visit) error {
		if file := v.Value("file"); strings.TrimSpace(file) != "" {
			v.r.PostForm.Set("csv", file) // from here on it is as if it had been pasted
		}
		switch {
		case v.Value("step") == "edit":
			return v.show("bulk-new", nil)
		case strings.TrimSpace(v.Value("csv")) == "":
			v.fault("csv", v.T("bulk.nobody"))
			return v.show("bulk-new", nil)
		case v.Value("step") == "start":
			return v.startBulk()
		}
		return v.reviewBulk()
	})
	c.route(mux, "GET "+Path+"bulk/{id}", AccessAdmin, (*visit).bulkRun)
	c.route(mux, "POST "+Path+"bulk/{id}/cancel", AccessAdmin, (*visit).cancelBulk)
}

// How many rows of a preview are shown: everything that is wrong, as far as anybody
// mends it by hand, and the others to see that the list is the right one.
const (
	shownRefused = 200
	shownOthers  = 50
)

// bulkReview is what a list would do.
type bulkReview struct {
	offboarding.BulkPreview
	Refused, Others         []offboarding.BulkPreviewRow // as far as they are shown
	MoreRefused, MoreOthers int
	Leaving                 int  // who would leave, now or later
	Unusual                 bool // so many that it has to be confirmed as such (rule B1)
	May                     bool // it may be started
	Documents               []Option
}

// reviewBulk shows in numbers what a list would do, and everything that is wrong with it.
func (v *visit) reviewBulk() error {
	var r bulkReview
	if err := v.callCSV(bulkAPI+"/csv/preview", &r.BulkPreview); v.refused(err, "members", "csv", "body", "csv") {
		return v.show("bulk-new", nil)
	} else if err != nil {
		return err
	}
	for _, row := range r.Items {
		switch {
		case row.Outcome != offboarding.BulkMemberRefused && len(r.Others) < shownOthers:
			r.Others = append(r.Others, row)
		case row.Outcome != offboarding.BulkMemberRefused:
			r.MoreOthers++
		case len(r.Refused) < shownRefused:
			r.Refused = append(r.Refused, row)
		default:
			r.MoreRefused++
		}
	}
	r.May = len(r.Violations) == 0
	if len(r.Violations) == 1 && r.Violations[0].Code == offboarding.CodeBulkLimitExceeded {
		r.Unusual, r.May = true, true
	}
	for _, row := range r.Items {
		r.May = r.May && !malformed(row)
	}
	if len(r.Items) == 0 { // nothing can be read
		for _, violation := range r.Violations {
			v.fault("csv", v.WhyOf(violation))
		}
		return v.show("bulk-new", nil)
	}
	r.Leaving = r.Counts.Started + r.Counts.Scheduled
	r.May = r.May && r.Leaving > 0
	for _, disposition := range offboarding.Dispositions {
		if n := r.BulkPreview.Documents[disposition]; n > 0 {
			r.Documents = append(r.Documents, Option{Value: string(disposition), Count: n})
		}
	}
	return v.show("bulk-review", r)
}

// WhyOf is a broken rule in the reader's words, with the column of a file that it is
// about.
func (v *visit) WhyOf(violation offboarding.Violation) string {
	why := v.why(violation)
	if violation.Rule == "B1" && violation.Field != "" && violation.Field != "member_id" {
		return violation.Field + ": " + why
	}
	return why
}

// malformed reports whether a row of a file cannot be read; with such rows a file is
// not taken.
func malformed(row offboarding.BulkPreviewRow) bool {
	for _, violation := range row.Violations {
		if violation.Rule == "B1" && violation.Code == offboarding.CodeInvalidArgument && row.MemberID == "" {
			return true
		}
	}
	return false
}

// startBulk starts the run that has been reviewed.
func (v *visit) startBulk() error {
	var started struct {
		ID string `json:"bulk_id"`
	}
	if err := v.callCSV(bulkAPI+"/csv", &started); v.refused(err, "confirmed", "") {
		return v.reviewBulk() // it has changed since
	} else if err != nil {
		return err
	}
	return v.done(Path+"bulk/"+url.PathEscape(started.ID), "bulk_started")
}

// callCSV sends the list to the API.
func (v *visit) callCSV(path string, out any) error {
	query := url.Values{}
	for _, name := range []string{"all_or_nothing", "confirmed"} {
		if v.Checked(name, "true") {
			query.Set(name, "true")
		}
	}
	return v.call(http.MethodPost, path, query, rawBody{"text/csv", v.Value("csv")}, out)
}
