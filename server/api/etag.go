package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// conditional is a mux whose answers to reads in JSON carry an ETag, so that who
// polls is answered 304 while nothing has changed. Whether the caller may read it is
// judged as ever before that. All other answers are kept by nobody.
type conditional struct{ *http.ServeMux }

// HandleFunc registers a handler.
func (m conditional) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	m.ServeMux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Add("Vary", "Authorization, Cookie")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			handler(w, r)
			return
		}
		t := &tagging{ResponseWriter: w, request: r}
		handler(t, r) // where it panics, what it has begun is not an answer
		t.finish()
	})
}

// tagging keeps an answer in JSON back until it is complete; everything else, such as
// a stream, passes.
type tagging struct {
	http.ResponseWriter
	request *http.Request
	status  int
	held    bool
	body    bytes.Buffer
}

// WriteHeader decides what happens to the answer.
func (t *tagging) WriteHeader(status int) {
	if t.status != 0 {
		return
	}
	t.status = status
	kind, _, _ := strings.Cut(t.Header().Get("Content-Type"), ";")
	if t.held = status == http.StatusOK && (kind == "application/json" || strings.HasSuffix(kind, "+json")); !t.held {
		t.ResponseWriter.WriteHeader(status)
	}
}

func (t *tagging) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	if t.held {
		return t.body.Write(p)
	}
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (t *tagging) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// finish sends what was kept back, or says that the caller has it.
func (t *tagging) finish() {
	if !t.held {
		return
	}
	sum := sha256.Sum256(t.body.Bytes())
	tag := `W/"` + hex.EncodeToString(sum[:16]) + `"`
	t.Header().Set("ETag", tag)
	t.Header().Set("Cache-Control", "private, no-cache") // may be kept, and is asked for again each time
	if matches(t.request.Header.Values("If-None-Match"), tag) {
		t.Header().Del("Content-Type")
		t.ResponseWriter.WriteHeader(http.StatusNotModified)
		return
	}
	t.ResponseWriter.WriteHeader(t.status)
	_, _ = t.ResponseWriter.Write(t.body.Bytes()) // the caller has gone; nobody is left to tell
}

// matches compares weakly (RFC 9110, 13.1.2).
func matches(headers []string, tag string) bool {
	for _, header := range headers {
		for _, one := range strings.Split(header, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || "W/"+strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}
