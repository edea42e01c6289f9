package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"handover/server/problem"
)

// get asks the API. out is what the answer is read into.
func (v *visit) get(path string, query url.Values, out any) error {
	return v.call(http.MethodGet, path, query, nil, out)
}

// post asks the API to do something, or for an answer that takes a body; the key of the
// form that was sent makes it be done once. A nil out reads no answer.
func (v *visit) post(path string, body, out any) error {
	return v.call(http.MethodPost, path, nil, body, out)
}

// call is a request of the API by the person who looks. It returns a *problem.Problem
// where the API refuses.
func (v *visit) call(method, path string, query url.Values, body, out any) error {
	_, err := v.callWith(nil, method, path, query, body, out)
	return err
}

// callWith is call with further headers. It returns those of the answer.
func (v *visit) callWith(header http.Header, method, path string, query url.Values, body, out any) (http.Header, error) {
	target := path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var sent bytes.Buffer
	kind := "application/json"
	if raw, ok := body.(rawBody); ok {
		kind = raw.kind
		sent.WriteString(raw.text)
	} else if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return nil, fmt.Errorf("what the API is asked: %w", err)
		}
	}
	asked := sent.String()
	r, err := http.NewRequestWithContext(v.r.Context(), method, target, &sent)
	if err != nil {
		return nil, fmt.Errorf("a request of the API: %w", err)
	}
	maps.Copy(r.Header, header)
	if body != nil {
		r.Header.Set("Content-Type", kind)
	} else {
		r.Body = http.NoBody
	}
	if key := v.Value("key"); method != http.MethodGet && key != "" {
		// One form may do several things, each once; and who goes back in the browser and
		// sends it again with something else typed has something else done.
		r.Header.Set("Idempotency-Key", uuid.NewSHA1(uuid.NameSpaceURL, []byte(fmt.Sprintln(key, method, target, header, asked))).String())
	}
	r.RemoteAddr = v.r.RemoteAddr
	a := &answer{header: http.Header{}}
	v.api.ServeHTTP(a, r)
	err = a.read(method+" "+path, out)
	var refused *problem.Problem
	if errors.As(err, &refused) {
		err = v.worded(refused)
	}
	return a.header, err
}

// rawBody is a body that is not JSON.
type rawBody struct{ kind, text string }

// at is a path of the API with IDs in it, in the places of %s.
func at(format string, ids ...string) string {
	escaped := make([]any, len(ids))
	for i, id := range ids {
		escaped[i] = url.PathEscape(id)
		if strings.Trim(id, ".") == "" {
			escaped[i] = "-" // it would be another path
		}
	}
	return fmt.Sprintf(format, escaped...)
}

// answer keeps what the API answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) read(request string, out any) error {
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	switch {
	case kind == problem.ContentType:
		var p problem.Problem
		if err := json.Unmarshal(a.body.Bytes(), &p); err != nil {
			return fmt.Errorf("%s: a problem that cannot be read: %w", request, err)
		}
		if after := a.header.Get("Retry-After"); after != "" {
			return p.With("Retry-After", after)
		}
		return &p
	case a.status >= http.StatusMultipleChoices:
		return fmt.Errorf("%s: answered %d", request, a.status)
	case out == nil || a.body.Len() == 0:
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), out); err != nil {
		return fmt.Errorf("%s: an answer that cannot be read: %w", request, err)
	}
	return nil
}
