package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"handover/server/problem"
)

// AccessPublic is anybody: the route itself finds out who is calling.
const AccessPublic Access = "public"

// maxForm bounds a form, in bytes.
const maxForm = 16 << 10

// formFields are the fields of a form, each with its only value, "" for any.
type formFields [][2]string

// public adds a route of OAuth, whose caller is found by its own rules and whose errors have
// OAuth's form.
func public[O any](a *API, form formFields, op huma.Operation, handle func(context.Context, *FormInput) (*O, error)) {
	a.Routes = append(a.Routes, Route{Method: op.Method, Path: op.Path, Access: AccessPublic})
	op.Security = []map[string][]string{{"basic": {}}, {}}
	op.Errors = append(op.Errors, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	op.MaxBodyBytes, op.DefaultStatus = maxForm, http.StatusOK
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[OAuthError](), true, "OAuthError")
	op.Responses = map[string]*huma.Response{}
	for status, text := range map[string]string{"400": "The request is malformed", "401": "The client is not known, or no longer active"} {
		op.Responses[status] = &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *FormInput) (*O, error) {
		out, err := handle(ctx, in)
		var oauth *OAuthError
		switch {
		case errors.As(err, &oauth):
			return nil, oauth
		case err != nil:
			return nil, problem.From(ctx, a.log, err)
		}
		return out, nil
	})
	describeForm(a, op.Path, form)
	a.huma.OpenAPI().Paths[op.Path].Post.RequestBody.Required = false // or huma answers an empty one, and not as OAuth does
}

// describeForm says in the API's description what the form of a POST has in it.
func describeForm(a *API, path string, form formFields) {
	schema := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}}
	for _, field := range form {
		s := &huma.Schema{Type: huma.TypeString}
		if field[1] != "" {
			s.Enum = []any{field[1]}
		}
		schema.Properties[field[0]] = s
	}
	schema.Required = []string{form[0][0]}
	a.huma.OpenAPI().Paths[path].Post.RequestBody.Content[formType] = &huma.MediaType{Schema: schema}
}
