package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	cases "handover/client"
	"handover/internal/fixture"
	"handover/internal/openapitest"
	"handover/internal/testdb"
	"handover/internal/testengine"
	"handover/internal/testlog"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/api"
	"handover/server/auth"
	"handover/server/problem"
)

func TestMain(m *testing.M) { os.Exit(testengine.Main(m)) }

// stand is an organization on a database of its own, with a worker and the API
// over HTTP.
//
//	s := newStand(t)
//	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &status)
//	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Admin}).want(t, 403, "self_offboarding")
type stand struct {
	*fixture.Organization
	store    *postgres.Store
	behind   *postgres.Store // the wall, for those who are known
	api      *api.API
	temporal client.Client
	cases    *cases.Client
	url      string
	database string       // its URL
	webhooks api.Webhooks // of servers that start from then on
	log      *testlog.Buffer
	stopping chan struct{} // closed where a server is about to stop

	mu      sync.Mutex
	clients map[string]clientID
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := newStandWithoutWorker(t)
	s.work(t)
	return s
}

// work starts a worker.
func (s *stand) work(t *testing.T) {
	t.Helper()
	testengine.Work(t, s.temporal, s.store)
}

// newStandWithoutWorker is a stand on which no case gets anywhere.
func newStandWithoutWorker(t *testing.T) *stand {
	t.Helper()
	database := testdb.URL(t)
	db := testdb.Open(t, database)
	s := &stand{
		database:     database,
		Organization: fixture.New(t, db), store: postgres.New(db), behind: fixture.Behind(t, db), log: &testlog.Buffer{},
		stopping: make(chan struct{}), clients: map[string]clientID{},
	}
	s.temporal = testengine.New(t)
	s.cases = cases.New(s.temporal)
	s.url = s.serve(t)
	return s
}

// serve starts a server of the stand and says where: a second one is another
// process as far as the API is concerned.
func (s *stand) serve(t *testing.T) string {
	t.Helper()
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	mux := http.NewServeMux()
	callers := auth.New(auth.Options{Store: s.store, Log: log})
	s.api = api.New(mux, api.Options{Store: s.behind, Gate: s.store, Cases: s.cases, Auth: callers, Webhooks: s.webhooks, Log: log, Stopping: s.stopping})
	server := httptest.NewServer(problem.Track(log, callers.Authenticate(mux)))
	t.Cleanup(server.Close)
	described(t, server.URL, s.api)
	return server.URL
}

// documents are the OpenAPI documents of the servers of this binary, by their URLs.
var documents sync.Map

// described makes every answer of a server be held against its OpenAPI document.
func described(t *testing.T, url string, a *api.API) {
	t.Helper()
	text, err := json.Marshal(a.OpenAPI())
	require.NoError(t, err)
	document, err := openapitest.Read(text)
	require.NoError(t, err)
	documents.Store(url, document)
}

