package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/offboarding"
)

func newCredentialCmd(f *factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credential COMMAND",
		Short: "Create, list and revoke the credentials of the HTTP API",
		Long: `Create, list and revoke client credentials. Who shows an API credential to the
HTTP API acts as its member. An embed credential is for what the host product
embeds. The secret is shown once, when the credential is made.`,
		Example: `  starter credential create --member admin@example.com --name "HR system" --as admin@example.com
  starter credential list --member admin@example.com
  starter credential revoke 01a1ffde-c038-72a2-abd3-2ee046c7cc2d --as admin@example.com`,
		RunE: wantsCommand("credential "),
	}
	cmd.AddCommand(newCredentialCreateCmd(f, nil), newCredentialListCmd(f, nil), newCredentialRevokeCmd(f, nil))
	return cmd
}

type credentialOptions struct {
	*factory
	paging
	client             string
	member, kind, name string
	origin             string
	revoked            bool
}

func newCredentialCreateCmd(f *factory, runF func(*credentialOptions) error) *cobra.Command {
	opts := &credentialOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "create",
		Short:   "Create a credential, and show its secret this once",
		Example: `  starter credential create --member admin@example.com --name "HR system" --as admin@example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args)
			wrong.actor(f)
			wrong.check(opts.name != "", "--name is missing: what is the credential for?")
			wrong.note("--name", opts.name)
			wrong.check(slices.Contains(offboarding.CredentialKinds, opts.kind), "--kind must be one of %v", offboarding.CredentialKinds)
			if err := wrong.err(); err != nil {
				return err
			}
			if runF != nil {
				return runF(opts)
			}
			return credentialCreateRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.member, "member", "", "`MEMBER` as whom it acts; who creates it unless given")
	flags.StringVar(&opts.kind, "kind", offboarding.CredentialAPI, "`KIND`: api or embed")
	flags.StringVar(&opts.name, "name", "", "what it is for, such as the program's name")
	originFlag(cmd, &opts.origin)
	return cmd
}

// createdCredential is what the command prints for scripts.
type createdCredential struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	MemberID     string `json:"member_id"`
	Kind         string `json:"kind"`
}

func credentialCreateRun(ctx context.Context, opts *credentialOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	m := n.member(first(opts.member, opts.as), "member_id")
	by := n.actor(opts.as, "requested_by", m.OrganizationID)
	if err := n.err(); err != nil {
		return err
	}
	secret, hash := offboarding.NewSecret(offboarding.SecretOfCredential)
	id := uuid.Must(uuid.NewV7()).String()
	err = n.store.CreateCredential(ctx, offboarding.CredentialRequest{
		ID: id, MemberID: m.ID, Kind: opts.kind, Name: opts.name, By: by.ID, Origin: opts.origin, SecretHash: hash,
	}, opts.now().UTC())
	if err != nil {
		return err
	}
	return opts.answer(createdCredential{id, secret, m.ID, opts.kind}, func(w *strings.Builder) {
		pairs(w, "Client ID", id, "Client secret", secret, "Acts as", person(m.DisplayName, m.Email))
		fmt.Fprintln(w, "\nThe secret is not kept and cannot be shown again.")
	})
}

func newCredentialListCmd(f *factory, runF func(*credentialOptions) error) *cobra.Command {
	opts := &credentialOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List credentials, the oldest first",
		Example: `  starter credential list --organization acme
  starter credential list --member ada@example.com --revoked --output json`,
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
			return credentialListRun(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.member, "member", "", "`MEMBER` whose credentials are listed")
	cmd.Flags().BoolVar(&opts.revoked, "revoked", false, "those that are revoked too")
	opts.registerPage(cmd)
	return cmd
}

func credentialListRun(ctx context.Context, opts *credentialOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	filter := offboarding.CredentialFilter{
		OrganizationID: n.organizationID(), MemberID: n.member(opts.member, "member_id").ID, Revoked: opts.revoked,
		Cursor: opts.cursor, Limit: opts.limit,
	}
	if err := n.err(); err != nil {
		return err
	}
	page, err := n.store.Credentials(ctx, filter)
	if err != nil {
		return err
	}
	header := table.Row{"client id", "member", "kind", "name", "status", "created"}
	return answerPage(opts.factory, page, "credentials", header, func(c offboarding.CredentialRow) table.Row {
		status := c.Status
		if !c.Usable && c.RevokedAt == nil {
			status += ", without a secret"
		}
		return table.Row{c.ClientID, short(c.MemberName, 30), c.Kind, short(c.Name, 30), status, shortTime(c.CreatedAt)}
	})
}

func newCredentialRevokeCmd(f *factory, runF func(*credentialOptions) error) *cobra.Command {
	opts := &credentialOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "revoke CLIENT_ID",
		Short:   "Revoke a credential, at once and for good, with its tokens",
		Example: "  starter credential revoke 01a1ffde-c038-72a2-abd3-2ee046c7cc2d --as admin@example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			var wrong problems
			wrong.args(args, "CLIENT_ID")
			wrong.actor(f)
			if err := wrong.err(); err != nil {
				return err
			}
			opts.client = args[0]
			if runF != nil {
				return runF(opts)
			}
			return credentialRevokeRun(cmd.Context(), opts)
		},
	}
	originFlag(cmd, &opts.origin)
	return cmd
}

func credentialRevokeRun(ctx context.Context, opts *credentialOptions) error {
	n, err := opts.names(ctx)
	if err != nil {
		return err
	}
	by := n.actor(opts.as, "requested_by", opts.organization)
	if err := n.err(); err != nil {
		return err
	}
	if err := n.store.RevokeCredential(ctx, opts.client, by.ID, opts.origin, opts.now().UTC()); err != nil {
		return err
	}
	return opts.answer(map[string]string{"client_id": opts.client}, func(w *strings.Builder) {
		fmt.Fprintf(w, "The credential %s is revoked.\n", opts.client)
	})
}
