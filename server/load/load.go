// Package load bounds what a process answers at once. Whoever comes past the bounds is
// told to come again, soon and before anything has been done for them; who was let in is
// answered.
package load

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Options are the bounds.
type Options struct {
	// Requests is how many are answered at once; as many more wait for a place. 0 is no
	// limit, of streams either.
	Requests int
	// Streams is how many answers go on at once for as long as their reader listens.
	Streams int
	// Wait is how long a request waits for a place at most.
	Wait time.Duration
}

// Gate lets requests in.
type Gate struct {
	places, queue, streams chan struct{}
	wait                   time.Duration
	share                  int // places that one caller may have

	mu      sync.Mutex
	callers map[string]int // places of each
}

// New returns a gate. No caller has more than a quarter of its places.
func New(o Options) *Gate {
	return &Gate{
		places: make(chan struct{}, o.Requests), queue: make(chan struct{}, o.Requests), streams: make(chan struct{}, o.Streams),
		wait: o.Wait, share: max(1, o.Requests/4), callers: map[string]int{},
	}
}

// pass is what a request has of a gate while it is answered.
type pass struct {
	gate      *Gate
	caller    string // "" until it is known
	placed    bool
	streaming bool
}

type passKey struct{}

// Admit lets requests through to next, in the order in which they come. Those that find
// no place in time are refused.
func (g *Gate) Admit(next, refused http.Handler) http.Handler {
	if cap(g.places) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.enter(r.Context()) {
			refused.ServeHTTP(w, r)
			return
		}
		p := &pass{gate: g, placed: true}
		defer p.end()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), passKey{}, p)))
	})
}

// enter takes a place, or waits for one in the queue.
func (g *Gate) enter(ctx context.Context) bool {
	if len(g.queue) == 0 { // nobody is in front
		select {
		case g.places <- struct{}{}:
			return true
		default:
		}
	}
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		return false
	}
	wait := time.NewTimer(g.wait)
	defer wait.Stop()
	select {
	case g.places <- struct{}{}:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

// leave gives the place back.
func (p *pass) leave() {
	if !p.placed {
		return
	}
	p.placed = false
	<-p.gate.places
	if p.caller == "" {
		return
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if p.gate.callers[p.caller]--; p.gate.callers[p.caller] == 0 {
		delete(p.gate.callers, p.caller)
	}
}

func (p *pass) end() {
	p.leave()
	if p.streaming {
		<-p.gate.streams
	}
}

// TooMany is the text for a caller who has as many places as anybody may.
const TooMany = "too many requests of one caller at once; send the next when one is answered"

// TooManyStreams is the text where a process has as many streams as it may.
const TooManyStreams = "the server has as many streams as it can have at once"

// By says whose the request of a context is. It reports false where the caller has as
// many places as anybody may.
func By(ctx context.Context, caller string) bool {
	p, ok := ctx.Value(passKey{}).(*pass)
	if !ok || p.caller != "" {
		return true
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if p.gate.callers[caller] >= p.gate.share {
		return false
	}
	p.gate.callers[caller]++
	p.caller = caller
	return true
}

// Stream makes the answer to the request of a context one that goes on: it gives up its
// place, and takes one of those for streams until it ends. It reports false where there
// is none.
func Stream(ctx context.Context) bool {
	p, ok := ctx.Value(passKey{}).(*pass)
	if !ok || p.streaming {
		return true
	}
	select {
	case p.gate.streams <- struct{}{}:
	default:
		return false
	}
	p.streaming = true
	p.leave()
	return true
}
