package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"handover/internal/config"
	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/problem"
)

// site is a server with small bounds, as it is in production, with a worker; what it
// needs can be taken away from it.
type site struct {
	*fixture.Organization
	t              *testing.T
	server         *Server
	store          *postgres.Store // past the proxy
	toDatabase     *toxiproxy.Proxy
	toTemporal     *toxiproxy.Proxy
	url            string
	client         *http.Client
	requestsAtMost int
}

const sitePool = 10

func newSite(t *testing.T) *site {
	t.Helper()
	temporal, err := temporalserver.Start(t.Context(), temporalserver.Options{Address: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, temporal.Stop()) })
	database := testdb.URL(t)
	s := &site{t: t, requestsAtMost: 8, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	s.store, err = postgres.Open(database, 4)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	s.Organization = fixture.New(t, s.store.DB())

	u, err := url.Parse(database)
	require.NoError(t, err)
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	s.toDatabase = toxiproxy.NewProxy(proxies, "database", "127.0.0.1:0", u.Host)
	s.toTemporal = toxiproxy.NewProxy(proxies, "temporal", "127.0.0.1:0", temporal.Address())
	for _, p := range []*toxiproxy.Proxy{s.toDatabase, s.toTemporal} {
		require.NoError(t, p.Start())
		t.Cleanup(p.Stop)
	}
	log := slog.New(slog.DiscardHandler)
	worker, err := StartWorker(t.Context(), &config.Config{
		Database: config.Database{URL: config.Secret(database), PoolSize: 8},
		Temporal: client.Options{HostPort: temporal.Address(), Namespace: temporal.Namespace()},
		Worker:   config.Worker{DrainTimeout: 5 * time.Second},
	}, log, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, worker.Close()) })
	u.Host = s.toDatabase.Listen
	s.server, err = StartServer(t.Context(), &config.Config{
		Database: config.Database{URL: config.Secret(u.String()), PoolSize: sitePool},
		Temporal: client.Options{HostPort: s.toTemporal.Listen, Namespace: temporal.Namespace()},
		Server:   config.Server{Address: "127.0.0.1:0", DrainTimeout: 5 * time.Second, MaxRequests: s.requestsAtMost, MaxStreams: 2},
	}, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.server.Close()) })
	s.url = "http://" + s.server.Address()
	return s
}

// admin is the token of one more admin: each caller has a quarter of the places.
func (s *site) admin() string {
	s.t.Helper()
	member := s.Member(offboarding.RoleAdmin, offboarding.AccountMaker)
	secret, hash := offboarding.NewSecret(offboarding.SecretOfSession)
	require.NoError(s.t, s.store.SignIn(s.t.Context(), offboarding.SignIn{
		SessionID: uuid.Must(uuid.NewV7()).String(), MemberID: member, TokenHash: hash, At: time.Now().UTC(),
	}))
	return secret
}

// reply is an answer, or why there is none.
type reply struct {
	status int
	header http.Header
	problem.Problem
	err error
}

// ask sends a request of somebody who has signed in, "" for nobody.
func (s *site) ask(ctx context.Context, who, method, path, body string) reply {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	if who != "" {
		r.AddCookie(&http.Cookie{Name: "handover_session", Value: who})
	}
	response, err := s.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	text, err := io.ReadAll(response.Body)
	out := reply{status: response.StatusCode, header: response.Header, err: err}
	_ = response.Body.Close()
	if out.status >= 400 && err == nil {
		out.err = json.Unmarshal(text, &out.Problem)
	}
	return out
}

// unavailable checks that nothing was decided, and that the caller is told when to come
// again.
func (s *site) unavailable(r reply) {
	s.t.Helper()
	require.NoError(s.t, r.err)
	require.Equal(s.t, http.StatusServiceUnavailable, r.status, r.Detail)
	require.Equal(s.t, offboarding.CodeTryAgain, r.Code)
	require.NotEmpty(s.t, r.header.Get("Retry-After"))
}

func (s *site) served(who, path string) func() bool {
	return func() bool { return s.ask(s.t.Context(), who, http.MethodGet, path, "").status == http.StatusOK }
}

// leaver is the body of a start for a new leaver.
func (s *site) leaver() string { return fmt.Sprintf(`{"member_id":%q}`, s.Maker()) }

