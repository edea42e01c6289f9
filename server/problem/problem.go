// Package problem answers with what went wrong, as RFC 9457 has it, and keeps
// track of requests: each has an ID, which its problem carries as refId and its
// line in the log too.
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"handover/client"
	"handover/offboarding"
)

// ContentType of a problem.
const ContentType = "application/problem+json"

// Problem is an answer that says what went wrong (RFC 9457).
type Problem struct {
	Type      string           `json:"type" format:"uri-reference" doc:"Where the code is explained" example:"/docs#last_owner"`
	Title     string           `json:"title" doc:"The same for every occurrence of the code" example:"The last active owner stays"`
	Status    int              `json:"status" doc:"The HTTP status" example:"409"`
	Detail    string           `json:"detail" doc:"What went wrong this time, for a person" example:"the last active owner of an organization cannot be offboarded"`
	Message   string           `json:"message" doc:"The same as detail"`
	Code      offboarding.Code `json:"code" doc:"Stable code of the first thing that is wrong" example:"last_owner"`
	ErrorCode int              `json:"errorCode" doc:"Stable number of the code" example:"2005"`
	RefID     string           `json:"refId" doc:"ID of this occurrence, also in the server's log" example:"01a1ffde-c038-72a2-abd3-2ee046c7cc2d"`
	Errors    []Fault          `json:"errors" doc:"Everything that is wrong, the first one in front"`

	header http.Header
}

// Fault is one field or rule at fault.
type Fault struct {
	Rule      string           `json:"rule,omitempty" doc:"Number of the rule" example:"A3"`
	Code      offboarding.Code `json:"code" doc:"Stable code" example:"last_owner"`
	ErrorCode int              `json:"errorCode" doc:"Stable number of the code" example:"2005"`
	Field     string           `json:"field,omitempty" doc:"The field at fault" example:"member_id"`
	Message   string           `json:"message" doc:"One sentence for a person" example:"the last active owner of an organization cannot be offboarded"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are further headers of the answer, for huma.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is the media type, for huma.
func (p *Problem) ContentType(string) string { return ContentType }

// With adds a header to the answer.
func (p *Problem) With(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// New is a problem with one fault.
func New(ctx context.Context, code offboarding.Code, message string) *Problem {
	return Of(ctx, []offboarding.Violation{{Code: code, Message: message}})
}

// From makes a problem of any error. Refusals say what they say; everything else
// is logged with the request's ID and answered without its text.
func From(ctx context.Context, log *slog.Logger, err error) *Problem {
	var (
		problem *Problem
		refusal *offboarding.Refusal
		engine  *client.Error
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &refusal):
		return Of(ctx, refusal.Violations)
	case errors.As(err, &engine) && engine.Unavailable:
		log.WarnContext(ctx, "no answer from the engine", "error", err, "ref_id", RefID(ctx))
		return New(ctx, offboarding.CodeTryAgain, engine.Reason).With("Retry-After", "1")
	case Unavailable(err):
		log.WarnContext(ctx, "no answer from the database", "error", err, "ref_id", RefID(ctx))
		return New(ctx, offboarding.CodeTryAgain, "the database does not answer, or has no time; what was sent may still take effect").With("Retry-After", "1")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return New(ctx, offboarding.CodeTryAgain, "no answer in time; what was sent may still take effect").With("Retry-After", "1")
	}
	log.ErrorContext(ctx, "a request failed inside", "error", err, "ref_id", RefID(ctx))
	return New(ctx, CodeInternal, "it failed inside; the server's log says why under this refId")
}

// Unavailable reports whether an error of the store, which this package does not know,
// says that the database could not be asked.
func Unavailable(err error) bool {
	var store interface{ Unavailable() bool }
	return errors.As(err, &store) && store.Unavailable()
}

// Of is a problem made of violations.
func Of(ctx context.Context, violations []offboarding.Violation) *Problem {
	p := &Problem{RefID: RefID(ctx), Errors: make([]Fault, len(violations))}
	for i, v := range violations {
		p.Errors[i] = Fault{Rule: v.Rule, Code: v.Code, ErrorCode: MeaningOf(v.Code).Number, Field: v.Field, Message: v.Message}
	}
	first := MeaningOf(CodeInternal)
	if len(violations) > 0 {
		first = MeaningOf(violations[0].Code)
		p.Detail = violations[0].Message
	}
	p.Message = p.Detail
	p.Type, p.Title, p.Status, p.Code, p.ErrorCode = "/docs#"+string(first.Code), first.Title, first.Status, first.Code, first.Number
	return p
}

// Write answers a request with the problem that an error is.
func Write(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	p := From(r.Context(), log, err)
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller has gone; nobody is left to tell
}
