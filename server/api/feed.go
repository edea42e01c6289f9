package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"handover/offboarding"
)

// pollEvery is how often a case that somebody watches is looked at.
const pollEvery = 500 * time.Millisecond

// seen is a case as those who watch it see it.
type seen struct {
	id     string // the same while nothing changes
	data   []byte // JSON of the case
	closed bool
}

// feeds let all who watch a case share one look at it.
type feeds struct {
	mu      sync.Mutex
	byCase  map[string]*feed
	streams map[string]int // by member
	read    func(ctx context.Context, caseID string) (offboarding.CaseRow, error)
	failed  func(caseID string, err error)
}

// enter counts the streams of a member, until leave is called; there are so many at most.
func (f *feeds) enter(member string) (leave func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.streams[member] >= maxStreams {
		return nil, false
	}
	f.streams[member]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.streams[member]--; f.streams[member] == 0 {
			delete(f.streams, member)
		}
	}, true
}

type feed struct {
	stop     context.CancelFunc
	watchers map[chan seen]struct{}
	last     *seen
}

// watch follows a case until stop is called. The channel has the latest look alone:
// who is slow misses what has passed.
func (f *feeds) watch(caseID string) (latest <-chan seen, stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shared := f.byCase[caseID]
	if shared == nil {
		ctx, cancel := context.WithCancel(context.Background())
		shared = &feed{stop: cancel, watchers: map[chan seen]struct{}{}}
		f.byCase[caseID] = shared
		go f.poll(ctx, caseID, shared)
	}
	ch := make(chan seen, 1)
	shared.watchers[ch] = struct{}{}
	if shared.last != nil {
		ch <- *shared.last
	}
	return ch, func() { f.leave(caseID, shared, ch) }
}

// leave stops to follow; the last one turns off the light.
func (f *feeds) leave(caseID string, shared *feed, ch chan seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(shared.watchers, ch)
	if len(shared.watchers) == 0 {
		shared.stop()
		if f.byCase[caseID] == shared {
			delete(f.byCase, caseID)
		}
	}
}

// poll looks at the case until nobody follows it, or it has closed.
func (f *feeds) poll(ctx context.Context, caseID string, shared *feed) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		row, err := f.read(ctx, caseID)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.failed(caseID, err) // those who watch keep what they have until it works again
		default:
			if f.tell(shared, look(row)) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tell tells everybody what has changed, and reports whether nothing more will.
func (f *feeds) tell(shared *feed, s seen) (closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shared.last != nil && shared.last.id == s.id {
		return s.closed
	}
	shared.last = &s
	for ch := range shared.watchers {
		select {
		case <-ch: // what was not taken is not the latest any more
		default:
		}
		ch <- s
	}
	return s.closed
}

func look(row offboarding.CaseRow) seen {
	data, err := json.Marshal(row)
	if err != nil {
		panic(err) // a row of ours is always JSON
	}
	sum := sha256.Sum256(data)
	return seen{id: hex.EncodeToString(sum[:12]), data: data, closed: row.ClosedAt != nil}
}
