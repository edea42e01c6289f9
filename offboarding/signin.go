package offboarding

import "time"

// SessionLife is how long a person stays signed in.
const SessionLife = 12 * time.Hour

// SignInMember is an active member with somebody's address, and the organization.
type SignInMember struct {
	MemberID         string `db:"member_id"`
	OrganizationSlug string `db:"slug"`
	OrganizationName string `db:"name"`
}

// SignIn asks for a session of a member whom an identity provider has vouched for.
type SignIn struct {
	SessionID string
	MemberID  string
	TokenHash []byte
	At        time.Time
}

// JudgeSignIn judges whether a member may sign in: who is active and not leaving
// (invariant 2, rule S1).
func JudgeSignIn(m *Member, leaving bool) error {
	if m.Active() && !leaving {
		return nil
	}
	return Refuse("S1", CodeNotAuthorized, "", "only an active member who is not leaving signs in")
}
