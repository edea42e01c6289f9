package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
	"handover/server/problem"
)

// costsTheSame checks that to be told that there is no such thing takes the database the
// same statements where another tenant has it as where there is none: no clock tells
// what the answer does not.
func (x *authWorld) costsTheSame(t *testing.T, route string, row routeRow, who, theirs, none string) {
	t.Helper()
	ask := func(id string) []string {
		x.asked.Taken()
		x.call(t, route, row, x.callers[who], id)
		return x.asked.Taken()
	}
	ask(theirs) // what is prepared once is prepared
	nothing, something := ask(none), ask(theirs)
	if row.polls {
		slices.Sort(nothing)
		slices.Sort(something)
		nothing, something = slices.Compact(nothing), slices.Compact(something)
	}
	assert.Equal(t, nothing, something, "%s runs other statements for what another tenant has than for what there is not", route)
}

// What no text may do, wherever it stands: end in anything but an answer to the caller.
var hostileTexts = []string{
	"\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", // nothing that PostgreSQL keeps
	"'; DROP TABLE members; --", "%' OR '1'='1", "{{7*7}}${7*7}", "../../../etc/passwd", "\r\nSet-Cookie: a=b",
	"99999999999999999999999999", "-1", "1e400", "NaN", strings.Repeat("9", 5000), strings.Repeat("ä", 3000),
	"external:\x00", "email:\xff@acme.example", "0001-01-01T00:00:00Z", "999999-12-31", "9223372036854775807h",
}

// hostile sends a route everything that no honest program sends: in its path, in each
// parameter, in each field of its body. It answers that the caller is wrong, or that
// there is no such thing, and nothing fails inside.
func (x *authWorld) hostile(t *testing.T, route string, row routeRow) {
	t.Helper()
	if row.form != nil || row.csv != "" || row.stream {
		return // TestMalformedBodies
	}
	op := x.operation(t, route)
	id := uuid.NewString()
	path := strings.NewReplacer("{run}", id, "{delivery_id}", "msg_1").Replace(op.Path)
	send := func(path string, body any) {
		t.Helper()
		got := x.callers[owner].send(t, op.Method, path, body)
		assert.True(t, got.status < 500, "%s %.200s %.200v: %d %s", op.Method, path, body, got.status, got.body)
	}
	sample := map[string]any{}
	if row.body != nil {
		text, err := json.Marshal(row.body)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(bytes.ReplaceAll(text, []byte("{id}"), []byte(id)), &sample))
	}
	var whole any
	if op.RequestBody != nil && op.Method != http.MethodGet {
		whole = sample
	}
	if route == "PATCH /v1/settings" { // some of them are domains
		defer x.Exec(`UPDATE organizations SET domains = '{acme.example}' WHERE id = $1`, x.ID)
	}
	there := strings.ReplaceAll(path, "{id}", id)
	for _, text := range hostileTexts {
		if strings.Contains(path, "{id}") {
			send(strings.ReplaceAll(path, "{id}", escaped(text)), whole)
		}
		for _, p := range op.Parameters {
			if p.In == "query" {
				send(there+"?"+p.Name+"="+escaped(text), whole)
			}
		}
		for _, name := range x.fields(op) {
			changed := map[string]any{name: text}
			for other, value := range sample {
				if other != name {
					changed[other] = value
				}
			}
			send(there, changed)
			changed[name] = []string{text}
			send(there, changed)
		}
	}
}

// escaped writes each byte of a text so that it passes in a URL.
func escaped(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&out, "%%%02X", b)
	}
	return out.String()
}

// operation is what the OpenAPI document has of a route.
func (x *authWorld) operation(t *testing.T, route string) *huma.Operation {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	item := x.api.OpenAPI().Paths[path]
	require.NotNil(t, item, route)
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete, item.Put} {
		if op != nil && op.Method == method {
			return op
		}
	}
	require.Fail(t, "no operation", route)
	return nil
}

