package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// Access says who may call a route. The zero value is nobody: a route that does not
// say who may call it is refused when it is registered.
type Access string

// The accesses. What a caller may do within a route is for the rules.
const (
	// AccessMember is any active member; the rules judge what they ask for.
	AccessMember Access = "member"
	// AccessAdmin is an owner or admin of the organization, or of one above it.
	AccessAdmin Access = "admin"
)

// Route is a route and who may call it.
type Route struct {
	Method, Path string
	Access       Access
}

// register adds a route. op needs Method, Path, OperationID, Summary, Description and Tags. The
// handler is called with the caller, who has the access; its errors become problems.
func register[I, O any](a *API, access Access, op huma.Operation, handle func(context.Context, *auth.Caller, *I) (*O, error)) {
	if access != AccessMember && access != AccessAdmin {
		panic(op.Method + " " + op.Path + " does not say who may call it")
	}
	a.Routes = append(a.Routes, Route{Method: op.Method, Path: op.Path, Access: access})
	op.Security = []map[string][]string{{"basic": {}}, {"bearer": {}}, {"session": {}}}
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	write := writes(op)
	if write {
		describeKey(&op)
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = -1 // read below; huma's deadline would go on and end the request
	// Before the input is parsed: who may not call learns nothing about it.
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		if _, err := a.admit(hc.Context(), access); err != nil {
			r, w := humago.Unwrap(hc)
			problem.Write(w, r, a.log, err) // with its headers, which huma leaves out here
			return
		}
		a.readBody(hc, func(hc huma.Context) {
			if write {
				a.once(hc, next)
				return
			}
			next(hc)
		})
	})
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		caller, err := a.admit(ctx, access)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, answerWithin) // a stream that it returns goes on without
		defer cancel()
		out, err := handle(ctx, caller, in)
		if err != nil {
			return nil, problem.From(ctx, a.log, inWordsOf(op, err))
		}
		keep(ctx, out)
		return out, nil
	})
	statuses, _ := op.Metadata[metaStatuses].([]int)
	for _, status := range statuses {
		same := *op.Responses[strconv.Itoa(cmp.Or(op.DefaultStatus, http.StatusOK))]
		same.Description = http.StatusText(status)
		op.Responses[strconv.Itoa(status)] = &same
	}
}

// What else is said of a route, in its Metadata.
const (
	metaReads    = "changes nothing"
	metaStatuses = "statuses"
)

// changesNothing marks a POST that only reads: its answers may have names in them,
// and are not kept for repeats.
var changesNothing = map[string]any{metaReads: true}

// alsoAnswers says which statuses a route answers with beside its default.
func alsoAnswers(statuses ...int) map[string]any { return map[string]any{metaStatuses: statuses} }

// answerWithin is how long an answer waits for the database and for a case, or for a
// run of many.
const answerWithin = 30 * time.Second

// Bounds of a request's body, unless a route has others.
const (
	maxBody     = 256 << 10
	bodyTimeout = 10 * time.Second
)

// writes reports whether a route changes something.
func writes(op huma.Operation) bool {
	return op.Method != http.MethodGet && op.Metadata[metaReads] == nil
}

// readBody reads the whole body within the route's bounds.
func (a *API) readBody(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	op := hc.Operation()
	if r.Body == http.NoBody {
		next(hc)
		return
	}
	_ = hc.SetReadDeadline(time.Now().Add(bodyTimeout)) // a connection without deadlines is a test's
	body, err := io.ReadAll(io.LimitReader(r.Body, op.MaxBodyBytes+1))
	_ = hc.SetReadDeadline(time.Time{}) // else it would end the request while it is answered
	switch {
	case int64(len(body)) > op.MaxBodyBytes:
		w.Header().Set("Connection", "close") // the rest of it is not read
		err = offboarding.Refuse("", problem.CodeTooLarge, "", fmt.Sprintf("the body is larger than %d bytes", op.MaxBodyBytes))
	case err != nil:
		err = offboarding.Refuse("", offboarding.CodeInvalidArgument, "", "the body did not arrive whole")
	}
	if err != nil {
		problem.Write(w, r, a.log, err)
		return
	}
	r = r.WithContext(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	next(humago.NewContext(op, r, w))
}

// admit finds the caller and judges whether the route is open to them.
func (a *API) admit(ctx context.Context, access Access) (*auth.Caller, error) {
	caller, err := auth.From(ctx)
	switch {
	case err != nil:
		return nil, problem.From(ctx, a.log, err)
	case caller == nil:
		return nil, problem.New(ctx, problem.CodeUnauthenticated, "send a client ID and secret, a token from /oauth/token, or sign in").
			With("WWW-Authenticate", `Basic realm="handover", Bearer realm="handover"`)
	case len(caller.Organizations) == 0: // a lookup without organizations would look everywhere
		return nil, problem.From(ctx, a.log, errors.New("the caller reaches no organization"))
	case access == AccessAdmin && !caller.Admin():
		return nil, problem.From(ctx, a.log, offboarding.Refuse("A1", offboarding.CodeNotAuthorized, "",
			"only an active owner or admin of the organization, or of an ancestor with enterprise plan manager, may do this"))
	}
	return caller, nil
}
