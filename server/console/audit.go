package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
)

const auditPath = Path + "audit"

// audit registers the audit.
func (c *Console) audit(mux *http.ServeMux) {
	c.route(mux, "GET "+auditPath, AccessAdmin, (*visit).auditList)
	c.route(mux, "POST "+auditPath, AccessAdmin, (*visit).narrowAudit)
}

// auditNarrows are what narrows the audit, in the page's address: IDs, names of events
// and days.
var auditNarrows = []string{"organization", "event", "member", "document", "case", "from", "to"}

// auditPage is what the audit shows.
type auditPage struct {
	Organizations    []Option
	Events           []Option
	Member, Document string // as people type them
	Lines            []auditLine
	Next             string
	Narrowed         bool // by anything but the organization
	Shown            bool // false where what was typed cannot be looked for
}

// auditLine is an event with what it has changed.
type auditLine struct {
	offboarding.AuditRow
	Changes []change
}

// auditList shows the newest events.
func (v *visit) auditList() error {
	if v.Query("cursor") == "" { // further pages do not change
		if err := v.followOpened(); err != nil {
			return err
		}
	}
	page, err := v.auditForm()
	if err != nil {
		return err
	}
	query := v.auditQuery()
	query.Set("limit", pageSize)
	if cursor := v.Query("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	var events offboarding.Page[offboarding.AuditRow]
	err = v.get("/v1/audit-events", query, &events)
	if v.refused(err) {
		return v.show("audit", page)
	}
	if err != nil {
		return err
	}
	page.Shown, page.Next, page.Lines = true, events.Next, v.auditLines(events.Items)
	return v.show("audit", page)
}

// auditQuery asks the API for what the page's address narrows to. A day is one in the
// reader's zone.
func (v *visit) auditQuery() url.Values {
	query := url.Values{}
	for _, name := range auditNarrows {
		value := v.Query(name)
		if day, err := time.ParseInLocation(time.DateOnly, value, v.zone()); err == nil && (name == "from" || name == "to") {
			if name == "to" {
				day = day.AddDate(0, 0, 1)
			}
			value = day.UTC().Format(time.RFC3339)
		}
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// auditForm is the page without its events. Whom and what it is narrowed to is written
// as people know it.
func (v *visit) auditForm() (auditPage, error) {
	page := auditPage{Events: append([]Option{{Label: v.T("audit.any")}}, eventOptions(offboarding.AuditEvents)...)}
	page.Narrowed = slices.ContainsFunc(auditNarrows[1:], func(name string) bool { return v.Query(name) != "" })
	var err error
	if page.Organizations, err = v.organizations(); err != nil || v.Posted() {
		return page, err
	}
	if id := v.Query("member"); id != "" {
		if page.Member, err = v.addressOf(id); err != nil {
			return page, err
		}
	}
	if id := v.Query("document"); id != "" {
		var d offboarding.DocumentRow
		if err := v.get(at("/v1/documents/%s", id), nil, &d); err != nil {
			return page, err
		}
		page.Document = d.ExternalID
	}
	return page, nil
}

// narrowAudit looks up what was typed, and leads to the page that is narrowed to it,
// whose address has nobody's name in it.
func (v *visit) narrowAudit() error {
	narrow := url.Values{}
	for _, name := range auditNarrows {
		value := strings.TrimSpace(v.Value(name))
		if value == "" {
			continue
		}
		switch name {
		case "member":
			m, err := v.find(name)
			if err != nil {
				return err
			}
			if m != nil {
				value = m.ID
			}
		case "document":
			var d offboarding.DocumentRow
			err := v.get(at("/v1/documents/%s", which(value)), nil, &d)
			if err != nil && !v.refused(err, "id", name, "document_id", name) {
				return err
			}
			value = d.ID
		case "case":
			if uuid.Validate(value) != nil {
				v.fault(name, v.T("audit.case_form"))
			}
		case "event":
			if !slices.Contains(offboarding.AuditEvents, value) {
				v.fault(name, v.T("audit.event_form"))
			}
		case "from", "to":
			if _, err := time.Parse(time.DateOnly, value); err != nil {
				v.fault(name, v.T("audit.day_form"))
			}
		}
		narrow.Set(name, value)
	}
	if len(v.Faults) > 0 {
		page, err := v.auditForm()
		if err != nil {
			return err
		}
		return v.show("audit", page)
	}
	if len(narrow) == 0 {
		return v.redirect(auditPath)
	}
	return v.redirect(auditPath + "?" + narrow.Encode())
}

// ExportTo is where the events that the page is narrowed to are exported from.
func (v *visit) ExportTo(format string) string {
	query := v.auditQuery()
	query.Set("format", format)
	return "/v1/audit-events/export?" + query.Encode()
}

// change is one thing that an event has changed.
type change struct {
	Label         string
	Before, After []fact
}

// fact is one value on one side of a change, in a form that people read.
type fact struct {
	Text string
	Time *Time  // instead of the text
	To   string // a page about it, "" for none
}

// auditLines makes the events of a page readable. Members are known by the names that
// any of the events has.
func (v *visit) auditLines(rows []offboarding.AuditRow) []auditLine {
	names := map[string]string{}
	before, after := make([]map[string]any, len(rows)), make([]map[string]any, len(rows))
	for i, row := range rows {
		_ = json.Unmarshal(row.Before, &before[i]) // an object as we have written it, or null
		_ = json.Unmarshal(row.After, &after[i])
		names[row.ActorID], names[row.MemberID] = row.ActorName, row.MemberName
		if owner, ok := after[i]["owner_id"].(string); ok && row.NewOwnerName != "" {
			names[owner] = row.NewOwnerName
		}
	}
	out := make([]auditLine, len(rows))
	for i, row := range rows {
		out[i].AuditRow = row
		for _, key := range keysOf(before[i], after[i]) {
			was, is := v.facts(key, before[i][key], names), v.facts(key, after[i][key], names)
			if len(was)+len(is) > 0 && !reflect.DeepEqual(was, is) {
				out[i].Changes = append(out[i].Changes, change{v.changed(key), was, is})
			}
		}
	}
	return out
}

// keysOf are the names of what either side has, in their order.
func keysOf(sides ...map[string]any) []string {
	var keys []string
	for _, side := range sides {
		for key := range side {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// changed is what people call a value.
func (v *visit) changed(key string) string {
	switch {
	case v.Has("setting." + key):
		return v.T("setting." + key)
	case v.Has("change." + key):
		return v.T("change." + key)
	}
	return key
}

// membersIn are the values that are members.
var membersIn = []string{"owner_id", "new_owner_id", "leaver_id", "member_id", "provisioning_admin", "manager_id"}

// facts reads one side of a change.
func (v *visit) facts(key string, value any, names map[string]string) []fact {
	switch value := value.(type) {
	case nil:
		return nil
	case bool:
		if value {
			return []fact{{Text: v.T("audit.yes")}}
		}
		return []fact{{Text: v.T("audit.no")}}
	case []any:
		var all []fact
		for _, one := range value {
			all = append(all, v.facts(key, one, names)...)
		}
		return all
	case map[string]any:
		var all []fact
		for _, inner := range keysOf(value) {
			for _, f := range v.facts(inner, value[inner], names) {
				f.Text = v.changed(inner) + ": " + f.Text
				all = append(all, f)
			}
		}
		return all
	case string:
		return v.factOf(key, value, names)
	}
	return []fact{{Text: settingText(value)}}
}

// factOf reads a text of an event.
func (v *visit) factOf(key, value string, names map[string]string) []fact {
	if value == "" {
		return nil
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return []fact{{Time: v.Time(at)}}
	}
	text := value
	switch {
	case slices.Contains(membersIn, key) && uuid.Validate(value) == nil:
		return []fact{{Text: cmp.Or(names[value], value), To: Path + "members/" + value}}
	case v.Has(key + "." + value):
		text = v.T(key + "." + value)
	case v.Has("setting.value." + key + "_" + value):
		text = v.T("setting.value." + key + "_" + value)
	case v.Has("change.value." + value):
		text = v.T("change.value." + value)
	}
	return []fact{{Text: text}}
}
