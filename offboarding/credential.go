package offboarding

import (
	"fmt"
	"slices"
	"time"
)

// The kinds of client credentials (seed 000).
const (
	CredentialAPI   = "api"   // calls the API as its member
	CredentialEmbed = "embed" // opens what the host product embeds; the API only tells whether it is live
)

// CredentialRequest asks for a credential of a member.
type CredentialRequest struct {
	ID         string // the client ID: a repeat under the same one replaces the secret, which nobody has seen
	MemberID   string // whose
	Kind       string
	Name       string
	By         string // who asks: the member, or an admin
	Origin     string // TYPE,OrgName,SourceName (rule O1)
	SecretHash []byte
}

// CredentialRow is a credential as lists show it; its ID is its client ID.
type CredentialRow struct {
	ClientID       string     `db:"id" json:"client_id"`
	OrganizationID string     `db:"organization_id" json:"organization_id"`
	MemberID       string     `db:"member_id" json:"member_id"`
	MemberName     string     `db:"member_name" json:"member_name"`
	Kind           string     `db:"kind" json:"kind"`
	Name           string     `db:"name" json:"name"`
	Status         string     `db:"status" json:"status"`
	Usable         bool       `db:"usable" json:"usable"` // it has a secret; imported ones have none
	CreatedAt      time.Time  `db:"created_at" json:"created_at"`
	RevokedAt      *time.Time `db:"revoked_at" json:"revoked_at,omitempty"`
}

// CredentialFilter selects credentials; what is empty does not narrow. The oldest
// come first.
type CredentialFilter struct {
	OrganizationID string
	MemberID       string
	Revoked        bool // those that are revoked too
	Cursor         string
	Limit          int
}

// CredentialFacts is what the rules need to know about whose credential it is.
type CredentialFacts struct {
	Actor   Actor
	Member  *Member // whose, nil when there is none in the actor's reach
	Leaving bool    // the member's access is being revoked
}

// JudgeCreateCredential judges who may make a credential for whom: active members
// for themselves, admins for others (rules A1 and A2), and nobody for somebody who
// is not active or is leaving (invariant 2).
func JudgeCreateCredential(r CredentialRequest, f CredentialFacts) error {
	var form form
	if !slices.Contains(CredentialKinds, r.Kind) {
		form.bad("", "kind", fmt.Sprintf("kind must be one of %v", CredentialKinds))
	}
	form.required("name", r.Name)
	if len(r.SecretHash) != len(HashSecret("")) {
		form.bad("", "secret", "there is no secret")
	}
	violations := append(append(form, CheckOrigin(r.Origin)...), judgeWhose(f)...)
	if f.Member != nil && (!f.Member.Active() || f.Leaving) {
		violations = append(violations, Violation{
			Rule: "E2", Code: CodeAlreadyInactive, Field: "member_id", Message: "only an active member who is not leaving gets credentials",
		})
	}
	return RefusalOf(violations)
}

// JudgeRevokeCredential judges who may revoke a credential: its member, and admins
// (rules A1 and A2).
func JudgeRevokeCredential(origin string, f CredentialFacts) error {
	violations := CheckOrigin(origin)
	if f.Member == nil {
		return RefusalOf(append(violations, Violation{
			Rule: "E1", Code: CodeCredentialNotFound, Field: "client_id", Message: "there is no such credential in reach",
		}))
	}
	return RefusalOf(append(violations, judgeWhose(f)...))
}

func judgeWhose(f CredentialFacts) []Violation {
	switch {
	case f.Member == nil:
		return []Violation{{Rule: "E1", Code: CodeMemberNotFound, Field: "member_id", Message: "there is no such member in reach"}}
	case f.Actor.Member.Active() && f.Actor.Member.ID == f.Member.ID:
		return nil
	}
	return JudgeAuthority(f.Actor, f.Member)
}

// Identity is what is known about whom a credential, a token or a session belongs
// to, live or not.
type Identity struct {
	Member        Member
	Organizations []string // within reach (rule A1), the member's own first
	CredentialID  string   // of a credential or a token
	Kind          string   // of the credential
	SessionID     string
	Status        string     // of the credential or session: active, revoked, ended
	SecretHash    []byte     // of the credential, nil where it has none
	CreatedAt     time.Time  // of the token or session
	ExpiresAt     *time.Time // of the token or session; nil: never
}

// Live reports whether what was shown works at that time: it is active and has not
// expired, and its member is active (invariant 2).
func (i *Identity) Live(at time.Time) bool {
	return i.Status == "active" && i.Member.Active() && (i.ExpiresAt == nil || at.Before(*i.ExpiresAt))
}
