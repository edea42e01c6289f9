package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"handover/internal/terminal"
	"handover/offboarding"
)

// provisioningAdmin is the setting whose value is a member.
const provisioningAdmin = "provisioning_admin"

type settingsOptions struct {
	*factory
	origin  string
	changes map[string]string // by the setting's name
}

func newSettingsCmd(f *factory, runF func(*settingsOptions) error) *cobra.Command {
	opts := &settingsOptions{factory: f, changes: map[string]string{}}
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show or change an organization's settings",
		Long: `Show the settings of an organization: of --organization, else of the member who
asks, else of the only one. With a flag for a setting, change it: all that are
given or, with any mistake, none. Each change has its event in the audit.

What a case has decided already stays: its grace period and disposition are those
of its start. Claims, reactivations and sessions follow the settings as they are.`,
		Example: `  starter settings
  starter settings --as admin@example.com --claim-policy admin_approval --grace-period 14d`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			cmd.Flags().Visit(func(flag *pflag.Flag) {
				if name, ok := flag.Annotations["setting"]; ok {
					opts.changes[name[0]] = flag.Value.String()
				}
			})
			if len(opts.changes) > 0 {
				wrong.actor(f)
			}
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return settingsRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	for _, s := range new(offboarding.Organization).Settings() {
		name := strings.ReplaceAll(s.Name, "_", "-")
		flags.String(name, "", s.Help)
		_ = flags.SetAnnotation(name, "setting", []string{s.Name}) // there is such a flag
	}
	originFlag(cmd, &opts.origin)
	return cmd
}

// settingsAnswer is what the command prints for scripts.
type settingsAnswer struct {
	OrganizationID   string                       `json:"organization_id"`
	Organization     string                       `json:"organization"`
	IdentityProvider string                       `json:"identity_provider"`
	Settings         map[string]string            `json:"settings"`
	Changed          []offboarding.SettingChanged `json:"changed"`
}

func settingsRun(ctx context.Context, opts *settingsOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	slug := n.slug
	if slug == "" && opts.as != "" {
		slug = n.memberOf(opts.as, "admin_id", "").OrganizationID
	}
	if err := n.err(); err != nil {
		return err
	}
	o, err := n.store.Organization(ctx, slug)
	if err != nil {
		return err
	}
	var changed []offboarding.SettingChanged
	if len(opts.changes) > 0 {
		c := offboarding.SettingsChange{OrganizationID: o.ID, Origin: opts.origin, Changes: opts.changes, At: opts.now().UTC()}
		c.AdminID = n.actor(opts.as, "admin_id", o.ID).ID
		if ref := c.Changes[provisioningAdmin]; ref != "" {
			c.Changes[provisioningAdmin] = n.memberOf(ref, provisioningAdmin, o.ID).ID
		}
		if err := n.err(); err != nil {
			return err
		}
		if o, changed, err = n.store.ChangeSettings(ctx, c); err != nil {
			return err
		}
	}
	out := settingsAnswer{
		OrganizationID: o.ID, Organization: o.Slug, IdentityProvider: o.IdentityProvider, Settings: map[string]string{},
		Changed: append([]offboarding.SettingChanged{}, changed...),
	}
	for _, s := range o.Settings() {
		out.Settings[s.Name] = s.Value
	}
	return opts.answer(out, func(w *strings.Builder) { printSettings(w, n, o, changed, len(opts.changes) > 0) })
}

func printSettings(w io.Writer, n *names, o offboarding.Organization, changed []offboarding.SettingChanged, asked bool) {
	before := map[string]string{}
	for _, c := range changed {
		before[c.Name] = c.Before
	}
	if asked && len(changed) == 0 {
		_, _ = fmt.Fprintf(w, "Nothing changed: the settings of %s are so already.\n", terminal.Clear(o.Slug))
		return
	}
	t := terminal.NewTable(w)
	t.AppendHeader(table.Row{"SETTING OF " + strings.ToUpper(terminal.Clear(o.Slug)), "VALUE", ""})
	for _, s := range o.Settings() {
		was, isNew := before[s.Name]
		note := ""
		if isNew {
			note = "was " + n.settingText(s.Name, was)
		}
		if !asked || isNew {
			t.AppendRow(table.Row{s.Name, n.settingText(s.Name, s.Value), note})
		}
	}
	if !asked {
		t.AppendRow(table.Row{"identity_provider", terminal.Clear(o.IdentityProvider), "set at the import"})
	}
	t.Render()
}

// settingText is a setting's value for people: a member by name.
func (n *names) settingText(name, value string) string {
	if name == provisioningAdmin && value != "" {
		if m, err := n.store.FindMember(n.ctx, value, ""); err == nil {
			return person(m.DisplayName, m.Email)
		}
	}
	if value == "" {
		return "nobody"
	}
	return terminal.Clear(value)
}