// fields are the names of what the body of an operation may have.
func (x *authWorld) fields(op *huma.Operation) (names []string) {
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return nil
	}
	schema := op.RequestBody.Content["application/json"].Schema
	if schema.Ref != "" {
		schema = x.api.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// A page of one tenant's list does not begin where another tenant's ended: cursors name
// a place in an order, and nothing that the caller may not see.
func (x *authWorld) cursors(t *testing.T) {
	t.Helper()
	ours := regexp.MustCompile(x.Text(`SELECT string_agg(id::text, '|') FROM (SELECT id FROM members WHERE organization_id = $1 UNION SELECT id FROM credentials WHERE organization_id = $1
		UNION SELECT id FROM documents WHERE organization_id = $1 UNION SELECT id FROM cases WHERE organization_id = $1) ours`, x.ID))
	crossed := 0
	for route, row := range table {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodGet || !slices.Contains(x.routes(), route) || row.thing != nil {
			continue
		}
		if !slices.ContainsFunc(x.operation(t, route).Parameters, func(p *huma.Param) bool { return p.Name == "cursor" }) {
			continue
		}
		var page offboarding.Page[json.RawMessage]
		x.callers[owner].get(t, path+"?limit=1").into(t, 200, &page)
		if page.Next == "" {
			continue
		}
		crossed++
		there := x.callers[strangerOwner].get(t, path+"?limit=200&cursor="+page.Next).into(t, 200, nil)
		require.Empty(t, ours.FindString(string(there.body)), route)
		for _, bent := range []string{page.Next + "x", page.Next[:len(page.Next)-1], strings.ToUpper(page.Next) + "%00", "%00", escaped("\xff\xff")} {
			got := x.callers[owner].get(t, path+"?cursor="+bent)
			require.Less(t, got.status, 500, "%s with the cursor %q: %s", route, bent, got.body)
		}
	}
	require.Greater(t, crossed, 3, "lists of more than one page")
}

// As many goroutines as there are routes call them as somebody who is an admin, while
// that ends: by their own offboarding, and by a role that is taken away. From the moment
// on that it has, every request that begins is refused, whatever it is about, and nothing
// that was on its way brings the access back.
func TestAuthorityEndsAtOnceForEverybodyAtWork(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	for name, end := range map[string]func(member string){
		"offboarded": func(member string) { g.offboard(t, member) },
		"demoted":    func(member string) { g.Exec(`UPDATE members SET role = 'contributor' WHERE id = $1`, member) },
	} {
		t.Run(name, func(t *testing.T) {
			member := g.Member(offboarding.RoleAdmin, offboarding.AccountMaker)
			whose := member // credential they make: a way back in
			if name == "demoted" {
				whose = g.Manager // their own they may have
			}
			session, hash := offboarding.NewSecret(offboarding.SecretOfSession)
			require.NoError(t, g.store.SignIn(t.Context(), offboarding.SignIn{
				SessionID: uuid.Must(uuid.NewV7()).String(), MemberID: member, TokenHash: hash, At: time.Now(),
			}))
			credential := g.credential(t, member, offboarding.CredentialAPI)
			ways := []caller{
				g.basic(credential), g.bearer(g.token(t, credential)),
				{url: g.url, header: http.Header{"Cookie": {"handover_session=" + session}}},
			}
			var ended atomic.Bool
			var working, done sync.WaitGroup
			at := 0
			for _, way := range ways {
				for _, call := range []func(i int) *answer{
					func(int) *answer { return way.get(t, "/v1/members") },
					func(int) *answer { return way.get(t, "/v1/audit-events") },
					func(i int) *answer {
						return way.patch(t, "/v1/settings", body{"grace_period": fmt.Sprint(i%20+1, "d")})
					},
					func(i int) *answer {
						return way.post(t, "/v1/credentials", body{"name": fmt.Sprint("a way back ", i), "member": whose})
					},
					func(i int) *answer {
						return way.with(api.HeaderKey, fmt.Sprint("key-", i%3)).post(t, "/v1/legal-holds", body{"member_id": g.Leaver, "reason": "x"})
					},
				} {
					at++
					working.Add(1)
					done.Go(func() {
						after := 0
						for i := 0; after < 3; i++ {
							over := ended.Load()
							got := call(i)
							if over {
								after++
								assert.Contains(t, []int{401, 403}, got.status, "%s after the end: %s", got.request, got.body)
							}
							if i == 1 {
								working.Done()
							}
						}
					})
				}
			}
			require.Equal(t, 15, at)
			working.Wait() // everybody has been let in, and goes on
			end(member)
			ended.Store(true)
			done.Wait()
			if name == "offboarded" {
				require.Zero(t, g.Count(`SELECT count(*) FROM credentials WHERE member_id = $1 AND status = 'active'`, member))
				require.Zero(t, g.Count(`SELECT count(*) FROM sessions WHERE member_id = $1 AND status = 'active'`, member))
				require.Zero(t, g.Count(`SELECT count(*) FROM audit_events a WHERE actor_id = $1 AND event = 'CreateCredential'
					AND id > (SELECT id FROM audit_events WHERE member_id = $1 AND event = 'DeactivateMember')`, member))
			}
		})
	}
}

// An answer that was kept under a key is nobody's but the caller's who has it, and theirs
// for as long as they may ask.
func TestAKeyIsNoWayToAnothersAnswer(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	other := fixture.New(t, g.DB)
	first, second, stranger := g.credential(t, g.Admin, "api"), g.credential(t, g.Admin, "api"), g.credential(t, other.Admin, "api")
	hold := body{"member_id": g.Leaver, "reason": "x"}
	post := func(c clientID) *answer { return g.basic(c).with(api.HeaderKey, "k").post(t, "/v1/legal-holds", hold) }
	kept := post(first).into(t, 201, nil)
	require.Equal(t, "true", post(first).into(t, 201, nil).header.Get(api.HeaderReplayed))
	again := post(second).into(t, 201, nil)
	require.Empty(t, again.header.Get(api.HeaderReplayed), "another credential of the same member")
	require.NotEqual(t, string(kept.body), string(again.body))
	refused := post(stranger)
	refused.want(t, 404, offboarding.CodeMemberNotFound)
	require.Empty(t, refused.header.Get(api.HeaderReplayed))

	g.Exec(`UPDATE members SET role = 'contributor' WHERE id = $1`, g.Admin)
	post(first).want(t, 403, offboarding.CodeNotAuthorized)
	g.Exec(`UPDATE members SET role = 'admin' WHERE id = $1`, g.Admin)
	require.NoError(t, g.store.RevokeCredential(t.Context(), first.id, g.Owner, "", time.Now()))
	post(first).want(t, 401, problem.CodeInvalidRequest)
}

// An ETag is no way to what it is of: whoever may not read it is told so, or that there
// is no such thing, also where they have the tag or say that any will do.
func TestATagIsNoWayToWhatItIsOf(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	other := fixture.New(t, g.DB)
	path := "/v1/members/" + g.Leaver
	tag := g.basic(g.credential(t, g.Admin, "api")).get(t, path).into(t, 200, nil).header.Get("ETag")
	for _, tag := range []string{tag, "*"} {
		g.basic(g.credential(t, other.Owner, "api")).with("If-None-Match", tag).get(t, path).want(t, 404, offboarding.CodeMemberNotFound)
		g.basic(g.credential(t, g.Manager, "api")).with("If-None-Match", tag).get(t, path).want(t, 403, offboarding.CodeNotAuthorized)
		caller{url: g.url, header: http.Header{}}.with("If-None-Match", tag).get(t, path).want(t, 401, problem.CodeUnauthenticated)
	}
}

// A body that was made to hurt is refused as any other that is malformed.
func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	c := g.basic(g.credential(t, g.Admin, "api"))
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	_, err := packed.Write(bytes.Repeat([]byte(`{"q":"a"} `), 1<<20))
	require.NoError(t, err)
	require.NoError(t, packed.Close())
	deep := func(open, closing string, n int) string { return strings.Repeat(open, n) + strings.Repeat(closing, n) }
	for name, text := range map[string]string{
		"arrays 100,000 deep":            deep("[", "]", 100_000),
		"arrays in a field":              `{"q":` + deep("[", "]", 100_000) + `}`,
		"objects 20,000 deep":            deep(`{"q":`, "}", 20_000),
		"arrays that never end":          strings.Repeat("[", 200_000),
		"a number beyond all":            `{"limit":1e400}`,
		"a number of 100,000 digits":     `{"limit":` + strings.Repeat("9", 100_000) + `}`,
		"a fraction":                     `{"limit":1.5}`,
		"two values":                     `{"q":"a"}{"q":"b"}`,
		"a field under two spellings":    `{"q":"a","Q":"b"}`,
		"one of another spelling":        `{"Q":"a"}`,
		"a field that there is not":      `{"q":"a","is_admin":true}`,
		"a prototype":                    `{"__proto__":{"q":"a"}}`,
		"an array for an object":         `[{"q":"a"}]`,
		"no JSON":                        `q=a`,
		"half of it":                     `{"q":"a`,
		"a lone surrogate in a name":     `{"\ud800":"a"}`,
		"NUL around it":                  "\x00{}\x00",
		"what is not UTF-8":              "{\"q\":\"\xff\"}",
		"half of a pair":                 `{"q":"\ud800"}`,
		"packed":                         bomb.String(),
		"a number that is text":          `{"limit":"1"}`,
		"nothing where something has to": `null`,
	} {
		for kind, path := range map[string]string{"search": "/v1/members/search", "hold": "/v1/legal-holds"} {
			got := c.post(t, path, text)
			if kind == "search" && (name == "what is not UTF-8" || name == "half of a pair" || name == "nothing where something has to") {
				require.Less(t, got.status, 500, "%s: %s", name, got.body)
				continue
			}
			require.Equal(t, 400, got.status, "%s: %s", name, got.body)
			require.NotEmpty(t, faults(t, got))
		}
	}
	sent := c.with("Content-Encoding", "gzip").post(t, "/v1/members/search", bomb.Bytes())
	require.Equal(t, 400, sent.status, "nothing is unpacked: %s", sent.body)
	for _, kind := range []string{"text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "nonsense", "application/cbor"} {
		got := c.with("Content-Type", kind).post(t, "/v1/members/search", `{"q":"a"}`)
		require.Contains(t, []int{400, 415}, got.status, "%s: %s", kind, got.body)
	}
	c.post(t, "/v1/members/search", `{"q":"`+strings.Repeat("a", 300<<10)+`"}`).want(t, 413, problem.CodeTooLarge)
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
		for name, form := range map[string]string{
			"NUL": "grant_type=%00&token=%00", "no UTF-8": "grant_type=%ff&token=%ff", "no form": "%zz", "twice": "token=a&token=b&grant_type=x&grant_type=y",
			"many": strings.Repeat("a=b&", 50_000), "long": "token=" + strings.Repeat("a", 200_000),
		} {
			got := c.with("Content-Type", "application/x-www-form-urlencoded").post(t, path, form)
			require.True(t, got.status < 500, "%s %s: %d %s", path, name, got.status, got.body)
		}
	}
}

// faults are those of a problem.
func faults(t *testing.T, a *answer) []problem.Fault {
	t.Helper()
	var p problem.Problem
	require.NoError(t, json.Unmarshal(a.body, &p), "%s: %s", a.request, a.body)
	return p.Errors
}

// No header, field or parameter makes a request another one than its method and path say.
func TestNoMethodIsOverridden(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	c := g.basic(g.credential(t, g.Admin, "api"))
	target := g.credential(t, g.Leaver, "api")
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		require.Equal(t, 405, c.with(header, http.MethodDelete).open(t.Context(), t, http.MethodPost, "/v1/credentials/"+target.id, nil).StatusCode)
		c.with(header, http.MethodDelete).get(t, "/v1/credentials").into(t, 200, nil)
	}
	for _, header := range []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Host", "Forwarded"} {
		got := c.with(header, "/v1/settings").get(t, "/v1/organizations").into(t, 200, nil)
		require.NotContains(t, string(got.body), "grace_period")
	}
	require.Equal(t, 1, g.Count(`SELECT count(*) FROM credentials WHERE id = $1 AND status = 'active'`, target.id))
}
