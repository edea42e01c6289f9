package load

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hall is a gate in front of a handler that answers when the test says so.
type hall struct {
	http.Handler
	gate    *Gate
	inside  atomic.Int32
	most    atomic.Int32
	release chan struct{}
	entered chan struct{}
}

func newHall(o Options, first func(http.ResponseWriter, *http.Request) bool) *hall {
	h := &hall{release: make(chan struct{}), entered: make(chan struct{}, 100)}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first != nil && !first(w, r) {
			return
		}
		n := h.inside.Add(1)
		defer h.inside.Add(-1)
		for most := h.most.Load(); n > most && !h.most.CompareAndSwap(most, n); most = h.most.Load() {
		}
		h.entered <- struct{}{}
		<-h.release
	})
	h.gate = New(o)
	h.Handler = h.gate.Admit(next, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	return h
}

// ask sends a request of a caller; the status comes when it is answered.
func (h *hall) ask(t *testing.T, caller string) <-chan int {
	t.Helper()
	status := make(chan int, 1)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+caller, nil)
	go func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		status <- w.Code
	}()
	return status
}

func (h *hall) enters(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-h.entered:
		case <-time.After(30 * time.Second):
			require.Fail(t, "nobody enters")
		}
	}
}

// Past the bound and its queue requests are refused; who was let in is answered, who
// waited is next, and then everybody is let in as before.
func TestPastTheBoundRequestsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHall(Options{Requests: 4, Wait: time.Hour}, nil)
	var accepted []<-chan int
	for range 8 { // four with a place, four in the queue
		accepted = append(accepted, h.ask(t, ""))
	}
	h.enters(t, 4)
	require.Eventually(t, func() bool { return len(h.gate.queue) == 4 }, 30*time.Second, time.Millisecond)
	for range 10 {
		require.Equal(t, http.StatusServiceUnavailable, <-h.ask(t, ""))
	}
	close(h.release)
	for _, status := range accepted {
		require.Equal(t, http.StatusOK, <-status)
	}
	require.EqualValues(t, 4, h.most.Load())
	for range 20 {
		require.Equal(t, http.StatusOK, <-h.ask(t, ""))
	}
}

// Nobody waits for longer than the bound, or than they want to.
func TestAWaitEnds(t *testing.T) {
	t.Parallel()
	h := newHall(Options{Requests: 1, Wait: time.Millisecond}, nil)
	accepted := h.ask(t, "")
	h.enters(t, 1)
	require.Equal(t, http.StatusServiceUnavailable, <-h.ask(t, ""))
	close(h.release)
	require.Equal(t, http.StatusOK, <-accepted)
	require.Equal(t, http.StatusOK, <-h.ask(t, ""))
}

// One caller has a quarter of the places at most, the others have theirs.
func TestOneCallerDoesNotFillAllPlaces(t *testing.T) {
	t.Parallel()
	h := newHall(Options{Requests: 8, Wait: time.Hour}, func(w http.ResponseWriter, r *http.Request) bool {
		if !By(r.Context(), r.URL.Path) {
			w.WriteHeader(http.StatusTooManyRequests)
			return false
		}
		return true
	})
	var accepted []<-chan int
	for range 2 {
		accepted = append(accepted, h.ask(t, "greedy"))
	}
	h.enters(t, 2)
	for range 5 {
		require.Equal(t, http.StatusTooManyRequests, <-h.ask(t, "greedy"))
	}
	accepted = append(accepted, h.ask(t, "modest"))
	h.enters(t, 1)
	close(h.release)
	for _, status := range accepted {
		require.Equal(t, http.StatusOK, <-status)
	}
	require.Equal(t, http.StatusOK, <-h.ask(t, "greedy"))
}

// A stream holds no place, there are so many at once, and one that has ended makes room.
func TestStreamsHoldNoPlace(t *testing.T) {
	t.Parallel()
	h := newHall(Options{Requests: 1, Streams: 3, Wait: time.Hour}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/stream" && (!By(r.Context(), "reader") || !Stream(r.Context())) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return false
		}
		return true
	})
	var streams []<-chan int
	for range 3 {
		streams = append(streams, h.ask(t, "stream"))
		h.enters(t, 1)
	}
	require.Equal(t, http.StatusServiceUnavailable, <-h.ask(t, "stream"))
	request := h.ask(t, "")
	h.enters(t, 1)
	close(h.release)
	for _, status := range append(streams, request) {
		require.Equal(t, http.StatusOK, <-status)
	}
	require.Equal(t, http.StatusOK, <-h.ask(t, "stream"))
}

// Many at once, coming and going and giving up, leave a gate as it was.
func TestAGateIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	h := newHall(Options{Requests: 4, Streams: 2, Wait: time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) bool {
		if By(r.Context(), r.URL.Path) && r.URL.Path == "/b" {
			Stream(r.Context())
		}
		return false
	})
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() { <-h.ask(t, string(rune('a'+i%4))) })
	}
	all.Wait()
	require.Equal(t, []int{0, 0, 0, 0}, []int{len(h.gate.places), len(h.gate.queue), len(h.gate.streams), len(h.gate.callers)})
}
