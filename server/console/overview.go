package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"handover/offboarding"
)

// overview registers the charts.
func (c *Console) overview(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"overview", AccessAdmin, func(v *visit) error {
		if err := v.follow(); err != nil {
			return err
		}
		organizations, err := v.organizations()
		if err != nil {
			return err
		}
		var o offboarding.Overview
		if err := v.get("/v1/overview", v.within(nil), &o); err != nil {
			return err
		}
		return v.show("overview", v.charts(o, organizations))
	})
}

// charts are an overview as the page draws it.
type charts struct {
	Organizations []Option
	Figures       []figure
	Weeks         []bar
	Phases        []bar
	Waiting       []bar
	NewOwners     []bar
	Offboarded    int    // in all weeks
	Median        string // of the time to a new owner, in words; "" of none
}

// figure is one number, and where what it counts is listed.
type figure struct {
	Label string
	Count int
	To    string
	Alarm bool // somebody has to look after it
}

// bar is one value of a chart: Length is of a hundred.
type bar struct {
	Label         string
	Count, Length int
	At            time.Time // of a week
	X, Y          int       // of a week, from the left and from the top
	To            string    // where what it counts is listed, "" for nowhere
}

// Bounds of what is drawn.
const (
	barLength = 100
	barStep   = 10 // from a week to the next
)

func (v *visit) charts(o offboarding.Overview, organizations []Option) charts {
	leavers := func(pairs ...string) string { return strings.TrimSuffix(Path+"leavers?"+v.within(pairs).Encode(), "?") }
	transfers := Path + "transfers?" + v.within(nil).Encode()
	out := charts{Organizations: organizations}
	open := 0
	for _, p := range o.Open {
		open += p.Cases
		out.Phases = append(out.Phases, bar{Label: v.T("phase." + string(p.Phase)), Count: p.Cases, To: leavers("phase", string(p.Phase))})
	}
	open = min(open, offboarding.CountLimit)
	out.Figures = []figure{
		{v.T("overview.open", "n", open), open, leavers(), false},
		{v.T("overview.waiting", "n", o.Waiting), o.Waiting, Path + "transfers/unowned?" + v.within(nil).Encode(), false},
		{v.T("overview.requests", "n", o.PendingRequests), o.PendingRequests, transfers, false},
		{v.T("overview.overdue_requests", "n", o.OverdueRequests), o.OverdueRequests, transfers, o.OverdueRequests > 0},
		{v.T("overview.overdue", "n", o.Overdue), o.Overdue, leavers("show", showOverdue), o.Overdue > 0},
		{v.T("overview.troubled", "n", o.Troubled), o.Troubled, leavers("show", showTroubled), o.Troubled > 0},
	}
	for i, w := range o.Weeks {
		out.Offboarded += w.Offboarded
		out.Weeks = append(out.Weeks, bar{At: w.From, Count: w.Offboarded, X: i*barStep + 1})
	}
	out.Waiting, out.NewOwners = v.spans(o.WaitingByAge), v.spans(o.NewOwners)
	for _, bars := range [][]bar{out.Weeks, out.Phases, out.Waiting, out.NewOwners} {
		scale(bars)
	}
	if some(out.NewOwners) {
		out.Median = v.Left(o.At.Add(time.Duration(o.MedianWaitSeconds)*time.Second), o.At)
		if out.Median == "" {
			out.Median = v.T("left.seconds")
		}
	}
	return out
}

// spans are the bars of documents by how many days they wait.
func (v *visit) spans(spans []offboarding.DocumentsSpan) []bar {
	bars := make([]bar, len(spans))
	for i, s := range spans {
		switch {
		case s.FromDays == 0:
			bars[i].Label = v.T("overview.less", "n", s.ToDays)
		case s.ToDays == 0:
			bars[i].Label = v.T("overview.more", "n", s.FromDays)
		default:
			bars[i].Label = v.T("overview.between", "from", s.FromDays, "to", s.ToDays)
		}
		bars[i].Count = s.Documents
	}
	return bars
}

// scale makes the longest bar as long as there is room; what is there at all is seen.
func scale(bars []bar) {
	longest := 1
	for _, b := range bars {
		longest = max(longest, b.Count)
	}
	for i, b := range bars {
		length := b.Count * barLength / longest
		if b.Count > 0 {
			length = max(length, 1)
		}
		bars[i].Length, bars[i].Y = length, barLength-length
	}
}

// some reports whether there is anything to draw.
func some(bars []bar) bool {
	for _, b := range bars {
		if b.Count > 0 {
			return true
		}
	}
	return false
}

// Some reports whether there is anything to draw.
func (charts) Some(bars []bar) bool { return some(bars) }

// Width is how wide the chart of the weeks is.
func (c charts) Width() string { return strconv.Itoa(len(c.Weeks) * barStep) }

// within is a query of pairs of a name and a value, and of the organization that the
// page is about.
func (v *visit) within(pairs []string) url.Values {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	if organization := v.Query("organization"); organization != "" {
		query.Set("organization", organization)
	}
	return query
}

// Count is a number that was counted no further than to a limit, above which nobody
// knows.
func (v *visit) Count(n int) string {
	if n < offboarding.CountLimit {
		return v.Number(n)
	}
	return v.T("count.more", "count", offboarding.CountLimit)
}
