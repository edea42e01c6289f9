package offboarding

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Setting is one policy of an organization, as it is read and written.
type Setting struct {
	Name  string `json:"setting"`
	Value string `json:"value"`
	Help  string `json:"-"` // what it decides and what can be written, for a person
}

// SettingsChange asks to change settings of an organization.
type SettingsChange struct {
	OrganizationID string            `json:"organization_id"`
	AdminID        string            `json:"admin_id"`
	Origin         string            `json:"origin,omitempty"` // TYPE,OrgName,SourceName (rule O1)
	Changes        map[string]string `json:"changes"`          // by name; the rest stays as it is
	At             time.Time         `json:"at"`
}

// SettingsFacts is what the rules need to know to judge a change of settings.
type SettingsFacts struct {
	Admin             Actor
	Organization      Organization
	ActiveMembers     int
	ProvisioningAdmin *Member // whom the change names, nil when there is no such member
}

// SettingChanged is one setting that a change has really changed.
type SettingChanged struct {
	Name   string `json:"setting"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// The settings that need more than their own text to be judged.
const (
	settingSeats        = "seat_limit"
	settingProvisioning = "provisioning_admin"
)

// setting is a setting as the code knows it. write changes the organization and
// says what is wrong with the text, as the checks of an import do.
type setting struct {
	name, help string
	read       func(o *Organization) string
	write      func(o *Organization, text string) (reason string)
}

var settings = []setting{
	{
		"claim_policy", "who may take an unowned document: self_serve or admin_approval",
		func(o *Organization) string { return string(o.ClaimPolicy) },
		choice(func(o *Organization) *ClaimPolicy { return &o.ClaimPolicy }, PolicySelfServe, PolicyApproval),
	},
	{
		"grace_period", "how long unowned documents stay editable, such as 7d or 36h",
		func(o *Organization) string { return FormatGrace(o.GracePeriod) },
		func(o *Organization, text string) string {
			if strings.TrimSpace(text) == "" {
				return "is empty"
			}
			if reason := checkGrace(text); reason != "" {
				return reason
			}
			grace, _ := ParseGrace(text, 0) // checked
			o.GracePeriod = grace.Truncate(time.Second)
			return ""
		},
	},
	{
		"default_disposition", "what happens to documents unless a start says so: transfer, archive or retain",
		func(o *Organization) string { return string(o.DefaultDisposition) },
		choice(func(o *Organization) *Disposition { return &o.DefaultDisposition }, Dispositions...),
	},
	{
		"attribution", "whose name the content of a deleted member keeps: name or anonymous",
		func(o *Organization) string { return string(o.Attribution) },
		choice(func(o *Organization) *Attribution { return &o.Attribution }, AttributionName, AttributionAnonymous),
	},
	{
		"sso_sessions", "what becomes of a leaver's SSO sessions: revoke or wait",
		func(o *Organization) string { return string(o.SSOSessions) },
		choice(func(o *Organization) *SSOSessions { return &o.SSOSessions }, SSORevoke, SSOWait),
	},
	{
		settingSeats, "active members at most, 0 for no limit",
		func(o *Organization) string { return strconv.Itoa(o.SeatLimit) },
		number(func(o *Organization) *int { return &o.SeatLimit }, checkSeatLimit),
	},
	{
		"bulk_limit_percent", "share of the active members that one bulk offboarding may remove unconfirmed, 1 to 100",
		func(o *Organization) string { return strconv.Itoa(o.BulkLimitPercent) },
		number(func(o *Organization) *int { return &o.BulkLimitPercent }, checkPercent),
	},
	{
		"domains", "whose members can be offboarded, separated by commas",
		func(o *Organization) string { return strings.Join(o.Domains, ",") }, writeDomains,
	},
	{
		"time_zone", "in which dates are meant for members without one, an IANA name",
		func(o *Organization) string { return o.TimeZone },
		func(o *Organization, text string) string {
			o.TimeZone = text
			if text == "" {
				return "is empty"
			}
			return checkZone(text)
		},
	},
	{
		settingProvisioning, "owner or admin who set up provisioning and inherits by it; empty for nobody",
		func(o *Organization) string { return o.ProvisioningAdminID },
		func(o *Organization, text string) string {
			o.ProvisioningAdminID = text
			if text == "" && Provisions(o.IdentityProvider) {
				return "is empty; an organization that " + o.IdentityProvider + " provisions has one"
			}
			return ""
		},
	},
	{
		"scim_delete", "what becomes of a member whom the identity provider deletes: archive or delete (for good)",
		func(o *Organization) string { return string(o.ScimDelete) },
		choice(func(o *Organization) *ScimDelete { return &o.ScimDelete }, ScimDeleteArchive, ScimDeleteForGood),
	},
	{
		"scim_role", "role of members whom the identity provider creates: contributor, reviewer or reader",
		func(o *Organization) string { return string(o.ScimRole) },
		choice(func(o *Organization) *Role { return &o.ScimRole }, RoleContributor, RoleReviewer, RoleReader),
	},
	{
		"scim_account_type", "account type of members whom the identity provider creates: maker, editor or viewer",
		func(o *Organization) string { return string(o.ScimAccountType) },
		choice(func(o *Organization) *AccountType { return &o.ScimAccountType }, AccountTypes...),
	},
	{
		"enterprise_plan_manager", "whether the admins act in the organizations below too: true or false",
		func(o *Organization) string { return strconv.FormatBool(o.EnterprisePlanManager) },
		func(o *Organization, text string) string {
			o.EnterprisePlanManager = text == "true"
			return among("true", "false")(text)
		},
	},
}

// choice writes one of some words.
func choice[T ~string](field func(*Organization) *T, words ...T) func(*Organization, string) string {
	return func(o *Organization, text string) string {
		*field(o) = T(text)
		return among(words...)(text)
	}
}

// number writes a whole number.
func number(field func(*Organization) *int, check func(int) string) func(*Organization, string) string {
	return func(o *Organization, text string) string {
		n, err := strconv.Atoi(text)
		if err != nil {
			n = -1 // which no check lets pass
		}
		*field(o) = n
		return check(n)
	}
}

func writeDomains(o *Organization, text string) string {
	domains := strings.Split(strings.ReplaceAll(text, " ", ""), ",")
	if reasons := checkDomains(domains); len(reasons) > 0 {
		return "is not a list of domains: " + strings.Join(reasons, ", ")
	}
	if !slices.Equal(slices.Sorted(slices.Values(domains)), slices.Sorted(slices.Values(o.Domains))) {
		o.Domains = domains
	}
	return ""
}

// FormatGrace writes a duration as ParseGrace reads it, in days where it can.
func FormatGrace(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 && d > 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// Settings are the settings of an organization, in the order in which people
// read them.
func (o *Organization) Settings() []Setting {
	out := make([]Setting, len(settings))
	for i, s := range settings {
		out[i] = Setting{Name: s.name, Value: s.read(o), Help: s.help}
	}
	return out
}

// ChangeSettings judges a change of settings: rule A1, the form of each value,
// seats for those who are active (R1), and that the provisioning admin is one. It
// returns the organization as it is then and what has really changed, or a
// Refusal with all that is wrong.
func ChangeSettings(c SettingsChange, f SettingsFacts) (Organization, []SettingChanged, error) {
	violations := append(ofAdmin(JudgeAdmin(f.Admin)), CheckOrigin(c.Origin)...)
	wrong := func(rule string, code Code, name, message string) {
		violations = append(violations, Violation{Rule: rule, Code: code, Field: name, Message: name + " " + message})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Changes)) {
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
			wrong("", CodeInvalidArgument, name, "is no setting")
		}
	}
	o := f.Organization
	var changed []SettingChanged
	for _, s := range settings {
		text, ok := c.Changes[s.name]
		if !ok {
			continue
		}
		reason := checkText(text, maxField)
		if reason == "" {
			reason = s.write(&o, text)
		}
		if reason != "" {
			wrong("", CodeInvalidArgument, s.name, reason)
			continue
		}
		before, after := s.read(&f.Organization), s.read(&o)
		if before == after {
			continue
		}
		changed = append(changed, SettingChanged{Name: s.name, Before: before, After: after})
		switch {
		case s.name == settingSeats && o.SeatLimit > 0 && o.SeatLimit < f.ActiveMembers:
			wrong("R1", CodeSeatLimitExceeded, s.name, fmt.Sprintf("is less than the %d members who are active", f.ActiveMembers))
		case s.name == settingProvisioning && after != "" && !f.provisioningAdmin():
			wrong("N2", CodeInvalidArgument, s.name, "is not an active owner or admin of the organization")
		}
	}
	if len(violations) > 0 {
		return f.Organization, nil, RefusalOf(violations)
	}
	return o, changed, nil
}

func (f SettingsFacts) provisioningAdmin() bool {
	m := f.ProvisioningAdmin
	return m.Active() && m.Role.Admin() && m.OrganizationID == f.Organization.ID
}
