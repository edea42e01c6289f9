package problem

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
)

// HeaderRequestID carries the request's ID in every answer.
const HeaderRequestID = "X-Request-Id"

type requestKey struct{}

// request is what is known of a request while it is answered.
type request struct{ id, route string }

// RefID is the ID of the request that a context belongs to, "" outside of one.
func RefID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.id
	}
	return ""
}

// SetRoute says which route answers, for the log.
func SetRoute(ctx context.Context, route string) {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		r.route = route
	}
}

// Track gives each request an ID, logs how it was answered, and answers where a
// handler panics. Paths and queries are not logged: they may hold addresses.
func Track(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := uuid.Must(uuid.NewV7()).String()
		known := &request{id: id}
		ctx := context.WithValue(r.Context(), requestKey{}, known)
		r = r.WithContext(ctx)
		guard(w.Header(), id)
		t := &tracked{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
					panic(p)
				}
				log.ErrorContext(ctx, "a handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()), "ref_id", id)
				if t.status == 0 {
					Write(t, r, log, New(ctx, CodeInternal, "it failed inside; the server's log says why under this refId"))
				}
			}
			log.InfoContext(ctx, "request", "method", r.Method, "route", known.route, "status", t.status,
				"duration_ms", time.Since(start).Milliseconds(), "ref_id", id)
		}()
		next.ServeHTTP(t, r)
	})
}

// guard sets what every answer has unless its handler knows better: it is shown in no
// frame, taken for nothing but what it says it is, and kept by nobody.
func guard(header http.Header, id string) {
	header.Set(HeaderRequestID, id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
}

// tracked remembers the status of an answer.
type tracked struct {
	http.ResponseWriter
	status int
}

func (t *tracked) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracked) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }
