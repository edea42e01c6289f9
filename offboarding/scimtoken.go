package offboarding

import "time"

// ScimToken is what an organization's identity provider comes with. The token
// itself is shown once, when it is made, and only its hash is kept.
type ScimToken struct {
	ID             string     `db:"id" json:"token_id"`
	OrganizationID string     `db:"organization_id" json:"organization_id"`
	CreatedBy      string     `db:"created_by" json:"created_by"`
	CreatedAt      time.Time  `db:"created_at" json:"created_at"`
	LastUsedAt     *time.Time `db:"last_used_at" json:"last_used_at,omitempty"` // to the hour; nil for never
	RevokedAt      *time.Time `db:"revoked_at" json:"revoked_at,omitempty"`
}

// ScimTokenFilter selects tokens of an organization; the oldest come first.
type ScimTokenFilter struct {
	OrganizationID string
	Revoked        bool // those that have been revoked too
	Cursor         string
	Limit          int // 0 means DefaultLimit
}

// JudgeScimToken judges who makes or revokes a token (rule A1), and that there is
// somebody to come with it: an identity provider that provisions.
func JudgeScimToken(admin Actor, o Organization, create bool) error {
	violations := ofAdmin(JudgeAdmin(admin))
	if create && !Provisions(o.IdentityProvider) {
		violations = append(violations, Violation{
			Rule: "E5", Code: CodeInvalidArgument, Field: "organization",
			Message: "no identity provider provisions the organization: its identity_provider is neither okta nor entra",
		})
	}
	return RefusalOf(violations)
}
