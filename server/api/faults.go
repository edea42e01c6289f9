package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/problem"
)

// fromHuma makes a problem of what huma has found, each field at fault named as the
// request has it.
func fromHuma(ctx context.Context, status int, message string, errs []error) huma.StatusError {
	code := codeOfStatus(status)
	var violations []offboarding.Violation
	for _, err := range errs {
		var p *problem.Problem
		if errors.As(err, &p) {
			return p
		}
		v := offboarding.Violation{Code: code, Message: err.Error()}
		var detail huma.ErrorDetailer
		if errors.As(err, &detail) {
			d := detail.ErrorDetail()
			v.Field = fieldOf(d.Location)
			v.Message = d.Message // without the value, which may be somebody's address
		}
		violations = append(violations, v)
	}
	if len(violations) == 0 {
		violations = []offboarding.Violation{{Code: code, Message: message}}
	}
	p := problem.Of(ctx, violations)
	if status == http.StatusNotModified {
		p.Status = status
	}
	return p
}

// pathFields are the contract's names of what the path of a route names as {id}.
var pathFields = []string{
	"member_id", "document_id", "request_id", "case_id", "bulk_id", "hold_id", "workspace_id", "client_id", "webhook_id",
}

// inWordsOf names the fields at fault as requests of a route have them. Who asks is
// the caller, and no field.
func inWordsOf(op huma.Operation, err error) error {
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	out := &offboarding.Refusal{Violations: slices.Clone(refusal.Violations)}
	for i := range out.Violations {
		switch v := &out.Violations[i]; {
		case v.Field == "requested_by" || v.Field == "admin_id":
			v.Field = ""
		case strings.Contains(op.Path, "/{id}") && slices.Contains(pathFields, v.Field):
			v.Field = "id"
		}
	}
	return out
}

// fieldOf turns "body.grace_period" into "grace_period".
func fieldOf(location string) string {
	for _, in := range []string{"body.", "path.", "query.", "header.", "cookie."} {
		if field, ok := strings.CutPrefix(location, in); ok {
			return field
		}
	}
	return location
}

func codeOfStatus(status int) offboarding.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestTimeout:
		return offboarding.CodeInvalidArgument
	case http.StatusUnauthorized:
		return problem.CodeUnauthenticated
	case http.StatusForbidden:
		return offboarding.CodeNotAuthorized
	case http.StatusNotFound:
		return problem.CodeNotFound
	case http.StatusMethodNotAllowed:
		return problem.CodeMethodNotAllowed
	case http.StatusNotAcceptable:
		return problem.CodeNotAcceptable
	case http.StatusRequestEntityTooLarge:
		return problem.CodeTooLarge
	case http.StatusUnsupportedMediaType:
		return problem.CodeMediaType
	}
	return problem.CodeInternal
}
