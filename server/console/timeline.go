package console

import (
	"encoding/json"
	"net/url"
	"time"

	"handover/offboarding"
)

// timelineSize is how many events are read for a page of a timeline, where those that
// happened together are one entry.
const timelineSize = "200"

// timeline is a page of what happened in a case.
type timeline struct {
	Entries []happening
	Next    string
	Oldest  bool // the oldest first
}

// happening is one event, or several of one name that happened together: a batch of
// documents that went to one owner.
type happening struct {
	offboarding.AuditRow
	N     int
	After changed
}

// changed is what phrases say of what an event has changed.
type changed struct {
	Phase       offboarding.Phase       `json:"phase"`
	EffectiveAt *time.Time              `json:"effective_at"`
	GraceEndsAt *time.Time              `json:"grace_ends_at"`
	Disposition offboarding.Disposition `json:"disposition"`
	Reason      string                  `json:"reason"`
}

// timeline reads what happened in a case, from its audit events.
func (v *visit) timeline(c caseDetail) (*timeline, error) {
	t := &timeline{Oldest: v.Query("order") == "asc"}
	query := url.Values{"case": {c.ID}, "limit": {timelineSize}, "cursor": {v.Query("cursor")}, "order": {"desc"}}
	if t.Oldest {
		query.Set("order", "asc")
	}
	var page offboarding.Page[offboarding.AuditRow]
	if err := v.get("/v1/audit-events", query, &page); err != nil {
		return nil, err
	}
	t.Next = page.Next
	for _, row := range page.Items {
		if n := len(t.Entries); n > 0 && t.Entries[n-1].with(row) {
			t.Entries[n-1].N++
			continue
		}
		h := happening{AuditRow: row, N: 1}
		// What is of another form says nothing here; the audit shows it as it is.
		_ = json.Unmarshal(row.After, &h.After)
		t.Entries = append(t.Entries, h)
	}
	return t, nil
}

// with reports whether an event that is next to an entry belongs to it.
func (h happening) with(row offboarding.AuditRow) bool {
	return h.Event == row.Event && h.ActorID == row.ActorID && h.At.Equal(row.At) && h.NewOwnerName == row.NewOwnerName &&
		h.SubjectKind == row.SubjectKind && row.SubjectKind != offboarding.SubjectCase
}
