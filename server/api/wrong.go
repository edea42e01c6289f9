package api

import (
	"errors"

	"handover/offboarding"
	"handover/server/auth"
)

// wrong collects what a request names and cannot be found, so that its sender
// hears about all of it at once.
type wrong struct {
	violations []offboarding.Violation
	failed     error
}

// add keeps what a refusal says, under the name that the field has in the request,
// and reports whether there was no error.
func (w *wrong) add(err error, field string) bool {
	if err == nil {
		return true
	}
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		w.failed = err
		return false
	}
	for _, v := range refusal.Violations {
		if field != "" {
			v.Field = field
		}
		w.violations = append(w.violations, v)
	}
	return false
}

func (w *wrong) err() error {
	if w.failed != nil {
		return w.failed
	}
	return offboarding.RefusalOf(w.violations)
}

// own reads "me".
func own(c *auth.Caller, ref string) string {
	if ref == "me" {
		return c.Member.ID
	}
	return ref
}
