package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"handover/offboarding"
)

// settingsPath is where the settings are, and what hangs on them below.
const settingsPath = Path + "settings"

// settings registers what an organization has set.
func (c *Console) settings(mux *http.ServeMux) {
	c.route(mux, "GET "+settingsPath, AccessAdmin, func(v *visit) error { return v.settingsOf(v.Query("organization")) })
	c.route(mux, "POST "+settingsPath, AccessAdmin, (*visit).changeSettings)
	c.webhooks(mux)
	c.credentials(mux)
	c.holds(mux)
}

// setting is a field of the settings: how it is typed, and what there is to choose.
type setting struct {
	Name   string
	Kind   string // choice, number, domains, text, person or switch
	values []string
}

func choice[T ~string](name string, values ...T) setting {
	s := setting{Name: name, Kind: "choice"}
	for _, value := range values {
		s.values = append(s.values, string(value))
	}
	return s
}

// settingGroups are the settings as people look for them.
var settingGroups = []struct {
	Name     string
	Settings []setting
}{
	{"documents", []setting{
		choice("claim_policy", offboarding.PolicySelfServe, offboarding.PolicyApproval),
		{Name: "grace_period", Kind: "text"},
		choice("default_disposition", offboarding.Dispositions...),
	}},
	{"leaving", []setting{
		{Name: "domains", Kind: "domains"},
		choice("sso_sessions", offboarding.SSORevoke, offboarding.SSOWait),
		{Name: "bulk_limit_percent", Kind: "number"},
		choice("attribution", offboarding.AttributionName, offboarding.AttributionAnonymous),
	}},
	{"organization", []setting{
		{Name: "seat_limit", Kind: "number"},
		{Name: "time_zone", Kind: "text"},
		{Name: "enterprise_plan_manager", Kind: "switch"},
	}},
	{"provider", []setting{
		{Name: "provisioning_admin", Kind: "person"},
		choice("scim_delete", offboarding.ScimDeleteArchive, offboarding.ScimDeleteForGood),
		choice("scim_role", offboarding.RoleContributor, offboarding.RoleReviewer, offboarding.RoleReader),
		choice("scim_account_type", offboarding.AccountTypes...),
	}},
}

// settingsPage is what the page of the settings shows.
type settingsPage struct {
	Organizations []Option
	Organization  string // whose settings they are, "" for the reader's own
	Provider      string
	Groups        []settingGroup
}

type settingGroup struct {
	Name   string
	Fields []settingField
}

// settingField is a setting with what it is now, as it is typed.
type settingField struct {
	setting
	Value   string
	Options []Option
}

// On reports whether a switch is on.
func (f settingField) On() bool { return f.Value == "true" }

// settingsAnswer is what the API says of settings.
type settingsAnswer struct {
	Provider string                       `json:"identity_provider"`
	Settings map[string]any               `json:"settings"`
	Changed  []offboarding.SettingChanged `json:"changed"`
}

// settingsOf shows the settings of an organization, "" for the reader's own.
func (v *visit) settingsOf(organization string) error {
	page := settingsPage{Organization: organization}
	var err error
	if page.Organizations, err = v.organizations(); err != nil {
		return err
	}
	var have settingsAnswer
	if err := v.get("/v1/settings", organizationQuery(organization), &have); err != nil {
		return err
	}
	page.Provider = have.Provider
	for _, g := range settingGroups {
		group := settingGroup{Name: g.Name}
		for _, s := range g.Settings {
			field := settingField{setting: s, Value: settingText(have.Settings[s.Name])}
			if s.Kind == "person" && field.Value != "" {
				if field.Value, err = v.addressOf(field.Value); err != nil {
					return err
				}
			}
			for _, value := range s.values {
				field.Options = append(field.Options, Option{Value: value, Label: v.T("setting.value." + s.Name + "_" + value)})
			}
			group.Fields = append(group.Fields, field)
		}
		page.Groups = append(page.Groups, group)
	}
	return v.show("settings", page)
}

// settingText is a setting as it is typed.
func settingText(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case []any:
		lines := make([]string, len(value))
		for i := range value {
			lines[i] = fmt.Sprint(value[i])
		}
		return strings.Join(lines, "\n")
	}
	return fmt.Sprint(value)
}

// addressOf is how people type a member whom the API names by ID.
func (v *visit) addressOf(memberID string) (string, error) {
	var m offboarding.Member
	if err := v.get(at("/v1/members/%s", memberID), nil, &m); err != nil {
		return "", err
	}
	if m.Email == "" {
		return m.ID, nil
	}
	return m.Email, nil
}

// changeSettings changes what has been typed anew, so that who has not touched a
// setting does not undo what somebody else has made of it meanwhile.
func (v *visit) changeSettings() error {
	organization := v.Value("organization")
	changes := map[string]any{}
	for _, g := range settingGroups {
		for _, s := range g.Settings {
			if !v.r.PostForm.Has("was_" + s.Name) {
				continue // the page has not asked for it
			}
			typed, was := lines(v.Value(s.Name)), lines(v.Value("was_"+s.Name))
			if s.Kind == "switch" {
				typed = strconv.FormatBool(v.Checked(s.Name, "true"))
			}
			if typed == was {
				continue
			}
			value, ok := s.parse(typed)
			if !ok {
				v.fault(s.Name, v.T("settings.number"))
			}
			changes[s.Name] = value
		}
	}
	if len(v.Faults) > 0 {
		return v.settingsOf(organization)
	}
	var now settingsAnswer
	err := v.call(http.MethodPatch, "/v1/settings", organizationQuery(organization), changes, &now)
	switch {
	case v.refused(err):
		v.nameSettings()
		return v.settingsOf(organization)
	case err != nil:
		return err
	case len(now.Changed) == 0:
		return v.done(withOrganization(settingsPath, organization), "settings_same")
	}
	return v.done(withOrganization(settingsPath, organization), "settings_changed")
}

// lines is what was typed with the ends of lines as they are here.
func lines(typed string) string { return strings.TrimSpace(strings.ReplaceAll(typed, "\r\n", "\n")) }

// parse is a setting as the API takes it.
func (s setting) parse(typed string) (value any, ok bool) {
	switch s.Kind {
	case "number":
		n, err := strconv.Atoi(typed)
		return n, err == nil
	case "domains":
		return strings.FieldsFunc(typed, func(r rune) bool { return strings.ContainsRune(", \n\t;", r) }), true
	case "switch":
		return typed == "true", true
	case "person":
		return who(typed), true
	}
	return typed, true
}

// nameSettings lets mistakes begin with the field's label, where they begin with its
// name in the API.
func (v *visit) nameSettings() {
	for i, f := range v.Faults {
		if rest, ok := strings.CutPrefix(f.Message, f.Field+" "); ok && v.Has("setting."+f.Field) {
			v.Faults[i].Message = v.T("setting."+f.Field) + " " + rest
		}
	}
}

// organizationQuery narrows a request of the API to an organization, nil for the
// caller's own.
func organizationQuery(organization string) url.Values {
	if organization == "" {
		return nil
	}
	return url.Values{"organization": {organization}}
}

// withOrganization is a page about an organization, "" for the reader's own.
func withOrganization(path, organization string) string {
	if organization == "" {
		return path
	}
	return path + "?" + organizationQuery(organization).Encode()
}

// judged goes on after a call of the API: with done, or where the API has refused what
// was sent with the page that it came from, which shows why.
func (v *visit) judged(err error, again, done func() error, fields ...string) error {
	switch {
	case v.refused(err, fields...):
		return again()
	case err != nil:
		return err
	}
	return done()
}
