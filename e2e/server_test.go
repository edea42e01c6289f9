package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"

	"handover/internal/fixture"
	"handover/internal/openapitest"
)

// site is a server process in a place, and how to reach it.
type site struct {
	*process
	address, health string
}

// server starts a server in the place.
func (p *place) server(t *testing.T, more ...string) *site {
	t.Helper()
	return p.serverAt(t, freeAddress(), more...)
}

func (p *place) serverAt(t *testing.T, address string, more ...string) *site {
	t.Helper()
	s := &site{address: address, health: freeAddress()}
	s.process = start(t, work, p.env(append([]string{"HANDOVER_SERVER_DATABASE_URL=" + p.serverURL}, more...)...), "server", "--listen-address", s.address, "--health-address", s.health, "--log-level", "debug")
	return s
}

// ready waits until the server answers requests.
func (s *site) ready(t *testing.T) *site {
	t.Helper()
	waitFor(t, "the server is ready", says(s.process, s.health, "/readyz", http.StatusOK, "ok"))
	return s
}

// key is the credential of a member.
type key struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// credential makes a credential with the command line, as its owner would.
func (p *place) credential(t *testing.T, member string) key {
	t.Helper()
	var k key
	out := succeed(t, work, p.env(), "starter", "credential", "create", "--as", member, "--name", "e2e", "--output", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &k))
	return k
}

// description is the OpenAPI document, as the binary prints it.
var description struct {
	once     sync.Once
	document *openapitest.Document
	err      error
}

func described(t testing.TB) *openapitest.Document {
	t.Helper()
	description.once.Do(func() {
		text := succeed(t, work, nil, "server", "openapi")
		description.document, description.err = openapitest.Read([]byte(text))
	})
	require.NoError(t, description.err)
	return description.document
}

// call sends a request as the owner of a credential. An answer that is not as the
// OpenAPI document has it fails the test, also where the request is sent again.
func (s *site) call(t testing.TB, k key, method, path string, body any, headers ...string) (int, object, error) {
	t.Helper()
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		require.NoError(t, err)
		sent = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.address+path, sent)
	require.NoError(t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if k.ID != "" {
		req.SetBasicAuth(k.ID, k.Secret)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, nil, err
	}
	if err := described(t).Check(method, path, resp.StatusCode, resp.Header, text); err != nil {
		t.Error(err)
	}
	answer := object{}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			return resp.StatusCode, nil, fmt.Errorf("%w: %s", err, text)
		}
	}
	return resp.StatusCode, answer, nil
}

// answers is call for a request that must be answered like this.
func (s *site) answers(t testing.TB, k key, method, path string, body any, status int, headers ...string) object {
	t.Helper()
	have, answer, err := s.call(t, k, method, path, body, headers...)
	require.NoError(t, err)
	require.Equal(t, status, have, "%s %s: %v", method, path, answer)
	return answer
}

func TestAServerReportsEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	r := execute(t, work, []string{
		"DATABASE_URL=postgres://handover:" + secret + "@db:notaport/handover", "TEMPORAL_ADDRESS=nowhere", "HANDOVER_LOG_FORMAT=xml",
		"HANDOVER_DRAIN_TIMEOUT=long", "HANDOVER_LISTEN_ADDRESS=here",
	}, "server", "--health-address", "there")
	require.Equal(t, 1, r.code)
	for _, name := range []string{
		"DATABASE_URL", "TEMPORAL_ADDRESS", "HANDOVER_LOG_FORMAT", "HANDOVER_DRAIN_TIMEOUT", "HANDOVER_LISTEN_ADDRESS", "--health-address",
	} {
		require.Contains(t, r.err, name+": ")
	}
	require.NotContains(t, r.out+r.err, secret)
}

// TestAServerWaitsForWhatItNeeds and says what; nobody is answered before, and
// metrics are never told where the API is.
func TestAServerWaitsForWhatItNeeds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	gate := freeAddress()
	s := p.server(t, "TEMPORAL_ADDRESS="+gate)
	waitFor(t, "requests are told to come again", func() error {
		status, answer, err := s.call(t, key{}, http.MethodGet, "/v1/members/me", nil)
		if err != nil || status != http.StatusServiceUnavailable || answer["code"] != "temporarily_unavailable" || answer["refId"] == "" {
			return fmt.Errorf("%d %v: %w", status, answer, err)
		}
		return nil
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.address+"/console/", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Contains(t, string(page), "Handover is starting.", "people read it on a page")
	for _, address := range []string{s.address, s.health} {
		waitFor(t, "no database", says(s.process, address, "/readyz", http.StatusServiceUnavailable, "the database does not answer"))
		waitFor(t, "alive all the same", says(s.process, address, "/livez", http.StatusOK, "ok"))
	}
	o := fixture.New(t, p.prepare(t))
	admin := p.credential(t, o.Admin)
	waitFor(t, "no Temporal", says(s.process, s.health, "/readyz", http.StatusServiceUnavailable, "not connected to the Temporal server yet"))
	waitFor(t, "it asks for Temporal", func() error { // it may still look for the schema, which is there by now
		if !strings.Contains(s.err.String(), "waiting for the Temporal server at "+gate) {
			return errors.New(s.err.String())
		}
		return nil
	})
	forwardTo(t, gate, p.TemporalAddress)
	s.ready(t)
	waitFor(t, "the API's address says so too", says(s.process, s.address, "/readyz", http.StatusOK, "ok"))

	require.Equal(t, o.Admin, s.answers(t, admin, http.MethodGet, "/v1/members/me", nil, http.StatusOK)["id"])
	refused := s.answers(t, key{}, http.MethodGet, "/v1/members/me", nil, http.StatusUnauthorized)
	waitFor(t, "the log has the problem's ID", func() error {
		if !strings.Contains(s.err.String(), refused["refId"].(string)) {
			return errors.New(s.err.String())
		}
		return nil
	})
	s.answers(t, admin, http.MethodGet, "/metrics", nil, http.StatusNotFound)
	waitFor(t, "metrics are told where nobody else comes", says(s.process, s.health, "/metrics", http.StatusOK,
		`handover_http_request_duration_seconds_count{method="GET",route="/v1/members/{id}",status="2xx"}`))

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, s.wait(t), s.err.String())
	requireLogs(t, s.process, "waiting for the database", "waiting for the Temporal server at "+gate, "server started", "server draining", "server stopped")
	require.NotContains(t, s.err.String(), admin.Secret)
}

