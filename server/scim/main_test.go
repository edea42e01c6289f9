package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	cases "handover/client"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/internal/testengine"
	"handover/internal/testlog"
	"handover/postgres"
	"handover/server/problem"
	"handover/server/scim"
)

func TestMain(m *testing.M) { os.Exit(testengine.Main(m)) }

// stand is an organization that a provider provisions, on a database of its own,
// with the endpoint over HTTP.
type stand struct {
	*fixture.Organization
	store  *postgres.Store
	behind *postgres.Store // the wall, for those who are known
	cases  *cases.Client
	url    string // of the endpoint
	token  string
	log    *testlog.Buffer
}

// newStand is a stand with a Temporal server and a worker.
func newStand(t *testing.T, provider string) *stand {
	t.Helper()
	s, temporal := newStandWithoutWorker(t, provider)
	testengine.Work(t, temporal, s.store)
	return s
}

// newStandWithoutWorker is a stand on which no case gets anywhere.
func newStandWithoutWorker(t *testing.T, provider string) (*stand, client.Client) {
	t.Helper()
	c := testengine.New(t)
	s := newDatabaseStand(t, provider)
	s.cases = cases.New(c)
	s.serve(t)
	return s, c
}

// newDatabaseStand is a stand for what needs no case: there is no engine.
func newDatabaseStand(t *testing.T, provider string) *stand {
	t.Helper()
	db := testdb.New(t)
	s := &stand{Organization: fixture.New(t, db), store: postgres.New(db), behind: fixture.Behind(t, db), log: &testlog.Buffer{}}
	s.Provisioned(provider)
	s.Exec(`UPDATE organizations SET domains = '{acme.example,testuser.com,example.com,atko.com}' WHERE id = $1`, s.ID)
	s.token = s.newToken(t, s.Organization)
	s.serve(t)
	return s
}

func (s *stand) newToken(t *testing.T, o *fixture.Organization) string {
	t.Helper()
	secret, _, err := s.store.CreateScimToken(t.Context(), o.ID, o.Admin, time.Now())
	require.NoError(t, err)
	return secret
}

func (s *stand) serve(t *testing.T) {
	t.Helper()
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	mux := http.NewServeMux()
	mux.Handle(scim.Path+"/", scim.New(scim.Options{Store: s.behind, Gate: s.store, Cases: s.cases, Log: log}))
	server := httptest.NewServer(problem.Track(log, mux))
	t.Cleanup(server.Close)
	s.url = server.URL + scim.Path
}

// answer is what a request came to.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

func (a answer) id() string { id, _ := a.body["id"].(string); return id }

// resources of a list.
func (a answer) resources() []map[string]any {
	list, _ := a.body["Resources"].([]any)
	out := make([]map[string]any, len(list))
	for i, r := range list {
		out[i], _ = r.(map[string]any)
	}
	return out
}

// call sends a request; body is JSON text, or anything that becomes JSON.
func (s *stand) call(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, reader)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/scim+json; charset=utf-8")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	a := answer{status: response.StatusCode, header: response.Header, text: string(raw)}
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &a.body), "%s", raw)
		require.Equal(t, "application/scim+json", response.Header.Get("Content-Type"))
	}
	if a.status >= 400 {
		a.wellFormedError(t)
	}
	return a
}

// wellFormedError: RFC 7644, 3.12.
func (a answer) wellFormedError(t *testing.T) {
	t.Helper()
	require.Equal(t, []any{"urn:ietf:params:scim:api:messages:2.0:Error"}, a.body["schemas"], a.text)
	require.Equal(t, fmt.Sprint(a.status), a.body["status"], "the status is a text: %s", a.text)
	require.NotEmpty(t, a.body["detail"], a.text)
	for key := range a.body {
		require.Contains(t, []string{"schemas", "status", "detail", "scimType"}, key)
	}
}

// want checks the status and, of a failure, its scimType and how its detail begins.
func (a answer) want(t *testing.T, status int, scimTypeAndCode ...string) answer {
	t.Helper()
	require.Equal(t, status, a.status, a.text)
	if len(scimTypeAndCode) > 0 {
		got, _ := a.body["scimType"].(string)
		require.Equal(t, scimTypeAndCode[0], got, a.text)
	}
	if len(scimTypeAndCode) > 1 {
		require.True(t, strings.HasPrefix(a.body["detail"].(string), scimTypeAndCode[1]), a.text)
	}
	return a
}

func (s *stand) get(t *testing.T, path string) answer {
	t.Helper()
	return s.call(t, http.MethodGet, path, nil)
}

// made creates a user and answers with the ID.
func (s *stand) made(t *testing.T, userName string) string {
	t.Helper()
	return s.call(t, http.MethodPost, "/Users", object{
		"schemas": []string{userURN}, "userName": userName, "name": object{"givenName": "Given", "familyName": "Family"},
		"emails": []object{{"value": userName, "type": "work", "primary": true}}, "active": true,
	}).want(t, http.StatusCreated).id()
}

// patch sends operations.
func (s *stand) patch(t *testing.T, path string, operations ...object) answer {
	t.Helper()
	return s.call(t, http.MethodPatch, path, object{"schemas": []string{patchURN}, "Operations": operations})
}

// object is a JSON object.
type object map[string]any

const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchURN      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)
