package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
)

// ListCredentialsInput says whose credentials are listed.
type ListCredentialsInput struct {
	PageInput
	Member  string `query:"member" maxLength:"400" doc:"Whose: a member's ID, email:<address> or external:<external id>; the caller's own unless given"`
	Revoked bool   `query:"revoked" doc:"Those that are revoked too"`
}

// CredentialsOutput is a page of credentials.
type CredentialsOutput struct {
	Body offboarding.Page[offboarding.CredentialRow]
}

// CreateCredentialInput asks for a credential.
type CreateCredentialInput struct {
	OriginInput
	Body struct {
		Member string `json:"member,omitempty" maxLength:"400" doc:"Whose: a member's ID, email:<address> or external:<external id>; the caller's own unless given"`
		Kind   string `json:"kind,omitempty" enum:"api,embed" default:"api" doc:"api calls this API as the member, embed is for what the host product embeds"`
		Name   string `json:"name" minLength:"1" maxLength:"200" doc:"What it is for" example:"HR system"`
	}
}

// CredentialSecret is a credential that was made, with its secret.
type CredentialSecret struct {
	ClientID     string `json:"client_id" doc:"The credential's ID" example:"01a1ffde-c038-72a2-abd3-2ee046c7cc2d"`
	ClientSecret string `json:"client_secret,omitempty" doc:"Shown this once: it is not kept, and a repeat under the same Idempotency-Key does not have it"`
	MemberID     string `json:"member_id" doc:"As whom it acts"`
	Kind         string `json:"kind" enum:"api,embed"`
}

// CreateCredentialOutput answers with a credential that was made.
type CreateCredentialOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         CredentialSecret
}

// WithoutSecret is what may be kept of the answer.
func (o *CreateCredentialOutput) WithoutSecret() any {
	kept := o.Body
	kept.ClientSecret = ""
	return kept
}

// RevokeCredentialInput names a credential.
type RevokeCredentialInput struct {
	OriginInput
	ID string `path:"id" maxLength:"36" doc:"The client ID" example:"01a1ffde-c038-72a2-abd3-2ee046c7cc2d"`
}

func (a *API) credentials() {
	tags := []string{"Credentials"}
	register(a, AccessMember, huma.Operation{
		Method: http.MethodGet, Path: "/v1/credentials", OperationID: "list-credentials", Summary: "List credentials", Tags: tags,
		Description: "The caller's own credentials, or those of another member for owners and admins. The oldest come first, and secrets not at all.",
		Errors:      []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *ListCredentialsInput) (*CredentialsOutput, error) {
		m, err := a.memberOr(ctx, c, in.Member)
		if err != nil {
			return nil, err
		}
		page, err := a.store.Credentials(ctx, offboarding.CredentialFilter{MemberID: m, Revoked: in.Revoked, Cursor: in.Cursor, Limit: in.Limit})
		return &CredentialsOutput{page}, err
	})
	register(a, AccessMember, huma.Operation{
		Method: http.MethodPost, Path: "/v1/credentials", OperationID: "create-credential", Summary: "Create a credential", Tags: tags,
		Description:   "A client ID and secret of the caller, or of another active member for owners and admins (rules A1 and A2). The answer shows the secret this once.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.createCredential)
	register(a, AccessMember, huma.Operation{
		Method: http.MethodDelete, Path: "/v1/credentials/{id}", OperationID: "revoke-credential", Summary: "Revoke a credential", Tags: tags,
		Description:   "At once and for good, with all its tokens: the caller's own, or another member's for owners and admins (rules A1 and A2). One that is revoked already stays so.",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, c *auth.Caller, in *RevokeCredentialInput) (*struct{}, error) {
		origin, wrong := in.origin()
		if len(wrong) > 0 {
			return nil, offboarding.RefusalOf(wrong)
		}
		return nil, a.store.RevokeCredential(ctx, in.ID, c.Member.ID, origin, a.now().UTC(), c.Organizations...)
	})
}

func (a *API) createCredential(ctx context.Context, c *auth.Caller, in *CreateCredentialInput) (*CreateCredentialOutput, error) {
	origin, wrong := in.origin()
	if len(wrong) > 0 {
		return nil, offboarding.RefusalOf(wrong)
	}
	m, err := a.memberOr(ctx, c, in.Body.Member)
	if err != nil {
		return nil, err
	}
	secret, hash := offboarding.NewSecret(offboarding.SecretOfCredential)
	out := CredentialSecret{ClientID: a.newID(ctx, "credential"), ClientSecret: secret, MemberID: m, Kind: in.Body.Kind}
	err = a.store.CreateCredential(ctx, offboarding.CredentialRequest{
		ID: out.ClientID, MemberID: m, Kind: in.Body.Kind, Name: in.Body.Name, By: c.Member.ID, Origin: origin, SecretHash: hash,
	}, a.now().UTC())
	return &CreateCredentialOutput{CacheControl: noStore, Body: out}, err
}

// memberOr is the ID of the member whom a reference names and the caller may see,
// the caller's own where there is none.
func (a *API) memberOr(ctx context.Context, c *auth.Caller, ref string) (string, error) {
	if ref == "" {
		return c.Member.ID, nil
	}
	m, err := a.member(ctx, c, ref, "member")
	return m.ID, err
}

// noStore keeps answers with secrets out of caches.
const noStore = "no-store"

// tokenLife is how long a token of /oauth/token works.
const tokenLife = 15 * time.Minute