// TestAServerDrains: what runs when it is told to stop is answered, and nothing new is taken.
func TestAServerDrains(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	db := p.prepare(t)
	o := fixture.New(t, db)
	admin := p.credential(t, o.Admin)
	s := p.server(t).ready(t)
	s.answers(t, admin, http.MethodGet, "/v1/members/me", nil, http.StatusOK)

	locked, err := db.Beginx() // nobody reads members until it ends
	require.NoError(t, err)
	_, err = locked.Exec(`LOCK TABLE members IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	type result struct {
		status int
		err    error
	}
	answered := make(chan result, 1)
	go func() {
		status, _, err := s.call(t, admin, http.MethodGet, "/v1/members/me", nil)
		answered <- result{status, err}
	}()
	waitFor(t, "the request waits", func() error {
		var n int
		if err := locked.Get(&n, `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'members'::regclass`); err != nil || n == 0 {
			return fmt.Errorf("%d wait: %w", n, err)
		}
		return nil
	})
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	waitFor(t, "it takes no more", func() error { // a request that it still took would wait for the lock as well
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
		if err == nil {
			return errors.Join(errors.New("it does"), conn.Close())
		}
		return nil
	})
	waitFor(t, "and says so", says(s.process, s.health, "/readyz", http.StatusServiceUnavailable, "draining"))
	require.Empty(t, answered)
	require.NoError(t, locked.Rollback())
	select {
	case r := <-answered:
		require.NoError(t, r.err)
		require.Equal(t, http.StatusOK, r.status)
	case <-time.After(patience):
		t.Fatal("the request is not answered")
	}
	require.Zero(t, s.wait(t), s.err.String())
	requireLogs(t, s.process, "server draining", "server stopped")
}

// TestAServerIsKilledInTheMiddleOfRequests: who asks again under the same key is
// answered by the next server, and everybody is offboarded once.
func TestAServerIsKilledInTheMiddleOfRequests(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	admin := p.credential(t, o.Admin)
	worker, health := p.worker(t)
	waitFor(t, "the worker is ready", says(worker, health, "/readyz", http.StatusOK, "ok"))
	const leavers = 24
	first := p.server(t).ready(t)
	answered := make(chan error, leavers)
	slots := make(chan struct{}, 4)
	var cut atomic.Int32
	for range leavers {
		leaver := o.Maker()
		o.Document(leaver, "")
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answered <- await(func() error {
				status, answer, err := first.call(t, admin, http.MethodPost, "/v1/offboardings",
					object{"member_id": leaver, "disposition": "retain"}, "Idempotency-Key", "offboard-"+leaver)
				if err != nil {
					cut.Add(1)
					return err
				}
				if status != http.StatusCreated && status != http.StatusOK || answer["access_revoked"] != true || answer["member_id"] != leaver {
					return fmt.Errorf("%d %v", status, answer)
				}
				return nil
			})
		}()
	}
	for range leavers / 4 {
		require.NoError(t, <-answered)
	}
	first.kill(t)
	p.serverAt(t, first.address).ready(t)
	for range leavers - leavers/4 {
		require.NoError(t, <-answered)
	}
	require.Positive(t, cut.Load(), "requests were cut short")
	require.Equal(t, leavers, o.Count(`SELECT count(*) FROM cases`))
	for _, event := range []string{"ScheduleOffboarding", "DeactivateMember"} {
		require.Equal(t, leavers, o.Count(`SELECT count(*) FROM audit_events WHERE event = $1`, event), event)
	}
	requireInvariants(t, p.databaseURL)
	t.Logf("%d requests were cut short", cut.Load())
}

// TestAServerWithAWorker does what it is asked for itself, and begins a case with the
// answer to its start.
func TestAServerWithAWorker(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	o.Document(o.Leaver, "")
	admin := p.credential(t, o.Admin)
	s := p.server(t, "HANDOVER_WITH_WORKER=true").ready(t)
	s.answers(t, admin, http.MethodPost, "/v1/offboardings", object{"member_id": o.Leaver}, http.StatusAccepted, "Prefer", "respond-async")
	c, err := dial(p.TemporalAddress, p.namespace)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	id := "offboarding/" + o.Leaver
	waitFor(t, "the leaver has no access", func() error {
		if status := o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver); status != "inactive" {
			return errors.New(status)
		}
		return nil
	})
	events := c.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	started, err := events.Next()
	require.NoError(t, err)
	require.True(t, started.GetWorkflowExecutionStartedEventAttributes().GetEagerExecutionAccepted())
	status, _, err := s.call(t, admin, http.MethodPost, "/v1/offboardings", object{"member_id": o.Manager})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status, "who waits is answered too")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, s.wait(t), s.err.String())
	requireLogs(t, s.process, "worker started", "server started", "server draining", "worker draining", "worker stopped", "server stopped")
	requireInvariants(t, p.databaseURL)
}
