package scim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// Whatever a provider, or who has its token, sends: it is answered that it is wrong, and
// nothing fails inside.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	id := s.made(t, "u@example.com")
	deep := func(open, closing string, n int) string { return strings.Repeat(open, n) + strings.Repeat(closing, n) }
	user := func(field, value string) string {
		return `{"schemas":["` + userURN + `"],"userName":"v@example.com","emails":[{"value":"v@example.com","primary":true}],"` + field + `":` + value + `}`
	}
	bodies := map[string]string{
		"arrays 100,000 deep":       deep("[", "]", 100_000),
		"objects 100,000 deep":      deep(`{"a":`, "}", 100_000),
		"a field 9,000 deep":        user("title", deep(`[`, "]", 9_000)),
		"NUL in a text":             user("title", `"\u0000"`),
		"NUL in a name":             `{"schemas":["` + userURN + `"],"userName":"\u0000@example.com"}`,
		"what is not UTF-8":         user("title", "\"\xff\""),
		"a number beyond all":       user("title", "1e400"),
		"a text of a million":       user("displayName", `"`+strings.Repeat("a", 1<<20)+`"`),
		"twice the same":            `{"schemas":["` + userURN + `"],"userName":"a","userName":"b","USERNAME":"c"}`,
		"another tenant's ID":       user("id", `"`+uuid.NewString()+`"`),
		"nothing":                   "",
		"null":                      "null",
		"half":                      `{"schemas":["`,
		"an operation of anything":  `{"schemas":["` + patchURN + `"],"Operations":[{"op":"replace","path":"\u0000","value":"\u0000"}]}`,
		"operations without number": `{"schemas":["` + patchURN + `"],"Operations":[` + strings.Repeat(`{"op":"remove","path":"title"},`, 20_000) + `{"op":"remove","path":"title"}]}`,
	}
	for name, body := range bodies {
		for _, route := range [][2]string{{"POST", "/Users"}, {"PUT", "/Users/" + id}, {"PATCH", "/Users/" + id}, {"POST", "/Groups"}, {"POST", "/Users/.search"}} {
			got := s.call(t, route[0], route[1], body)
			assert.Less(t, got.status, 500, "%s: %s %s: %.300s", name, route[0], route[1], got.text)
		}
	}
	for _, path := range []string{
		"/Users/%00", "/Users/%ff", "/Users/..%2f..%2fGroups", "/Groups/%00", "/Users?filter=userName+eq+%22%00%22", "/Users?filter=%ff", "/Users?startIndex=-9223372036854775808",
		"/Users?count=99999999999999999999", "/Users?startIndex=9223372036854775807&count=200", "/Users?attributes=%00", "/Users?excludedAttributes=" + strings.Repeat("a,", 5000),
		"/Users?filter=id+eq+%22%27%3B+DROP+TABLE+members%22", "/Schemas/%00", "/ResourceTypes/%ff",
	} {
		got := s.get(t, path)
		assert.Less(t, got.status, 500, "%s: %s", path, got.text)
		require.Equal(t, "no-store", got.header.Get("Cache-Control"), path)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), path)
	}
	require.Equal(t, 405, s.call(t, http.MethodPost, "/Users/"+id, nil, "X-HTTP-Method-Override", "DELETE").status)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, id))
}

// A token opens its own organization's members, whatever a request names.
func TestNothingOfAnotherTenantIsNamed(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	other := fixture.New(t, s.DB)
	other.Provisioned("okta", other.Leaver)
	email := other.Text(`SELECT email FROM members WHERE id = $1`, other.Leaver)
	group := other.Workspace()
	for _, filter := range []string{`id eq "` + other.Leaver + `"`, `userName sw "" or id pr`, `not (userName eq "x")`, `meta.created gt "1970-01-01T00:00:00Z"`} {
		got := s.call(t, "GET", "/Users?filter="+url.QueryEscape(filter), nil)
		require.NotContains(t, got.text, other.Leaver, filter)
	}
	own := s.call(t, "POST", "/Groups", object{"schemas": []string{groupURN}, "displayName": "g"}).want(t, 201).id()
	for _, value := range []any{other.Leaver, []object{{"value": other.Leaver}}} {
		got := s.patch(t, "/Groups/"+own, object{"op": "add", "path": "members", "value": value})
		require.Less(t, got.status, 500, got.text)
		require.NotContains(t, s.get(t, "/Groups/"+own).text, other.Leaver)
	}
	id := s.made(t, "u@example.com")
	got := s.patch(t, "/Users/"+id, object{"op": "replace", "path": enterpriseURN + ":manager", "value": other.Leaver})
	require.Less(t, got.status, 500, got.text)
	require.NotEqual(t, other.Leaver, s.Text(`SELECT coalesce(manager_id::text, '') FROM members WHERE id = $1`, id))
	for _, route := range [][2]string{{"GET", "/Users/" + other.Leaver}, {"DELETE", "/Users/" + other.Leaver}, {"GET", "/Groups/" + group}, {"DELETE", "/Groups/" + group}} {
		s.call(t, route[0], route[1], nil).want(t, 404)
	}
	require.Equal(t, email, other.Text(`SELECT email FROM members WHERE id = $1`, other.Leaver))
}
