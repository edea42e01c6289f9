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

// SSOSessions says what becomes of a leaver's sessions by single sign-on.
type SSOSessions string

// The policies for SSO sessions (rule S1).
const (
	// SSORevoke revokes them at once, with everything else.
	SSORevoke SSOSessions = "revoke"
	// SSOWait deactivates the account when they have ended, MaxSSOWait after
	// the revocation at the latest.
	SSOWait SSOSessions = "wait"
)

// Attribution says whose name the content of a deleted member keeps (rule X1).
type Attribution string

// The policies for attribution.
const (
	AttributionName      Attribution = "name"
	AttributionAnonymous Attribution = "anonymous"
)

// ScimDelete says what becomes of a member whom the identity provider deletes.
type ScimDelete string

// The policies for a deletion over SCIM.
const (
	// ScimDeleteArchive deactivates the account and archives it.
	ScimDeleteArchive ScimDelete = "archive"
	// ScimDeleteForGood deletes the member for good (rule X1).
	ScimDeleteForGood ScimDelete = "delete"
)

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
	ProvisioningAdminID   string // who set up provisioning (rule N2), "" for nobody
	SSOSessions           SSOSessions
	Attribution           Attribution
	BulkLimitPercent      int // share of the active members that one bulk offboarding may remove unconfirmed
	ScimDelete            ScimDelete
	ScimRole              Role        // of members whom the identity provider creates; no admin
	ScimAccountType       AccountType // of members whom the identity provider creates
	EnterprisePlanManager bool        // its admins act in its descendants too (rule A1)
}

// DefaultGracePeriod is the time in which unowned documents stay editable
// unless the organization or the case says otherwise (seed 002).
const DefaultGracePeriod = 7 * 24 * time.Hour

// HasDomain reports whether the domain is one of the organization's (rule E4).
func (o *Organization) HasDomain(domain string) bool {
	return slices.Contains(o.Domains, strings.ToLower(domain))
}
