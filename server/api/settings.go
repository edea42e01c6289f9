package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// SettingsInput names an organization.
type SettingsInput struct{ OrganizationInput }

// ChangeSettingsInput changes settings.
type ChangeSettingsInput struct {
	OrganizationInput
	OriginInput
	Body SettingsBody
}

// SettingsBody are the settings to change; what is left out stays as it is.
type SettingsBody struct {
	ClaimPolicy           *string   `json:"claim_policy,omitempty" enum:"self_serve,admin_approval" doc:"Who may take an unowned document"`
	GracePeriod           *string   `json:"grace_period,omitempty" maxLength:"100" doc:"How long unowned documents stay editable" example:"7d"`
	DefaultDisposition    *string   `json:"default_disposition,omitempty" enum:"transfer,archive,retain" doc:"What happens to documents unless a start says so"`
	Attribution           *string   `json:"attribution,omitempty" enum:"name,anonymous" doc:"Whose name the content of a deleted member keeps"`
	SSOSessions           *string   `json:"sso_sessions,omitempty" enum:"revoke,wait" doc:"What becomes of a leaver's SSO sessions"`
	SeatLimit             *int      `json:"seat_limit,omitempty" minimum:"0" doc:"Active members at most, 0 for no limit"`
	BulkLimitPercent      *int      `json:"bulk_limit_percent,omitempty" minimum:"1" maximum:"100" doc:"Share of the active members that one bulk offboarding may remove unconfirmed"`
	Domains               *[]string `json:"domains,omitempty" maxItems:"1000" doc:"Whose members can be offboarded" example:"[\"acme.example\"]"`
	TimeZone              *string   `json:"time_zone,omitempty" maxLength:"100" doc:"In which dates are meant for members without one, an IANA name" example:"Europe/Vienna"`
	ProvisioningAdmin     *string   `json:"provisioning_admin,omitempty" maxLength:"400" doc:"Owner or admin who set up provisioning and inherits by it; empty for nobody" example:"external:emp-0001"`
	ScimDelete            *string   `json:"scim_delete,omitempty" enum:"archive,delete" doc:"What becomes of a member whom the identity provider deletes"`
	ScimRole              *string   `json:"scim_role,omitempty" enum:"contributor,reviewer,reader" doc:"Role of members whom the identity provider creates"`
	ScimAccountType       *string   `json:"scim_account_type,omitempty" enum:"maker,editor,viewer" doc:"Account type of members whom the identity provider creates"`
	EnterprisePlanManager *bool     `json:"enterprise_plan_manager,omitempty" doc:"Whether the admins act in the organizations below too"`
}

// fields are where the settings are, by their names: *string, *int, *bool or *[]string,
// each nil where the setting is left out.
func (b *SettingsBody) fields() map[string]any {
	return map[string]any{
		"claim_policy": &b.ClaimPolicy, "grace_period": &b.GracePeriod, "default_disposition": &b.DefaultDisposition,
		"attribution": &b.Attribution, "sso_sessions": &b.SSOSessions, "seat_limit": &b.SeatLimit, "bulk_limit_percent": &b.BulkLimitPercent,
		"domains": &b.Domains, "time_zone": &b.TimeZone, settingProvisioning: &b.ProvisioningAdmin, "scim_delete": &b.ScimDelete,
		"scim_role": &b.ScimRole, "scim_account_type": &b.ScimAccountType, "enterprise_plan_manager": &b.EnterprisePlanManager,
	}
}

// settingProvisioning is the setting whose value is a member.
const settingProvisioning = "provisioning_admin"

// texts are the settings as the rules take them.
func (b *SettingsBody) texts() map[string]string {
	out := map[string]string{}
	for name, field := range b.fields() {
		switch field := field.(type) {
		case **string:
			if *field != nil {
				out[name] = **field
			}
		case **int:
			if *field != nil {
				out[name] = strconv.Itoa(**field)
			}
		case **bool:
			if *field != nil {
				out[name] = strconv.FormatBool(**field)
			}
		case **[]string:
			if *field != nil {
				out[name] = strings.Join(**field, ",")
			}
		}
	}
	return out
}

