package offboarding

import (
	"cmp"
	"strings"
	"time"
)

// Provisioner is an organization's identity provider, as it comes over SCIM.
type Provisioner struct {
	TokenID        string `db:"id"`
	OrganizationID string `db:"organization_id"`
	Provider       string `db:"identity_provider"` // okta or entra
	Name           string `db:"name"`              // of the organization
	AdminID        string `db:"admin_id"`          // whom the audit names: the provisioning admin, "" for nobody
}

// Origin is what the audit keeps of a request (rule O1).
func (p Provisioner) Origin() string {
	return "APPLICATION," + strings.ToUpper(p.Provider[:1]) + p.Provider[1:] + ",SCIM"
}

// Account is what an identity provider writes about a member. What it writes
// beside it is not kept.
type Account struct {
	UserName   string
	ProviderID string // externalId: what the provider knows the member by, "" for nothing
	Active     bool
	ManagerID  string // as the provider wrote it: a member's ID, externalId or userName; a member's ID when it is read
	Profile    Profile
}

// Profile is the part of an account that nothing else is decided by. Its words are
// those of the provider, so that it reads what it has written.
type Profile struct {
	Formatted   string    `json:"formatted_name,omitempty"`
	GivenName   string    `json:"given_name,omitempty"`
	FamilyName  string    `json:"family_name,omitempty"`
	DisplayName string    `json:"display_name,omitempty"`
	Title       string    `json:"title,omitempty"`
	TimeZone    string    `json:"time_zone,omitempty"`
	Emails      []Address `json:"emails,omitempty"`
}

// Address is an email address of a profile.
type Address struct {
	Email   string `json:"email,omitempty"`
	Type    string `json:"type,omitempty"`
	Primary bool   `json:"primary,omitempty"`
}

// Email is the address that the member goes by: the primary one, else the one for
// work, else the first, else the user name where that is an address.
func (a Account) Email() string {
	email, rank := "", 0
	for _, e := range a.Profile.Emails {
		r := 1
		switch {
		case e.Email == "":
			continue
		case e.Primary:
			r = 3
		case strings.EqualFold(e.Type, "work"):
			r = 2
		}
		if r > rank {
			email, rank = e.Email, r
		}
	}
	if email == "" && checkEmail(a.UserName) == "" {
		email = a.UserName
	}
	return email
}

// Name is what people call the member.
func (a Account) Name() string {
	p := a.Profile
	return cmp.Or(strings.TrimSpace(p.DisplayName), strings.TrimSpace(p.Formatted),
		strings.TrimSpace(p.GivenName+" "+p.FamilyName), a.UserName)
}

// TimeZone is the member's time zone; "" for the organization's, also where the
// provider writes one that there is not.
func (a Account) TimeZone() string {
	if a.Profile.TimeZone == "" || checkZone(a.Profile.TimeZone) != "" {
		return ""
	}
	return a.Profile.TimeZone
}

// maxProfile is the length in bytes of the longest text of a profile.
const maxProfile = 1000

// maxAddresses is how many email addresses an account may have.
const maxAddresses = 20

// CheckAccount judges what can be seen in an account alone. Fields are called what
// they are called over SCIM.
func CheckAccount(a Account) []Violation {
	var f form
	text := func(field, value string) {
		if reason := checkText(value, maxProfile); reason != "" {
			f.bad("", field, field+" "+reason)
		}
	}
	if strings.TrimSpace(a.UserName) == "" {
		f.bad("", "userName", "userName is required")
	}
	p := a.Profile
	for _, field := range [][2]string{
		{"userName", a.UserName},
		{"externalId", a.ProviderID},
		{"name.formatted", p.Formatted},
		{"name.givenName", p.GivenName},
		{"name.familyName", p.FamilyName},
		{"displayName", p.DisplayName},
		{"title", p.Title},
		{"timezone", p.TimeZone},
	} {
		text(field[0], field[1])
	}
	if len(p.Emails) > maxAddresses {
		f.bad("", "emails", "there are too many emails")
	}
	for _, e := range p.Emails {
		text("emails", e.Email)
		text("emails", e.Type)
	}
	if email := a.Email(); email == "" {
		f.bad("", "emails", "an email is required where userName is no address")
	} else if reason := checkEmail(email); reason != "" {
		f.bad("", "emails", "the email "+reason)
	}
	return f
}

// Provisioned is a member as the identity provider sees them.
type Provisioned struct {
	Member    Member
	Account   Account
	CreatedAt time.Time
	UpdatedAt time.Time // the latest change that the provider can see
}

// Next says what remains to be done about an account once its attributes are
// written: the case that offboards the member, or the reactivation.
type Next string

// What can remain to be done.
const (
	NextNothing    Next = ""
	NextDeactivate Next = "deactivate"
	NextReactivate Next = "reactivate"
)

// JudgeCreation judges rule R1 of a member whom the provider creates.
func JudgeCreation(a Account, o Organization, activeMembers int) []Violation {
	violations := CheckAccount(a)
	if a.Active && o.SeatLimit > 0 && activeMembers >= o.SeatLimit {
		violations = append(violations, Violation{Rule: "R1", Code: CodeSeatLimitExceeded, Field: "active", Message: "no seat is free"})
	}
	return violations
}

// Condition is the filter of a list that the provider asks for: a comparison, or
// conditions that are joined.
type Condition struct {
	Join  string      // and, or, not; "" for a comparison
	Of    []Condition // that are joined; one for not
	Field string      // as it is called over SCIM, such as userName
	Op    string      // eq, ne, co, sw, ew, pr, gt, ge, lt, le
	Value string      // a boolean is true or false, a time RFC 3339
}

// Compares is how many comparisons the condition has.
func (c Condition) Compares() int {
	if c.Join == "" {
		return 1
	}
	n := 0
	for _, of := range c.Of {
		n += of.Compares()
	}
	return n
}

// ProvisionFilter selects what a provider lists, in the order in which it was made.
type ProvisionFilter struct {
	OrganizationID string
	Condition      *Condition // nil for all
	Offset, Limit  int        // Limit 0 counts only
	NoMembers      bool       // of groups: leave out who belongs to them
}
