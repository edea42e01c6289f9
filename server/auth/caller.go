// Package auth tells who is calling: API credentials and their tokens, people who
// have signed in, and what each may see.
package auth

import (
	"context"
	"slices"

	"handover/offboarding"
)

// Caller is who makes a request. It acts as a member, with the member's role.
type Caller struct {
	Member offboarding.Member
	// Organizations are the IDs within reach, the member's own first; for an owner
	// or admin also those below it, where it has enterprise plan manager on (rule A1).
	Organizations []string
	CredentialID  string // of a call with an API credential or its token
	SessionID     string // of a person who has signed in
}

// Admin reports whether the caller is an owner or admin.
func (c *Caller) Admin() bool { return c.Member.Role.Admin() }

// Reaches reports whether an organization is within reach.
func (c *Caller) Reaches(organizationID string) bool {
	return slices.Contains(c.Organizations, organizationID)
}

type callerKey struct{}

type answer struct {
	caller *Caller
	err    error
}

// With keeps who is calling, or why nobody is, with a request's context.
func With(ctx context.Context, c *Caller, err error) context.Context {
	return context.WithValue(ctx, callerKey{}, answer{c, err})
}

// From is who is calling, or the reason why nobody is; nil and nil where the
// request names nobody.
func From(ctx context.Context) (*Caller, error) {
	a, _ := ctx.Value(callerKey{}).(answer)
	return a.caller, a.err
}
