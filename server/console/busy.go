package console

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"handover/offboarding"
	"handover/server/problem"
)

// Busy tells somebody who looks with a browser that they have to wait, and why. It
// reports false, and answers nothing, where a program asks or no page is asked for.
func (c *Console) Busy(w http.ResponseWriter, r *http.Request, err error) bool {
	ours := r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, Path) || strings.HasPrefix(r.URL.Path, "/auth/")
	if !ours || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	c.begun(w, r).fail(err, "busy")
	return true
}

// Wait is how many seconds somebody is asked to wait.
func (v *visit) Wait(p *problem.Problem) int {
	seconds, _ := strconv.Atoi(p.GetHeaders().Get("Retry-After")) // it is ours
	return max(1, seconds)
}

// Starting answers in the place of the console while the server waits for what it needs.
// next answers programs.
func Starting(log *slog.Logger, next http.Handler) http.Handler {
	c := bare(log, time.Now)
	mux := http.NewServeMux()
	mux.Handle("GET "+Path+"static/{file}", static())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		starting := problem.New(r.Context(), offboarding.CodeTryAgain, "the server is starting").With("Retry-After", "1")
		if !c.Busy(w, r, starting) {
			next.ServeHTTP(w, r)
		}
	})
	return mux
}