// Past what a server can do it says so and goes on; what it needs may go away and come
// back. None of it takes a restart.
func TestOverload(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	s := newSite(t)
	ctx := t.Context()
	var admins []string
	for range 8 {
		admins = append(admins, s.admin())
	}
	who := admins[0]
	s.served(who, "/v1/legal-holds")()
	leaver := s.Maker()
	s.Document(leaver, "") // the case waits for a new owner
	require.Equal(t, http.StatusCreated, s.ask(ctx, who, http.MethodPost, "/v1/offboardings", fmt.Sprintf(`{"member_id":%q}`, leaver)).status)

	t.Run("more requests than places", func(t *testing.T) {
		s.t = t
		lock := s.lock("legal_holds")
		accepted := make(chan reply, s.requestsAtMost)
		for i := range s.requestsAtMost {
			go func() { accepted <- s.ask(ctx, admins[i/2], http.MethodGet, "/v1/legal-holds", "") }()
		}
		require.Eventually(t, func() bool {
			return s.Count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == s.requestsAtMost
		}, 20*time.Second, 10*time.Millisecond)
		var flood sync.WaitGroup
		refused := make(chan reply, 60)
		for i := range cap(refused) {
			flood.Go(func() { refused <- s.ask(ctx, admins[i%len(admins)], http.MethodGet, "/v1/members", "") })
		}
		flood.Wait()
		close(refused)
		for r := range refused {
			s.unavailable(r)
		}
		require.Equal(t, http.StatusOK, s.ask(ctx, "", http.MethodGet, "/livez", "").status, "who watches the process is answered")
		require.Equal(t, http.StatusOK, s.ask(ctx, "", http.MethodGet, "/readyz", "").status)
		require.Equal(t, http.StatusNoContent, s.ask(ctx, admins[7], http.MethodPost, "/auth/logout", "").status, "and who signs out")
		require.NoError(t, lock.Rollback())
		for range s.requestsAtMost {
			require.Equal(t, http.StatusOK, (<-accepted).status, "who was let in is answered")
		}
		for range 20 {
			require.True(t, s.served(who, "/v1/members")())
		}
	})

	t.Run("one caller with more than a share", func(t *testing.T) {
		s.t = t
		lock := s.lock("legal_holds")
		accepted := make(chan reply, 2)
		for range cap(accepted) {
			go func() { accepted <- s.ask(ctx, who, http.MethodGet, "/v1/legal-holds", "") }()
		}
		require.Eventually(t, func() bool {
			return s.Count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == cap(accepted)
		}, 20*time.Second, 10*time.Millisecond)
		r := s.ask(ctx, who, http.MethodGet, "/v1/members", "")
		require.Equal(t, []any{http.StatusTooManyRequests, problem.CodeRateLimited, "1"}, []any{r.status, r.Code, r.header.Get("Retry-After")})
		require.True(t, s.served(admins[1], "/v1/members")(), "others are not hindered")
		require.NoError(t, lock.Rollback())
		for range cap(accepted) {
			require.Equal(t, http.StatusOK, (<-accepted).status)
		}
	})

	t.Run("more who sign out than places", func(t *testing.T) {
		s.t = t
		leaving := make([]string, s.requestsAtMost)
		for i := range leaving {
			leaving[i] = s.admin()
		}
		lock := s.lock("sessions")
		accepted := make(chan reply, len(leaving))
		for _, session := range leaving {
			go func() { accepted <- s.ask(ctx, session, http.MethodPost, "/auth/logout", "") }()
		}
		require.Eventually(t, func() bool {
			return s.Count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == cap(accepted)
		}, 20*time.Second, 10*time.Millisecond)
		s.unavailable(s.ask(ctx, who, http.MethodPost, "/auth/logout", ""))
		require.NoError(t, lock.Rollback())
		for range cap(accepted) {
			require.Equal(t, http.StatusNoContent, (<-accepted).status)
		}
		require.True(t, s.served(who, "/v1/members")(), "who was refused is still signed in")
	})

	t.Run("no connection of the pool is free", func(t *testing.T) {
		s.t = t
		var held []*sql.Conn
		for range sitePool {
			conn, err := s.server.store.DB().Conn(ctx)
			require.NoError(t, err)
			held = append(held, conn)
		}
		s.unavailable(s.ask(ctx, who, http.MethodGet, "/v1/members", ""))
		for _, conn := range held {
			require.NoError(t, conn.Close())
		}
		require.True(t, s.served(who, "/v1/members")())
	})

	t.Run("more streams than places", func(t *testing.T) {
		s.t = t
		caseID := s.Text(`SELECT id FROM cases LIMIT 1`)
		watching, stop := context.WithCancel(ctx)
		defer stop()
		for range 2 {
			r, err := http.NewRequestWithContext(watching, http.MethodGet, s.url+"/console/changes", nil)
			require.NoError(t, err)
			r.AddCookie(&http.Cookie{Name: "handover_session", Value: who})
			response, err := s.client.Do(r)
			require.NoError(t, err)
			t.Cleanup(func() { _ = response.Body.Close() })
			require.Equal(t, http.StatusOK, response.StatusCode)
		}
		for _, path := range []string{"/v1/offboardings/" + caseID + "/events", "/v1/audit-events/export"} {
			s.unavailable(s.ask(ctx, admins[1], http.MethodGet, path, ""))
		}
		for range s.requestsAtMost { // they hold no places
			require.True(t, s.served(who, "/v1/members")())
		}
		stop()
		require.Eventually(t, s.served(who, "/v1/audit-events/export"), 20*time.Second, 20*time.Millisecond)
	})

	t.Run("the database is away", func(t *testing.T) {
		s.t = t
		s.toDatabase.Stop()
		s.unavailable(s.ask(ctx, who, http.MethodGet, "/v1/members", ""))
		s.unavailable(s.ask(ctx, who, http.MethodPost, "/v1/offboardings", `{"member_id":"x"}`))
		require.Eventually(t, func() bool {
			response, err := s.client.Get(s.url + "/readyz") //nolint:noctx // at once
			if err != nil {
				return false
			}
			_ = response.Body.Close()
			return response.StatusCode == http.StatusServiceUnavailable
		}, 20*time.Second, 50*time.Millisecond)
		require.NoError(t, s.toDatabase.Start())
		require.Eventually(t, s.served(who, "/v1/members"), 20*time.Second, 20*time.Millisecond)
	})

	t.Run("Temporal is away", func(t *testing.T) {
		s.t = t
		s.toTemporal.Stop()
		leaver := s.leaver()
		for range 3 { // the first waits until it is noticed
			r := s.ask(ctx, who, http.MethodPost, "/v1/offboardings", leaver)
			s.unavailable(r)
			require.Equal(t, "Temporal cannot be reached", r.Detail)
		}
		require.True(t, s.served(who, "/v1/members")(), "what needs no case is answered")
		require.NoError(t, s.toTemporal.Start())
		require.Eventually(t, func() bool {
			status := s.ask(ctx, who, http.MethodPost, "/v1/offboardings", leaver).status
			return status == http.StatusCreated || status == http.StatusOK
		}, 60*time.Second, 50*time.Millisecond)
	})

	t.Run("nothing is left of it", func(t *testing.T) {
		s.t = t
		s.quiet()
		before := ours()
		var load sync.WaitGroup
		for i := range 8 {
			load.Go(func() {
				for range 10 {
					for _, path := range []string{"/v1/members", "/v1/audit-events/export", "/v1/nothing", "/console/overview"} {
						s.ask(ctx, admins[i%4], http.MethodGet, path, "")
					}
					once, cancel := context.WithCancel(ctx)
					go cancel() // some give up before they are answered
					s.ask(once, admins[i%4], http.MethodGet, "/v1/members", "")
					s.ask(once, admins[i%4], http.MethodGet, "/console/changes", "")
				}
			})
		}
		for range 20 {
			require.Equal(t, http.StatusCreated, s.ask(ctx, admins[5], http.MethodPost, "/v1/offboardings", s.leaver()).status)
		}
		load.Wait()
		s.quiet()
		require.Eventually(t, func() bool { return ours() <= before }, 60*time.Second, 100*time.Millisecond, "of %d goroutines more are left", before)
		require.Zero(t, s.server.store.DB().Stats().InUse)
		require.LessOrEqual(t, s.server.store.DB().Stats().OpenConnections, sitePool)
	})
}

// ours is how many goroutines of this process answer requests, look at something for
// those who watch, or speak to the database. Temporal's server has others.
func ours() (n int) {
	text := make([]byte, 16<<20)
	text = text[:runtime.Stack(text, true)]
	for _, stack := range strings.Split(string(text), "\n\n") {
		if strings.Contains(stack, "handover/server/") || strings.Contains(stack, "net/http.(*conn)") || strings.Contains(stack, "handover/postgres.") {
			n++
		}
	}
	return n
}

// lock keeps everybody from a table until it is rolled back.
func (s *site) lock(table string) *sql.Tx {
	s.t.Helper()
	tx, err := s.store.DB().BeginTx(s.t.Context(), nil)
	require.NoError(s.t, err)
	_, err = tx.ExecContext(s.t.Context(), `LOCK TABLE `+table+` IN ACCESS EXCLUSIVE MODE`)
	require.NoError(s.t, err)
	return tx
}

// quiet waits until the server answers nobody.
func (s *site) quiet() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	require.Eventually(s.t, func() bool { return s.server.store.DB().Stats().InUse == 0 }, 30*time.Second, 20*time.Millisecond)
}
