package crowd

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Sight is something that can be looked at in a crowd: a page of the console or an
// answer of the API.
type Sight struct {
	Path string
	Form url.Values // of a page that answers a form
	JSON string     // of a search of the API
}

// Method is how it is looked at.
func (s Sight) Method() string {
	if s.Form != nil || s.JSON != "" {
		return http.MethodPost
	}
	return http.MethodGet
}

// String tells sights apart.
func (s Sight) String() string {
	text := s.Path
	if s.Form != nil {
		text += " " + s.Form.Encode()
	}
	return strings.TrimSpace(text + " " + s.JSON)
}

// unseen are routes that answer for as long as somebody listens, or with nothing.
var unseen = map[string]bool{
	"GET /console/changes": true, "GET /console/{rest...}": true, "GET /v1/offboardings/{id}/events": true, "GET /v1/audit-events/export": true,
}

// searched are words that one, all and none of the members have.
var searched = []string{"person 77", "p", "acme", "nobody"}

// Sights are what somebody in a crowd sees by a route, each in a few ways. A route that
// is new is opened as it is; where its path has an ID in it that nobody here knows, it
// is an error. Of routes that do something there is nothing to see.
func (c *Crowd) Sights(method, path string) (all []Sight, err error) {
	if unseen[method+" "+path] {
		return nil, nil
	}
	path = strings.TrimSuffix(path, "{$}")
	if method != http.MethodGet {
		return searches(path), nil
	}
	paths := []string{path}
	if strings.Contains(path, "{") {
		if paths = c.named(path); len(paths) == 0 {
			return nil, fmt.Errorf("what is %s? A line in internal/crowd/sights.go opens it", path)
		}
	}
	for _, p := range paths {
		all = append(all, Sight{Path: p})
		for _, query := range c.queries()[path] {
			all = append(all, Sight{Path: p + "?" + query})
		}
	}
	return all, nil
}

// searches are those of a route that takes what is searched for in its body.
func searches(path string) (all []Sight) {
	for _, q := range searched {
		switch path {
		case "/console/leavers", "/console/members":
			all = append(all, Sight{Path: path, Form: url.Values{"q": {q}}})
		case "/console/people":
			all = append(all, Sight{Path: path + "?field=who", Form: url.Values{"who": {q}}})
		case "/v1/members/search", "/v1/offboardings/search":
			all = append(all, Sight{Path: path, JSON: fmt.Sprintf(`{"q": %q}`, q)})
		}
	}
	return all
}

// named are the paths of a route about one thing.
func (c *Crowd) named(path string) (all []string) {
	var (
		members   = []string{c.ID("MEMBER", 1), c.ID("MEMBER", Largest), c.ID("MEMBER", 20)}
		cases     = []string{c.ID("CASE", Largest), c.ID("CASE", 200), c.ID("CASE", 20), c.ID("SCHEDULED", 105)}
		documents = []string{c.ID("DOCUMENT", 0), c.ID("DOCUMENT", 50), c.ID("DOCUMENT", 51)}
		requests  = []string{c.ID("REQUEST", 0), c.ID("REQUEST", 50)}
		runs      = []string{fmt.Sprintf("run-%d-1", c.Number)}
		webhooks  = []string{c.ID("WEBHOOK", 1)}
	)
	prefix, rest, _ := strings.Cut(path, "{id}")
	for _, id := range map[string][]string{
		"/console/members/": members, "/console/leavers/": cases, "/console/documents/": documents, "/console/bulk/": runs,
		"/console/transfers/unowned/": cases[:2], "/console/transfers/requests/": requests, "/console/settings/webhooks/": webhooks,
		"/v1/members/": members, "/v1/offboardings/": cases, "/v1/documents/": documents, "/v1/bulk-offboardings/": runs,
		"/v1/ownership-requests/": requests, "/v1/webhooks/": webhooks, "/v1/workspaces/": {c.ID("WORKSPACE", 3)},
	}[prefix] {
		all = append(all, prefix+id+strings.ReplaceAll(rest, "{run}", c.ID("CASE", 1)))
	}
	return all
}

// queries are what lists are narrowed by, and where later pages begin, by path.
func (c *Crowd) queries() map[string][]string {
	var (
		from      = fmt.Sprintf("cursor=%d", c.Documents/2)
		documents = "cursor=" + c.ID("DOCUMENT", c.Documents/2)
		member    = "cursor=" + c.ID("MEMBER", c.Members/2)
		largest   = "case=" + c.ID("CASE", Largest)
	)
	return map[string][]string{
		"/console/members":   {"status=inactive", "status=archived", "status=deleted", "status=all", member},
		"/console/leavers":   {"show=troubled", "show=overdue", "show=all", "phase=scheduled", "phase=grace", "phase=read_only", "phase=completed", "phase=failed", "phase=canceled"},
		"/console/transfers": {"show=decided"},
		"/console/documents": {"show=requests", "show=mine", documents},
		"/console/audit":     {"event=ClaimDocOwnership", "event=DeleteMember", largest, "from=2020-01-01&to=2020-02-01", from},

		"/v1/members":                {"status=inactive", "status=archived", "status=deleted", "status=all", member},
		"/v1/members/{id}/documents": {documents},
		"/v1/offboardings": {
			"open=true", "troubled=true", "overdue=true", "waiting=true", "phase=scheduled", "phase=grace", "phase=completed", "phase=failed", "phase=canceled",
			"member=" + c.ID("MEMBER", Largest),
		},
		"/v1/documents": {
			"unowned=true", "claimable=true", "owner=me", documents, documents + "&unowned=true", documents + "&claimable=true", largest, largest + "&state=moved",
			largest + "&state=archived", largest + "&state=read_only", "case=" + c.ID("CASE", 200) + "&state=read_only",
		},
		"/v1/ownership-requests": {"status=all", "status=decided&order=desc", "status=approved", "member=me&status=all", largest, "document=" + c.ID("DOCUMENT", 500)},
		"/v1/audit-events": {
			"event=ClaimDocOwnership", "event=DeleteMember", "order=asc", largest, "member=" + c.ID("MEMBER", Largest), "document=" + c.ID("DOCUMENT", 7),
			"from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z", from,
		},
		"/v1/legal-holds":                    {"lifted=true", "member=" + c.ID("MEMBER", 1)},
		"/v1/credentials":                    {"revoked=true"},
		"/v1/bulk-offboardings":              {"open=true"},
		"/v1/bulk-offboardings/{id}/members": {"outcome=scheduled"},
		"/v1/webhooks/{id}/deliveries":       {"status=failed"},
	}
}
