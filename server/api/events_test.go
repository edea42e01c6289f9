package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
	"handover/server/problem"
)

// watcher reads a stream.
type watcher struct {
	t      *testing.T
	lines  *bufio.Scanner
	lastID string
}

func (c caller) watch(t *testing.T, path string) *watcher {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	response := c.open(ctx, t, http.MethodGet, path, nil)
	t.Cleanup(func() { _ = response.Body.Close() })
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	return &watcher{t: t, lines: bufio.NewScanner(response.Body)}
}

// next is the next state of the case; nil where the stream has ended.
func (w *watcher) next() *offboarding.CaseRow {
	w.t.Helper()
	for w.lines.Scan() {
		if id, ok := strings.CutPrefix(w.lines.Text(), "id: "); ok {
			w.lastID = id
		}
		if data, ok := strings.CutPrefix(w.lines.Text(), "data: "); ok {
			var row offboarding.CaseRow
			require.NoError(w.t, json.Unmarshal([]byte(data), &row))
			return &row
		}
	}
	require.NoError(w.t, w.lines.Err())
	return nil
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	document := s.Document(s.Leaver, "")
	s.Grant(document, s.Manager, offboarding.GrantEdit)
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &start)
	var watchers []*watcher
	for _, member := range []string{s.Admin, s.Owner, s.Admin} {
		watchers = append(watchers, s.as(member).watch(t, start.URL+"/events"))
	}
	for _, w := range watchers {
		row := w.next()
		for row.Phase != offboarding.PhaseGrace {
			row = w.next()
		}
		require.Equal(t, 1, row.Unowned)
	}
	_, err := s.cases.Claim(t.Context(), start.WorkflowID, offboarding.ClaimRequest{DocumentID: document, MemberID: s.Manager})
	require.NoError(t, err)
	for _, w := range watchers {
		row := w.next()
		for row.ClosedAt == nil {
			row = w.next()
			require.NotNil(t, row, "the stream ends before it says that the case has closed")
		}
		require.Equal(t, offboarding.PhaseCompleted, row.Phase)
		require.Nil(t, w.next(), "it ends with the case")
	}
	s.as(s.Admin).with("Last-Event-ID", watchers[0].lastID).get(t, start.URL+"/events").into(t, 204, nil)
	require.Equal(t, offboarding.PhaseCompleted, s.as(s.Admin).watch(t, start.URL+"/events").next().Phase)

	other := fixture.New(t, s.DB)
	s.as(other.Admin).get(t, start.URL+"/events").want(t, 404, offboarding.CodeCaseNotFound)
	s.as(s.Manager).get(t, start.URL+"/events").want(t, 404, offboarding.CodeCaseNotFound)
	s.as("").get(t, start.URL+"/events").want(t, 401, "unauthenticated")
}

func TestAStreamEndsWithTheCredentialAndWithTheServer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &start)
	admin, owner := s.as(s.Admin).watch(t, start.URL+"/events"), s.as(s.Owner).watch(t, start.URL+"/events")
	for _, w := range []*watcher{admin, owner} {
		for w.next().Phase != offboarding.PhaseGrace {
		}
	}
	s.Exec(`UPDATE credentials SET status = 'revoked', revoked_at = now() WHERE member_id = $1`, s.Admin)
	s.as(s.Owner).post(t, start.URL+"/extend-grace", body{"until": nextYear}).into(t, 200, &offboarding.Outcome{})
	require.NotNil(t, owner.next())
	require.Nil(t, admin.next(), "nothing is told to whom the case no longer concerns")
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for owner.next() != nil {
		}
	}()
	select {
	case <-stopped:
		require.Fail(t, "the owner's stream has ended too")
	default:
	}
	close(s.stopping)
	<-stopped
}

func TestNobodyWatchesWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	var start api.Start
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, &start)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 50 {
		response := s.as(s.Admin).open(ctx, t, http.MethodGet, start.URL+"/events", nil)
		t.Cleanup(func() { _ = response.Body.Close() })
		require.Equal(t, 200, response.StatusCode)
	}
	refused := s.as(s.Admin).get(t, start.URL+"/events")
	refused.want(t, 429, problem.CodeRateLimited)
	require.NotEmpty(t, refused.header.Get("Retry-After"))
	require.NotNil(t, s.as(s.Owner).watch(t, start.URL+"/events").next(), "others are not hindered")
	cancel()
	require.Eventually(t, func() bool {
		response := s.as(s.Admin).open(t.Context(), t, http.MethodGet, start.URL+"/events", nil)
		defer func() { require.NoError(t, response.Body.Close()) }()
		return response.StatusCode == 200
	}, 10*time.Second, 50*time.Millisecond)
}
