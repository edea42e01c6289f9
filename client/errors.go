package client

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	temporal "go.temporal.io/sdk/client"

	"handover/activities"
	"handover/offboarding"
)

// ErrAway is what a connection answers that knows that the Temporal server is away: to
// send again at once is of no use.
var ErrAway = errors.New("the Temporal server is away")

// Error is a failure that no rule explains: what was being done and, in words
// that can be shown, why it did not work. Raw has the engine's own error for
// those who look at the process itself.
type Error struct {
	Op          string // what was being done
	Reason      string // why it did not work
	Unavailable bool   // nothing was decided for certain: asking again may help
	away        bool   // but not at once
	raw         error
}

// Error says what failed, without the engine's text.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Op, e.Reason) }

// Raw is the engine's own error.
func (e *Error) Raw() error { return e.raw }

// Unwrap keeps a canceled or expired context recognizable.
func (e *Error) Unwrap() error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(e.raw, known) {
			return known
		}
	}
	return nil
}

// clean makes an error of the engine safe and typed.
func clean(op string, err error) error {
	if err == nil {
		return nil
	}
	if refusal := activities.RefusalFrom(err); refusal != nil {
		return refusal
	}
	var (
		notFound    *serviceerror.NotFound
		namespace   *serviceerror.NamespaceNotFound
		unavailable *serviceerror.Unavailable
		deadline    *serviceerror.DeadlineExceeded
		canceled    *serviceerror.Canceled
		exhausted   *serviceerror.ResourceExhausted
		denied      *serviceerror.PermissionDenied
		notReady    *serviceerror.WorkflowNotReady
		queryFailed *serviceerror.QueryFailed
		noWait      *temporal.WorkflowUpdateServiceTimeoutOrCanceledError
	)
	result := &Error{Op: op, raw: err}
	switch {
	case errors.Is(err, ErrAway):
		result.Reason, result.Unavailable, result.away = "Temporal cannot be reached", true, true
	case errors.As(err, &notFound):
		return offboarding.Refuse("", offboarding.CodeCaseNotFound, "", "no case is running under that name")
	case errors.As(err, &namespace):
		result.Reason = "the Temporal namespace does not exist"
	case errors.As(err, &denied):
		result.Reason = "Temporal does not allow it"
	case errors.As(err, &noWait), errors.As(err, &deadline), errors.As(err, &canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled):
		result.Reason, result.Unavailable = "no answer in time; what was sent may still take effect", true
	case errors.As(err, &unavailable):
		result.Reason, result.Unavailable = "Temporal cannot be reached", true
	case errors.As(err, &exhausted):
		result.Reason, result.Unavailable = "Temporal is busy; try again", true
	case errors.As(err, &notReady), errors.As(err, &queryFailed):
		result.Reason, result.Unavailable = "the case cannot answer right now", true
	default:
		result.Reason = "it failed inside; the worker's log says why"
	}
	return result
}
