package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/offboarding"
)

func newScimCmd(f *factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scim token COMMAND",
		Short: "Make, list and revoke the tokens that Okta or Entra comes with",
		Long: `Make, list and revoke the tokens with which an organization's identity provider
(Okta or Entra) creates, changes and offboards members over SCIM. The token is
shown once, when it is made; what is kept is its hash.`,
		Example: `  starter scim token create --as admin@example.com
  starter scim token list --organization acme
  starter scim token revoke 01a1ffde-c038-72a2-abd3-2ee046c7cc2d --as admin@example.com`,
		RunE: wantsCommand("scim "),
	}
	token := &cobra.Command{
		Use: "token COMMAND", Short: "Make, list and revoke tokens", Long: cmd.Long, Example: cmd.Example, RunE: wantsCommand("scim token "),
	}
	token.AddCommand(newScimCreateCmd(f, nil), newScimListCmd(f, nil), newScimRevokeCmd(f, nil))
	cmd.AddCommand(token)
	return cmd
}

type scimOptions struct {
	*factory
	paging
	token   string
	revoked bool
}

func newScimCreateCmd(f *factory, runF func(*scimOptions) error) *cobra.Command {
	opts := &scimOptions{factory: f}
	return &cobra.Command{
		Use:   "create",
		Short: "Make a token and show it, this once",
		Long: `Make a token for the identity provider of an organization: of --organization,
else of the member who asks. Other tokens go on working, so that one can be
replaced before it is revoked.`,
		Example: "  starter scim token create --as admin@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.actor(f)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return scimCreateRun(cmd.Context(), opts)
		},
	}
}

// scimActor finds the organization that a token belongs to, and who acts.
func scimActor(ctx context.Context, opts *scimOptions) (*names, string, offboarding.Member, error) {
	n, err := opts.names(ctx)
	if err != nil {
		return n, "", offboarding.Member{}, err
	}
	organization := n.organizationID()
	by := n.actor(opts.as, "admin_id", organization)
	return n, first(organization, by.OrganizationID), by, n.err()
}

func scimCreateRun(ctx context.Context, opts *scimOptions) error {
	n, organization, by, err := scimActor(ctx, opts)
	if err != nil {
		return err
	}
	secret, token, err := n.store.CreateScimToken(ctx, organization, by.ID, opts.now().UTC())
	if err != nil {
		return err
	}
	out := struct {
		offboarding.ScimToken
		Token string `json:"token"`
	}{token, secret}
	return opts.answer(out, func(w *strings.Builder) {
		fmt.Fprintf(w, "%s\n\nGive it to the identity provider now: it is not shown again (token %s).\n", secret, token.ID)
	})
}

func newScimListCmd(f *factory, runF func(*scimOptions) error) *cobra.Command {
	opts := &scimOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tokens, the oldest first",
		Example: `  starter scim token list --organization acme
  starter scim token list --revoked --output json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.limit(opts.paging)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return scimListRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.revoked, "revoked", false, "those that have been revoked too")
	opts.registerPage(cmd)
	return cmd
}

func scimListRun(ctx context.Context, opts *scimOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	organization := n.organizationID()
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.ScimTokens(ctx, offboarding.ScimTokenFilter{
		OrganizationID: organization, Revoked: opts.revoked, Cursor: opts.cursor, Limit: opts.limit,
	})
	if err != nil {
		return err
	}
	header := table.Row{"token", "made", "last used", "revoked"}
	return answerPage(opts.factory, page, "SCIM tokens", header, func(k offboarding.ScimToken) table.Row {
		return table.Row{k.ID, shortTime(k.CreatedAt), shortTimeOf(k.LastUsedAt), shortTimeOf(k.RevokedAt)}
	})
}

func newScimRevokeCmd(f *factory, runF func(*scimOptions) error) *cobra.Command {
	opts := &scimOptions{factory: f}
	return &cobra.Command{
		Use:     "revoke TOKEN",
		Short:   "Revoke a token",
		Long:    "Revoke a token by its ID, as list shows it. Who comes with it is refused from then on.",
		Example: "  starter scim token revoke 01a1ffde-c038-72a2-abd3-2ee046c7cc2d --as admin@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "TOKEN")
			wrong.actor(f)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.token = args[0]
			if runF != nil {
				return runF(opts)
			}
			return scimRevokeRun(cmd.Context(), opts)
		},
	}
}

func scimRevokeRun(ctx context.Context, opts *scimOptions) error {
	n, organization, by, err := scimActor(ctx, opts)
	if err != nil {
		return err
	}
	if err := n.store.RevokeScimToken(ctx, organization, opts.token, by.ID, opts.now().UTC()); err != nil {
		return err
	}
	return opts.answer(map[string]string{"token_id": opts.token}, func(w *strings.Builder) {
		fmt.Fprintf(w, "The SCIM token %s is revoked.\n", opts.token)
	})
}
