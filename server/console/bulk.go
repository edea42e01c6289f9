package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

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
	Ticked                  []string // IDs of the members, where there is no list
	Choices                 []Option // what can happen to their documents
}

// marks names, for the form that confirms it, everybody who would leave, with what is to
// happen to their documents, and when.
func (r bulkReview) marks(now time.Time) (marks []string) {
	for _, row := range r.Items {
		if row.Outcome == offboarding.BulkMemberStarted || row.Outcome == offboarding.BulkMemberScheduled {
			at := *row.EffectiveAt
			if !at.After(now) {
				at = time.Time{}
			}
			marks = append(marks, shown(row.MemberID, row.Disposition, row.NewOwnerName, at)[:12])
		}
	}
	return marks
}

// Shown is marks in one field.
func (r bulkReview) Shown(now time.Time) string { return strings.Join(r.marks(now), " ") }

// wasShown reports whether whoever would leave was shown in the form's review, as they
// are now. That some have left already, or stay, is for the run to say.
func (v *visit) wasShown(r bulkReview) bool {
	known := map[string]bool{}
	for mark := range strings.FieldsSeq(v.Value("shown")) {
		known[mark] = true
	}
	return !slices.ContainsFunc(r.marks(v.Now()), func(mark string) bool { return !known[mark] })
}

// reviewBulk shows in numbers what a list would do, and everything that is wrong with it.
func (v *visit) reviewBulk() error {
	var r bulkReview
	if err := v.previewBulk(&r); v.refused(err, "members", "csv", "body", "csv") {
		return v.show("bulk-new", nil)
	} else if err != nil {
		return err
	}
	return v.showBulk(r)
}

func (v *visit) previewBulk(r *bulkReview) error {
	return v.callCSV(bulkAPI+"/csv/preview", &r.BulkPreview, "all_or_nothing")
}

func (v *visit) showBulk(r bulkReview) error {
	if len(r.Items) == 0 { // nothing can be read
		for _, violation := range r.Violations {
			v.fault("csv", v.WhyOf(violation))
		}
		return v.show("bulk-new", nil)
	}
	r.judge()
	return v.show("bulk-review", r)
}

// judge sums up what a list would do.
func (r *bulkReview) judge() {
	r.Unusual = slices.ContainsFunc(r.Violations, func(v offboarding.Violation) bool { return v.Code == offboarding.CodeBulkLimitExceeded })
	r.Leaving = r.Counts.Started + r.Counts.Scheduled
	r.May = r.Leaving > 0 && (len(r.Violations) == 0 || len(r.Violations) == 1 && r.Unusual)
	for _, row := range r.Items {
		r.May = r.May && !malformed(row)
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
	for _, disposition := range offboarding.Dispositions {
		if n := r.BulkPreview.Documents[disposition]; n > 0 {
			r.Documents = append(r.Documents, Option{Value: string(disposition), Count: n})
		}
	}
}

// WhyOf is a broken rule in the reader's words, with the column of a file that it is
// about.
func (v *visit) WhyOf(violation offboarding.Violation) string {
	why := v.why(violation)
	if violation.Rule == "B1" && v.Has("bulk.column."+violation.Field) {
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
	var r bulkReview
	if err := v.previewBulk(&r); err == nil && !v.wasShown(r) {
		v.notAsShown()
		return v.showBulk(r)
	}
	var started struct {
		ID string `json:"bulk_id"`
	}
	if err := v.callCSV(bulkAPI+"/csv", &started, "all_or_nothing", "confirmed"); v.refused(err, "confirmed", "") {
		return v.reviewBulk() // it has changed since
	} else if err != nil {
		return err
	}
	return v.done(Path+"bulk/"+url.PathEscape(started.ID), "bulk_started")
}

// callCSV sends the list to the API, with those options of it that are ticked.
func (v *visit) callCSV(path string, out any, options ...string) error {
	query := url.Values{}
	for _, name := range options {
		if v.Checked(name, "true") {
			query.Set(name, "true")
		}
	}
	return v.call(http.MethodPost, path, query, rawBody{"text/csv", v.Value("csv")}, out)
}
