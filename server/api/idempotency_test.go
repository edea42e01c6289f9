package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/server/api"
	"handover/server/problem"
)

// died makes the answers to all keys as if whoever gave them had died before they
// were kept, and the lease as long as it is.
func (s *stand) died(lease time.Duration) {
	s.Exec(`UPDATE idempotency_keys SET status = NULL, header = NULL, body = NULL, leased_until = $1`, time.Now().Add(lease))
}

func TestARepeatGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	c := s.as(s.Admin).with(api.HeaderKey, "leave-1")
	request := body{"member_id": s.Leaver}
	first := c.post(t, "/v1/offboardings", request).into(t, 201, nil)
	require.Empty(t, first.header.Get(api.HeaderReplayed))
	events := len(s.Events())
	again := c.at(s.serve(t)).post(t, "/v1/offboardings", request).into(t, 201, nil)
	require.Equal(t, "true", again.header.Get(api.HeaderReplayed))
	require.Equal(t, string(first.body), string(again.body))
	require.Equal(t, first.header.Get("Location"), again.header.Get("Location"))
	require.Equal(t, first.header.Get("Content-Type"), again.header.Get("Content-Type"))
	require.Len(t, s.Events(), events)
	// A refusal is an answer too.
	refused := c.with(api.HeaderKey, "leave-2").post(t, "/v1/offboardings", body{"member_id": s.Owner})
	refused.want(t, 403, offboarding.CodeNotAuthorized, offboarding.CodeLastOwner)
	again = c.with(api.HeaderKey, "leave-2").post(t, "/v1/offboardings", body{"member_id": s.Owner}).into(t, 403, nil)
	require.Equal(t, string(refused.body), string(again.body))
	require.Equal(t, problem.ContentType, again.header.Get("Content-Type"))

	// The key is the caller's alone, and the request's alone.
	c.post(t, "/v1/offboardings", body{"member_id": s.Manager}).want(t, 422, problem.CodeKeyReused)
	c.post(t, "/v1/offboardings/"+s.Leaver+"/cancel", request).want(t, 422, problem.CodeKeyReused)
	c.with("Prefer", "respond-async").post(t, "/v1/offboardings", request).want(t, 422, problem.CodeKeyReused)
	c.with("Handover-Confirm-Email", "m4@acme.example").post(t, "/v1/offboardings", request).want(t, 422, problem.CodeKeyReused)
	s.as(s.Owner).with(api.HeaderKey, "leave-1").post(t, "/v1/offboardings", request).into(t, 200, nil)
	for _, bad := range []string{" ", "a b", "ä", strings.Repeat("k", 256)} {
		s.as(s.Admin).with(api.HeaderKey, bad).post(t, "/v1/offboardings", request).want(t, 400, offboarding.CodeInvalidArgument)
	}
	// After a day it may be used for something else.
	s.Exec(`UPDATE idempotency_keys SET expires_at = $1`, time.Now().Add(-time.Second))
	c.post(t, "/v1/offboardings", body{"member_id": s.Manager}).into(t, 201, nil)
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM idempotency_keys`), "what has expired is swept")
}

func TestARepeatTakesOverFromAServerThatDied(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	c := s.as(s.Admin).with(api.HeaderKey, "k")
	for name, request := range map[string]struct {
		path   string
		body   func() body
		status int
	}{
		"a case that goes on": {"/v1/offboardings", func() body {
			leaver := s.Maker()
			s.Document(leaver, "")
			return body{"member_id": leaver}
		}, 201},
		"a case that has ended": {"/v1/offboardings", func() body { return body{"member_id": s.Maker()} }, 201},
		"a refused start":       {"/v1/offboardings", func() body { return body{"member_id": s.Admin} }, 403},
	} {
		c := c.with(api.HeaderKey, strings.ReplaceAll(name, " ", "-"))
		b := request.body()
		first := c.post(t, request.path, b).into(t, request.status, nil)
		events := len(s.Events())
		s.died(20 * time.Second)
		busy := c.post(t, request.path, b)
		busy.want(t, 409, problem.CodeKeyInUse)
		wait, err := strconv.Atoi(busy.header.Get("Retry-After"))
		require.NoError(t, err)
		require.InDelta(t, 20, wait, 2)
		s.died(-time.Second)
		again := c.at(s.serve(t)).post(t, request.path, b).into(t, request.status, nil)
		require.Empty(t, again.header.Get(api.HeaderReplayed))
		require.Equal(t, first.header.Get("Location"), again.header.Get("Location"), name)
		require.Len(t, s.Events(), events, "%s: nothing is done twice", name)
		again = c.post(t, request.path, b).into(t, request.status, nil)
		require.Equal(t, "true", again.header.Get(api.HeaderReplayed))
	}
}

func TestOfTwoSameKeysOneIsAnswered(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Document(s.Leaver, "")
	second := s.serve(t)
	answers := make(chan *answer, 8)
	for i := range cap(answers) {
		c := s.as(s.Admin).with(api.HeaderKey, "same")
		if i%2 == 1 {
			c = c.at(second)
		}
		go func() { answers <- c.post(t, "/v1/offboardings", body{"member_id": s.Leaver}) }()
	}
	answered := 0
	for range cap(answers) {
		switch a := <-answers; a.status {
		case http.StatusCreated:
			if a.header.Get(api.HeaderReplayed) == "" {
				answered++
			}
		default:
			a.want(t, 409, problem.CodeKeyInUse)
			require.NotEmpty(t, a.header.Get("Retry-After"))
		}
	}
	require.Equal(t, 1, answered)
}

func TestARequestThatWasGivenUpCanBeRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	c := s.as(s.Admin).with(api.HeaderKey, "patience")
	ctx, cancel := context.WithCancel(t.Context())
	request := c.request(ctx, t, http.MethodPost, "/v1/offboardings", body{"member_id": s.Leaver})
	gone := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(request)
		gone <- err
	}()
	require.Eventually(t, func() bool { return s.Count(`SELECT count(*) FROM idempotency_keys`) == 1 }, 10*time.Second, 10*time.Millisecond)
	cancel()
	require.True(t, errors.Is(<-gone, context.Canceled))
	require.Eventually(t, func() bool {
		return s.Count(`SELECT count(*) FROM idempotency_keys WHERE status IS NULL AND leased_until <= now()`) == 1
	}, 10*time.Second, 10*time.Millisecond)
	s.work(t)
	c.post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, nil)
}

func TestWhatIsNotDecidedIsNotKept(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.Exec(`ALTER TABLE workspaces RENAME TO away`)
	c := s.as(s.Admin).with(api.HeaderKey, "k")
	request := body{"member_id": s.Leaver, "workspace_id": "external:w"}
	c.post(t, "/v1/offboardings", request).want(t, 500, problem.CodeInternal)
	s.Exec(`ALTER TABLE away RENAME TO workspaces`)
	c.post(t, "/v1/offboardings", request).want(t, 404, offboarding.CodeWorkspaceNotFound)
}

func TestASlowAnswerOutlivesTheTimeForItsBody(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	if testing.Short() {
		t.Skip("takes longer than a body may take")
	}
	began := time.Now()
	go func() {
		time.Sleep(12 * time.Second)
		s.work(t)
	}()
	s.as(s.Admin).post(t, "/v1/offboardings", body{"member_id": s.Leaver}).into(t, 201, nil)
	require.Greater(t, time.Since(began), 11*time.Second)
}

func TestABodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	slow, feed := io.Pipe()
	go func() {
		_, _ = feed.Write([]byte(`{"member_id": "x`)) // the server hears no more of it
		_ = feed.CloseWithError(io.ErrUnexpectedEOF)
	}()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/offboardings", slow)
	require.NoError(t, err)
	request.Header = s.as(s.Admin).header
	_, err = http.DefaultClient.Do(request)
	require.Error(t, err)
	require.Zero(t, s.Count(`SELECT count(*) FROM cases`))
}
