package offboarding

import (
	"slices"
	"strings"
)

// Role is a member's role in the organization.
type Role string

// The roles. Only owners and admins act on other members (rule A1).
const (
	RoleOwner       Role = "owner"
	RoleAdmin       Role = "admin"
	RoleContributor Role = "contributor"
	RoleReviewer    Role = "reviewer"
	RoleReader      Role = "reader"
)

// Roles lists every role, the most powerful first.
var Roles = []Role{RoleOwner, RoleAdmin, RoleContributor, RoleReviewer, RoleReader}

// Admin reports whether the role acts on other members (rule A1).
func (r Role) Admin() bool { return r == RoleOwner || r == RoleAdmin }

// AccountType says what a member's seat allows; only a maker can own documents.
type AccountType string

// The account types.
const (
	AccountMaker  AccountType = "maker"
	AccountEditor AccountType = "editor"
	AccountViewer AccountType = "viewer"
)

// AccountTypes lists every account type.
var AccountTypes = []AccountType{AccountMaker, AccountEditor, AccountViewer}

// MemberStatus is the state of a member's account.
type MemberStatus string

// The member statuses.
const (
	MemberActive   MemberStatus = "active"
	MemberInactive MemberStatus = "inactive"
	MemberArchived MemberStatus = "archived"
	MemberDeleted  MemberStatus = "deleted"
)

// Member is a person's account in one organization.
type Member struct {
	ID             string       `db:"id" json:"id"`
	OrganizationID string       `db:"organization_id" json:"organization_id"`
	ExternalID     string       `db:"external_id" json:"external_id"`
	Email          string       `db:"email" json:"email"`
	DisplayName    string       `db:"display_name" json:"display_name"`
	Role           Role         `db:"role" json:"role"`
	AccountType    AccountType  `db:"account_type" json:"account_type"`
	Status         MemberStatus `db:"status" json:"status"`
	ManagerID      string       `db:"manager_id" json:"manager_id,omitempty"`
	ManagedBy      string       `db:"managed_by" json:"managed_by,omitempty"` // identity provider, "" for none
	TimeZone       string       `db:"time_zone" json:"time_zone,omitempty"`   // IANA name, "" for the organization's
}

// Active reports whether the account works.
func (m *Member) Active() bool { return m != nil && m.Status == MemberActive }

// MayOwn reports whether the member can be given documents: an active maker
// (rule N1, seeds 000 and 002).
func (m *Member) MayOwn() bool { return m.Active() && m.AccountType == AccountMaker }

// EmailDomain is the lower-case domain of an address, "" when it has none.
func EmailDomain(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 0 {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(email[at+1:]))
}

// ErasedAddress reports whether an address is the one that a deleted member has (rule X1):
// nobody's.
func ErasedAddress(email string) bool { return EmailDomain(email) == "deleted.invalid" }

// ispDomains are the common ISP domains of seed 003; members on them cannot be
// offboarded (rule E3).
var ispDomains = []string{
	"aol.com", "charter.net", "comcast.net", "duck.com", "email.com", "gmail.com", "hotmail.com", "icloud.com", "live.com",
	"mail.com", "mail.ru", "outlook.com", "rocketmail.com", "usa.com", "verizon.net", "web.de", "yahoo.com",
}

// IsISPDomain reports whether the domain is one of the 17 of seed 003 (rule E3).
func IsISPDomain(domain string) bool {
	return slices.Contains(ispDomains, strings.ToLower(domain))
}
