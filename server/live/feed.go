// Package live tells who watches something that it has changed, as server-sent
// events.
package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// pollEvery is how often what somebody watches is looked at.
const pollEvery = 500 * time.Millisecond

// lookWithin is how long a look may take.
const lookWithin = 10 * time.Second

// maxStreams is how many streams a member may have at once, in a process: each is a
// connection, and what is watched is looked at again and again.
const maxStreams = 50

// Seen is what those who watch see.
type Seen struct {
	id   string // the same while nothing changes
	data []byte
	last bool // nothing will change any more
}

// See is a look at something; data is one line. last says that nothing will change
// any more.
func See(data []byte, last bool) Seen {
	sum := sha256.Sum256(data)
	return Seen{id: hex.EncodeToString(sum[:12]), data: data, last: last}
}

// ID names what is seen: the same while nothing changes.
func (s Seen) ID() string { return s.id }

// Last reports whether nothing will change any more.
func (s Seen) Last() bool { return s.last }

// Feeds let all who watch the same thing share one look at it.
type Feeds struct {
	mu      sync.Mutex
	feeds   map[string]*feed
	streams map[string]int // by member
	read    func(ctx context.Context, key string) (Seen, error)
	failed  func(key string, err error)
	within  time.Duration // eventWithin, but in tests
}

// NewFeeds returns feeds of what read reads; failed is told when it could not.
func NewFeeds(read func(ctx context.Context, key string) (Seen, error), failed func(key string, err error)) *Feeds {
	return &Feeds{feeds: map[string]*feed{}, streams: map[string]int{}, read: read, failed: failed, within: eventWithin}
}

// Enter counts the streams of a member, until leave is called; there are so many at most.
func (f *Feeds) Enter(member string) (leave func(), ok bool) {
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
	watchers map[chan Seen]struct{}
	last     *Seen
}

// watch follows something until stop is called. The channel has the latest look alone:
// who is slow misses what has passed.
func (f *Feeds) watch(key string) (latest <-chan Seen, stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shared := f.feeds[key]
	if shared == nil {
		ctx, cancel := context.WithCancel(context.Background())
		shared = &feed{stop: cancel, watchers: map[chan Seen]struct{}{}}
		f.feeds[key] = shared
		go f.poll(ctx, key, shared)
	}
	ch := make(chan Seen, 1)
	shared.watchers[ch] = struct{}{}
	if shared.last != nil {
		ch <- *shared.last
	}
	return ch, func() { f.leave(key, shared, ch) }
}

// leave stops to follow; the last one turns off the light.
func (f *Feeds) leave(key string, shared *feed, ch chan Seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(shared.watchers, ch)
	if len(shared.watchers) == 0 {
		shared.stop()
		if f.feeds[key] == shared {
			delete(f.feeds, key)
		}
	}
}

// poll looks until nobody follows, or nothing will change any more.
func (f *Feeds) poll(ctx context.Context, key string, shared *feed) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		// Not cut off where the last one leaves: a query that is canceled costs its connection.
		look, done := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
		seen, err := f.read(look, key)
		done()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.failed(key, err) // those who watch keep what they have until it works again
		default:
			if f.tell(shared, seen) {
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
func (f *Feeds) tell(shared *feed, s Seen) (last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shared.last != nil && shared.last.id == s.id {
		return s.last
	}
	shared.last = &s
	for ch := range shared.watchers {
		select {
		case <-ch: // what was not taken is not the latest any more
		default:
		}
		ch <- s
	}
	return s.last
}
