package offboarding

import (
	"slices"
	"strings"
	"time"
)

// ClaimPolicy says what a colleague may do with an unowned document.
type ClaimPolicy string

// The claim policies (seed 002).
const (
	// PolicySelfServe lets a maker with an edit grant claim at once (rule C1).
	PolicySelfServe ClaimPolicy = "self_serve"
	// PolicyApproval makes every claim a request that an admin decides (rule C2).
	PolicyApproval ClaimPolicy = "admin_approval"
)

// IdentityProviderNone is the identity provider of an organization whose people
// sign in without one.
const IdentityProviderNone = "none"

// Organization is a tenant.
type Organization struct {
	ID                    string
	ParentID              string // "" for none
	Slug                  string
	Name                  string
	Domains               []string // lower case
	SeatLimit             int      // active members at most; 0 means no limit
	ClaimPolicy           ClaimPolicy
	GracePeriod           time.Duration
	DefaultDisposition    Disposition
	TimeZone              string // IANA name
	IdentityProvider      string // IdentityProviderNone when people sign in without one
	EnterprisePlanManager bool   // its admins act in its descendants too (rule A1)
}

// DefaultGracePeriod is the time in which unowned documents stay editable
// unless the organization or the case says otherwise (seed 002).
const DefaultGracePeriod = 7 * 24 * time.Hour

// HasDomain reports whether the domain is one of the organization's (rule E4).
func (o *Organization) HasDomain(domain string) bool {
	return slices.Contains(o.Domains, strings.ToLower(domain))
}
