package api

import (
	"context"
	"errors"
	"net/http"

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
	op.Security = []map[string][]string{{"basic": {}}, {"bearer": {}}}
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	// Before the input is parsed: who may not call learns nothing about it.
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		if _, err := a.admit(hc.Context(), access); err != nil {
			r, w := humago.Unwrap(hc)
			problem.Write(w, r, a.log, err) // with its headers, which huma leaves out here
			return
		}
		next(hc)
	})
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		caller, err := a.admit(ctx, access)
		if err != nil {
			return nil, err
		}
		out, err := handle(ctx, caller, in)
		if err != nil {
			return nil, problem.From(ctx, a.log, err)
		}
		return out, nil
	})
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
