package auth

import (
	"container/list"
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"handover/server/problem"
)

// maxKeys bounds what a limiter remembers; the key that was not used for the longest
// time is forgotten, and begins anew.
const maxKeys = 50_000

// Limiter lets each key do so much a second, and a burst at once (token bucket). It
// counts for this process alone.
type Limiter struct {
	rate  rate.Limit
	burst int

	mu   sync.Mutex
	keys map[string]*list.Element
	used *list.List // of *bucket, the last used in front
}

type bucket struct {
	key     string
	limiter *rate.Limiter
}

// NewLimiter lets each key do so much a second, and as many as burst at once. A
// rate of 0 or less is no limit.
func NewLimiter(perSecond float64, burst int) *Limiter {
	return &Limiter{rate: rate.Limit(perSecond), burst: burst, keys: map[string]*list.Element{}, used: list.New()}
}

// Quota is what a key has left.
type Quota struct {
	OK        bool
	limit     int
	window    time.Duration // in which an empty bucket fills
	remaining int
	retry     time.Duration // until there is one again
}

// Take takes one from the key's bucket, if there is one.
func (l *Limiter) Take(key string, at time.Time) Quota { return l.ask(key, at, true) }

// Look says what Take would find, and takes nothing.
func (l *Limiter) Look(key string, at time.Time) Quota { return l.ask(key, at, false) }

func (l *Limiter) ask(key string, at time.Time, take bool) Quota {
	if l.rate <= 0 {
		return Quota{OK: true}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	element, known := l.keys[key]
	if known {
		l.used.MoveToFront(element)
	} else {
		element = l.used.PushFront(&bucket{key, rate.NewLimiter(l.rate, l.burst)})
		l.keys[key] = element
		if l.used.Len() > maxKeys {
			oldest := l.used.Back()
			delete(l.keys, l.used.Remove(oldest).(*bucket).key) //nolint:errcheck // the list holds nothing else
		}
	}
	b := element.Value.(*bucket).limiter //nolint:errcheck // the list holds nothing else
	q := Quota{OK: b.TokensAt(at) >= 1, limit: l.burst, window: time.Duration(float64(l.burst) / float64(l.rate) * float64(time.Second))}
	if take {
		q.OK = b.AllowN(at, 1)
	}
	left := b.TokensAt(at)
	q.remaining = max(0, int(left))
	q.retry = time.Duration(math.Max(0, 1-left) / float64(l.rate) * float64(time.Second))
	return q
}

// Head writes what is left into an answer's headers (draft-ietf-httpapi-ratelimit-headers).
func (q Quota) Head(h http.Header) {
	if q.limit == 0 {
		return
	}
	h.Set("RateLimit-Policy", fmt.Sprintf(`"caller";q=%d;w=%d`, q.limit, seconds(q.window)))
	h.Set("RateLimit", fmt.Sprintf(`"caller";r=%d;t=%d`, q.remaining, seconds(q.retry)))
}

// Problem is the answer where nothing is left.
func (q Quota) Problem(ctx context.Context) *problem.Problem {
	return problem.New(ctx, problem.CodeRateLimited, "too many requests; the header Retry-After says how many seconds to wait").
		With("Retry-After", strconv.Itoa(q.RetryAfter()))
}

// RetryAfter is how many seconds to wait, 1 at least.
func (q Quota) RetryAfter() int { return max(1, seconds(q.retry)) }

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
