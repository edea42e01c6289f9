package scim

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/filter"
	"github.com/elimity-com/scim/schema"

	"handover/offboarding"
)

// A filter that is taken has a condition with as many comparisons as it has; nothing
// panics, and what is rewritten once is not rewritten again.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "a"`, `emails[type eq "work"].value eq "a"`, `emails[type eq "work" and value co "@"]`, `not (active eq "False")`,
		`a[b].c pr`, `userName eq "\u00e9\"\\"`, `meta.created gt "2026-01-01T00:00:00Z" or id pr`, `emails[`, `members[value eq "x"]`,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "x"`, `(((userName pr)))`, "userName eq 1e99", `userName eq null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, written string) {
		text := rewriteFilter(written)
		for _, r := range []*resource{userResource, groupResource} {
			s := r.kept[r.core]
			s.Attributes = append(append(schema.Attributes{}, s.Attributes...), schema.CommonAttributes()...)
			v, err := filter.NewValidator(text, s)
			if err != nil || v.Validate() != nil {
				continue
			}
			c, err := r.condition(v.GetFilter())
			if err == nil && c.Compares() < 1 {
				t.Fatalf("%q compares nothing", text)
			}
			matches(v.GetFilter(), map[string]string{"value": "a", "type": "work"})
			implied(v.GetFilter(), map[string]any{})
		}
	})
}

// A body of a PATCH is refused or becomes operations with paths that the library
// takes or refuses; an account that comes of it can be judged.
func FuzzPatch(f *testing.F) {
	for _, seed := range [][2]string{
		{"replace", `active`},
		{"Add", `emails[type eq "work"].value`},
		{"remove", `name.familyName`},
		{"REPLACE", ``},
		{"add", `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager`},
		{"replace", `urn:x:y`},
		{"remove", `members[value eq "x"]`},
		{"replace", `emails[primary eq "True"]`},
		{"add", `emails.value`},
		{"replace", `]a[`},
		{"remove", `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`},
	} {
		for _, value := range []string{`"x"`, `false`, `{"active":"False","name.givenName":"x"}`, `[{"value":"a@b.c","primary":true}]`, `null`, `{"value":7}`} {
			f.Add(seed[0], seed[1], value)
		}
	}
	allowTexts()
	f.Fuzz(func(t *testing.T, op, path, value string) {
		if !json.Valid([]byte(value)) {
			return
		}
		body, err := json.Marshal(map[string]any{
			"schemas": []string{patchURN}, "Operations": []map[string]any{{"op": op, "path": path, "value": json.RawMessage(value)}},
		})
		if err != nil {
			return
		}
		for _, r := range []*resource{userResource, groupResource} {
			canonical, err := r.canonicalPatch(body)
			if err != nil || canonical == nil {
				continue
			}
			again, err := r.canonicalPatch(canonical)
			if err != nil || string(again) != string(canonical) {
				t.Fatalf("%s becomes %s (%v)", canonical, again, err)
			}
			operations := validated(t, r, canonical)
			if r == groupResource {
				_, _ = patchedGroup(offboarding.Group{Name: "g", MemberIDs: []string{"a"}}, operations)
				continue
			}
			if a, err := patched(offboarding.Account{UserName: "u@example.com"}, operations); err == nil {
				_ = offboarding.CheckAccount(a)
				_, _, _ = a.Email(), a.Name(), a.TimeZone()
			}
		}
	})
}

// validated are the operations that the library hands to a handler.
func validated(t *testing.T, r *resource, body []byte) []scim.PatchOperation {
	t.Helper()
	caught := &catcher{}
	kind := scim.ResourceType{Name: r.name, Endpoint: r.endpoint, Schema: r.kept[r.core], Handler: caught}
	if r == userResource {
		kind.SchemaExtensions = []scim.SchemaExtension{{Schema: enterpriseSchema}}
	}
	server, err := scim.NewServer(&scim.ServerArgs{ServiceProviderConfig: &scim.ServiceProviderConfig{}, ResourceTypes: []scim.ResourceType{kind}})
	if err != nil {
		t.Fatal(err)
	}
	server.ServeHTTP(&recorded{header: map[string][]string{}}, newRequest(t, r.endpoint+"/x", strings.NewReader(string(body))))
	return caught.operations
}

func newRequest(t *testing.T, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// catcher keeps the operations that it is handed.
type catcher struct {
	scim.ResourceHandler
	operations []scim.PatchOperation
}

// Patch keeps the operations.
func (c *catcher) Patch(_ *http.Request, _ string, operations []scim.PatchOperation) (scim.Resource, error) {
	c.operations = operations
	return scim.Resource{}, nil
}