// settingsOfTexts is the other way round.
func settingsOfTexts(all []offboarding.Setting) SettingsBody {
	var b SettingsBody
	fields := b.fields()
	for _, s := range all {
		switch field := fields[s.Name].(type) {
		case **string:
			*field = &s.Value
		case **int:
			n, _ := strconv.Atoi(s.Value) // written by us
			*field = &n
		case **bool:
			on := s.Value == "true"
			*field = &on
		case **[]string:
			list := []string{}
			if s.Value != "" {
				list = strings.Split(s.Value, ",")
			}
			*field = &list
		}
	}
	return b
}

// Settings are the settings of an organization.
type Settings struct {
	OrganizationID   string                       `json:"organization_id" doc:"The organization"`
	Organization     string                       `json:"organization" doc:"Its slug"`
	IdentityProvider string                       `json:"identity_provider" doc:"Who authenticates the people, set at the import; none for nobody"`
	Settings         SettingsBody                 `json:"settings" doc:"The settings as they are now"`
	Changed          []offboarding.SettingChanged `json:"changed,omitempty" doc:"What the change has really changed"`
}

// SettingsOutput are the settings of an organization.
type SettingsOutput struct{ Body Settings }

func (a *API) settings() {
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodGet, Path: "/v1/settings", OperationID: "get-settings", Summary: "Read the settings", Tags: []string{"Settings"},
		Description: "The settings of the caller's organization, or of another one within reach.",
	}, func(ctx context.Context, c *auth.Caller, in *SettingsInput) (*SettingsOutput, error) {
		n := a.naming(ctx, c)
		id := n.settingsOf(in.Organization)
		if err := n.err(); err != nil {
			return nil, err
		}
		o, err := a.store.Organization(ctx, id)
		return &SettingsOutput{settingsAre(o, nil)}, err
	})
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPatch, Path: "/v1/settings", OperationID: "change-settings", Summary: "Change settings", Tags: []string{"Settings"},
		Description: "Changes the settings that the body has, all of them or, with any mistake, none; each change has its event in the audit. " +
			"What a case has decided already stays: its grace period and disposition are those of its start. Claims, reactivations and sessions follow the settings as they are.",
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, c *auth.Caller, in *ChangeSettingsInput) (*SettingsOutput, error) {
		n := a.naming(ctx, c)
		change := offboarding.SettingsChange{
			OrganizationID: n.settingsOf(in.Organization), AdminID: c.Member.ID, Origin: n.origin(in.OriginInput), Changes: in.Body.texts(), At: a.now().UTC(),
		}
		if ref := change.Changes[settingProvisioning]; ref != "" && change.OrganizationID != "" {
			m, err := a.store.FindMember(ctx, own(c, ref), change.OrganizationID)
			if err != nil {
				n.keep(err, settingProvisioning)
			}
			change.Changes[settingProvisioning] = m.ID
		}
		if err := n.err(); err != nil {
			return nil, err
		}
		o, changed, err := a.store.ChangeSettings(ctx, change)
		return &SettingsOutput{settingsAre(o, changed)}, err
	})
}

// settingsOf is the ID of the organization whose settings are meant: the caller's own
// unless another is named.
func (n *naming) settingsOf(ref string) string {
	if ref == "" {
		return n.caller.Member.OrganizationID
	}
	if ids := n.organizations(ref); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

func settingsAre(o offboarding.Organization, changed []offboarding.SettingChanged) Settings {
	return Settings{
		OrganizationID: o.ID, Organization: o.Slug, IdentityProvider: o.IdentityProvider,
		Settings: settingsOfTexts(o.Settings()), Changed: changed,
	}
}