// receive reads an answer whole, which must be what the OpenAPI document says.
func receive(t *testing.T, url, method, path string, response *http.Response) *answer {
	t.Helper()
	defer func() { require.NoError(t, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	document, ok := documents.Load(url)
	require.True(t, ok, "nothing describes the server")
	require.NoError(t, document.(*openapitest.Document).Check(method, path, response.StatusCode, response.Header, text))
	return &answer{request: method + " " + path, status: response.StatusCode, header: response.Header, body: text}
}

// client is a credential of a member, made when it is first needed.
func (s *stand) client(member string) clientID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.clients[member]; ok {
		return c
	}
	secret, hash := offboarding.NewSecret(offboarding.SecretOfCredential)
	c := clientID{uuid.NewString(), secret}
	s.Exec(`INSERT INTO credentials (id, organization_id, member_id, kind, name, status, created_at, secret_hash)
		SELECT $2, organization_id, id, 'api', 'test', 'active', $4, $3 FROM members WHERE id = $1`, member, c.id, hash, fixture.Start)
	s.clients[member] = c
	return c
}

// body is the JSON object of a request.
type body = map[string]any

// caller sends requests.
type caller struct {
	url    string
	header http.Header
}

// as is a caller who shows a credential of a member; "" is nobody.
func (s *stand) as(member string) caller {
	r := http.Request{Header: http.Header{}}
	if member != "" {
		c := s.client(member)
		r.SetBasicAuth(c.id, c.secret)
	}
	return caller{url: s.url, header: r.Header}
}

// with is the caller with one more header.
func (c caller) with(name, value string) caller {
	c.header = c.header.Clone()
	c.header.Set(name, value)
	return c
}

// at is the caller at another server.
func (c caller) at(url string) caller {
	c.url = url
	return c
}

func (c caller) get(t *testing.T, path string) *answer {
	t.Helper()
	return c.send(t, http.MethodGet, path, nil)
}

func (c caller) post(t *testing.T, path string, body any) *answer {
	t.Helper()
	return c.send(t, http.MethodPost, path, body)
}

func (c caller) patch(t *testing.T, path string, body any) *answer {
	t.Helper()
	return c.send(t, http.MethodPatch, path, body)
}

func (c caller) del(t *testing.T, path string, body any) *answer {
	t.Helper()
	return c.send(t, http.MethodDelete, path, body)
}

// send sends a body as JSON, a string or bytes as they are, nil as none. The body
// of the answer is read whole.
func (c caller) send(t *testing.T, method, path string, body any) *answer {
	t.Helper()
	return receive(t, c.url, method, path, c.open(t.Context(), t, method, path, body))
}

// open is send for an answer that is read bit by bit; the caller closes it.
func (c caller) open(ctx context.Context, t *testing.T, method, path string, body any) *http.Response {
	t.Helper()
	response, err := http.DefaultClient.Do(c.request(ctx, t, method, path, body))
	require.NoError(t, err)
	return response
}

func (c caller) request(ctx context.Context, t *testing.T, method, path string, body any) *http.Request {
	t.Helper()
	var reading io.Reader
	kind := ""
	switch body := body.(type) {
	case nil:
	case string:
		reading, kind = strings.NewReader(body), "application/json"
	case []byte:
		reading, kind = bytes.NewReader(body), "application/json"
	default:
		data, err := json.Marshal(body)
		require.NoError(t, err)
		reading, kind = bytes.NewReader(data), "application/json"
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, reading)
	require.NoError(t, err)
	if kind != "" && c.header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", kind)
	}
	for name, values := range c.header {
		request.Header[name] = values
	}
	return request
}

// answer is what the API answered.
type answer struct {
	request string
	status  int
	header  http.Header
	body    []byte
}

// into checks the status and reads the body; nil reads nothing.
func (a *answer) into(t *testing.T, status int, dest any) *answer {
	t.Helper()
	require.Equal(t, status, a.status, "%s: %s", a.request, a.body)
	if dest != nil {
		require.NoError(t, json.Unmarshal(a.body, dest), "%s: %s", a.request, a.body)
	}
	return a
}

// want checks that the answer is a problem with these codes, in their order, and
// that it has the form of all problems.
func (a *answer) want(t *testing.T, status int, codes ...offboarding.Code) problem.Problem {
	t.Helper()
	require.Equal(t, status, a.status, "%s: %s", a.request, a.body)
	require.Equal(t, problem.ContentType, a.header.Get("Content-Type"), a.request)
	var p problem.Problem
	require.NoError(t, json.Unmarshal(a.body, &p), "%s: %s", a.request, a.body)
	var got []offboarding.Code
	for _, fault := range p.Errors {
		got = append(got, fault.Code)
		require.Equal(t, problem.MeaningOf(fault.Code).Number, fault.ErrorCode)
		require.NotEmpty(t, fault.Message)
	}
	require.Equal(t, codes, got, "%s: %s", a.request, a.body)
	require.Equal(t, codes[0], p.Code)
	require.Equal(t, problem.MeaningOf(p.Code).Number, p.ErrorCode)
	require.Equal(t, status, p.Status)
	require.Equal(t, "/docs#"+string(p.Code), p.Type)
	require.NotEmpty(t, p.Title)
	require.Equal(t, p.Detail, p.Message)
	require.Equal(t, a.header.Get(problem.HeaderRequestID), p.RefID)
	return p
}
