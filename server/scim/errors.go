package scim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	scimerrors "github.com/elimity-com/scim/errors"

	"handover/client"
	"handover/offboarding"
	"handover/server/auth"
	"handover/server/load"
	"handover/server/problem"
)

// contentType of every answer.
const contentType = "application/scim+json"

// failure is an answer that says what went wrong (RFC 7644, 3.12).
type failure struct {
	status     int
	scimType   scimerrors.ScimType
	detail     string
	retryAfter int // seconds, 0 for none
}

func (f *failure) Error() string { return f.detail }

// retryIn is after how many seconds the provider is asked to come again.
const retryIn = 5

func fail(status int, scimType scimerrors.ScimType, detail string) *failure {
	return &failure{status: status, scimType: scimType, detail: detail}
}

// failureOf makes an answer of any error. A rule's refusal is told with its code;
// what is not meant for others is logged, and answered without its text.
func (s *Server) failureOf(ctx context.Context, err error) *failure {
	var (
		own     *failure
		library scimerrors.ScimError
		refusal *offboarding.Refusal
		engine  *client.Error
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &library):
		return fail(library.Status, library.ScimType, library.Detail)
	case errors.As(err, &refusal):
		return refused(refusal)
	case errors.As(err, &engine) && engine.Unavailable:
		s.log.WarnContext(ctx, "no answer from the engine", "error", err, "ref_id", problem.RefID(ctx))
		return unavailable(engine.Reason)
	case problem.Unavailable(err):
		s.log.WarnContext(ctx, "no answer from the database", "error", err, "ref_id", problem.RefID(ctx))
		return unavailable("the database does not answer, or has no time; what was sent may still take effect")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable("no answer in time; what was sent may still take effect")
	}
	s.log.ErrorContext(ctx, "a SCIM request failed inside", "error", err, "ref_id", problem.RefID(ctx))
	return fail(http.StatusInternalServerError, "", "it failed inside; the server's log says why under "+problem.RefID(ctx))
}

// limited is the answer to who asks too often.
func limited(quota auth.Quota) *failure {
	f := fail(http.StatusTooManyRequests, "", "rate_limited: too many requests; the header Retry-After says how many seconds to wait")
	f.retryAfter = quota.RetryAfter()
	return f
}

// tooManyAtOnce is the answer to who has as many requests answered as anybody may.
func tooManyAtOnce() *failure {
	f := fail(http.StatusTooManyRequests, "", "rate_limited: "+load.TooMany)
	f.retryAfter = retryIn
	return f
}

func unavailable(reason string) *failure {
	return &failure{
		status: http.StatusServiceUnavailable, detail: string(offboarding.CodeTryAgain) + ": " + reason, retryAfter: retryIn,
	}
}

// refused is a refusal: the status of its code (server/problem), and a scimType
// where RFC 7644 has one.
func refused(r *offboarding.Refusal) *failure {
	f := fail(problem.MeaningOf(r.Code()).Status, "", r.Error())
	switch r.Code() {
	case offboarding.CodeInvalidArgument:
		f.scimType = scimerrors.ScimTypeInvalidValue
		if slices.ContainsFunc(r.Violations, func(v offboarding.Violation) bool { return v.Field == "filter" }) {
			f.scimType = scimerrors.ScimTypeInvalidFilter
		}
	case offboarding.CodeAlreadyExists:
		f.scimType = scimerrors.ScimTypeUniqueness
	case offboarding.CodeTryAgain:
		f.retryAfter = retryIn
	}
	return f
}

// write answers with the failure.
func (f *failure) write(w http.ResponseWriter) {
	body, _ := json.Marshal(scimerrors.ScimError{ScimType: f.scimType, Detail: f.detail, Status: f.status}) // has nothing that cannot be
	w.Header().Set("Content-Type", contentType)
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // the caller has gone; nobody is left to tell
}
