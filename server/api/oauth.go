package api

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// OAuthError is an error as OAuth clients know it (RFC 6749, section 5.2), with our
// code beside it.
type OAuthError struct {
	Name        string           `json:"error" enum:"invalid_request,invalid_client,unauthorized_client,unsupported_grant_type,invalid_scope" doc:"Code of RFC 6749"`
	Description string           `json:"error_description" doc:"What is wrong, for a person"`
	Code        offboarding.Code `json:"code" doc:"Stable code of ours" example:"unauthenticated"`
	ErrorCode   int              `json:"errorCode" doc:"Stable number of the code" example:"1003"`
	RefID       string           `json:"refId" doc:"ID of this occurrence, also in the server's log"`

	status int
	header http.Header
}

// Error is the description.
func (e *OAuthError) Error() string { return e.Description }

// GetStatus is the HTTP status, for huma.
func (e *OAuthError) GetStatus() int { return e.status }

// GetHeaders are further headers, for huma.
func (e *OAuthError) GetHeaders() http.Header { return e.header }

func oauthError(ctx context.Context, status int, name string, code offboarding.Code, description string) *OAuthError {
	return &OAuthError{
		Name: name, Description: description, Code: code, ErrorCode: problem.MeaningOf(code).Number, RefID: problem.RefID(ctx),
		status: status, header: http.Header{"Cache-Control": {noStore}},
	}
}

func badRequest(ctx context.Context, name, description string) error {
	return oauthError(ctx, http.StatusBadRequest, name, offboarding.CodeInvalidArgument, description)
}

// FormInput is a form, and a client that may have shown itself by Basic.
type FormInput struct {
	Authorization string `header:"Authorization" hidden:"true"`
	ContentType   string `header:"Content-Type" hidden:"true"`
	RawBody       []byte `contentType:"application/x-www-form-urlencoded"`
}

// form is the form, of which nothing is there twice.
func (in *FormInput) form(ctx context.Context) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(in.ContentType); err != nil || kind != formType {
		return nil, badRequest(ctx, "invalid_request", "the body must be "+formType)
	}
	form, err := url.ParseQuery(string(in.RawBody))
	if err != nil {
		return nil, badRequest(ctx, "invalid_request", "the body cannot be read as a form")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, badRequest(ctx, "invalid_request", "the form has a field twice")
		}
	}
	return form, nil
}

// TokenOutput is an access token (RFC 6749, section 5.1).
type TokenOutput struct {
	CacheControl string `header:"Cache-Control"`
	Pragma       string `header:"Pragma"`
	Body         struct {
		AccessToken string `json:"access_token" doc:"For the header Authorization: Bearer"`
		TokenType   string `json:"token_type" enum:"Bearer"`
		ExpiresIn   int    `json:"expires_in" doc:"Seconds that it works, unless the credential stops before" example:"900"`
	}
}

// IntrospectOutput says whether a token or credential works (RFC 7662).
type IntrospectOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Introspection
}

// Introspection is what is known of a token or credential; of one that does not work,
// or is out of the caller's reach, nothing but that.
type Introspection struct {
	Active         bool   `json:"active"`
	ClientID       string `json:"client_id,omitempty" doc:"The credential"`
	Kind           string `json:"kind,omitempty" enum:"api,embed" doc:"Of the credential"`
	Subject        string `json:"sub,omitempty" doc:"ID of the member as whom it acts"`
	OrganizationID string `json:"organization_id,omitempty" doc:"The member's organization"`
	TokenType      string `json:"token_type,omitempty" enum:"Bearer,client_credentials"`
	IssuedAt       int64  `json:"iat,omitempty" doc:"When it was made, in seconds since 1970"`
	ExpiresAt      int64  `json:"exp,omitempty" doc:"When a token expires, in seconds since 1970"`
}

// hintClientID says that what is to be introspected is a client ID alone.
const hintClientID = "client_id"

const formType = "application/x-www-form-urlencoded"

func (a *API) oauth() {
	tags := []string{"OAuth"}
	public(a, formFields{{"grant_type", "client_credentials"}, {"client_id", ""}, {"client_secret", ""}}, huma.Operation{
		Method: http.MethodPost, Path: "/oauth/token", OperationID: "create-token", Summary: "Get an access token", Tags: tags,
		Description: "The client-credentials grant of OAuth 2 (RFC 6749) for an API credential, shown by Basic or in the form. The token works for 15 minutes, and never longer than its credential.",
	}, a.token)
	public(a, formFields{{"token", ""}, {"client_id", ""}, {"client_secret", ""}}, huma.Operation{
		Method: http.MethodPost, Path: "/oauth/revoke", OperationID: "revoke-token", Summary: "End an access token", Tags: tags,
		Description: "Ends a token of the client before its time (RFC 7009). What is not a token of the client is answered the same, and stays.",
	}, a.revokeToken)
	register(a, AccessAdmin, huma.Operation{
		Method: http.MethodPost, Path: "/oauth/introspect", OperationID: "introspect", Summary: "Does a token or credential work?", Tags: tags, Metadata: changesNothing,
		Description: "Tells of an access token, or of an API or embed credential, whether it works right now (RFC 7662). `token` is the access token, " +
			"`client_id:client_secret`, or with `token_type_hint=client_id` the client ID alone. What is out of the caller's reach does not work.",
	}, a.introspect)
	describeForm(a, "/oauth/introspect", formFields{{"token", ""}, {"token_type_hint", hintClientID}})
}

// client is the credential that a client shows, by Basic or in the form.
func (a *API) client(ctx context.Context, in *FormInput, form url.Values) (*auth.Caller, error) {
	caller, err := auth.From(ctx)
	inForm := form.Has("client_id") || form.Has("client_secret")
	switch {
	case in.Authorization != "" && inForm:
		return nil, badRequest(ctx, "invalid_request", "show the client ID and secret by Basic or in the form, not both")
	case in.Authorization == "":
		caller, err = a.auth.Client(ctx, form.Get("client_id"), form.Get("client_secret"))
	case !strings.HasPrefix(strings.ToLower(in.Authorization), "basic "):
		caller, err = nil, problem.New(ctx, problem.CodeUnauthenticated, "a client shows its ID and secret, not a token")
	}
	if err == nil {
		return caller, nil
	}
	switch p := problem.From(ctx, a.log, err); p.Status {
	case http.StatusUnauthorized:
		e := oauthError(ctx, http.StatusUnauthorized, "invalid_client", p.Code, p.Detail)
		e.header.Set("WWW-Authenticate", `Basic realm="handover"`)
		return nil, e
	case http.StatusForbidden: // an embed credential
		return nil, oauthError(ctx, http.StatusBadRequest, "unauthorized_client", p.Code, p.Detail)
	default:
		return nil, p
	}
}

func (a *API) token(ctx context.Context, in *FormInput) (*TokenOutput, error) {
	form, err := in.form(ctx)
	if err != nil {
		return nil, err
	}
	caller, err := a.client(ctx, in, form)
	if err != nil {
		return nil, err
	}
	switch {
	case !form.Has("grant_type"):
		return nil, badRequest(ctx, "invalid_request", "grant_type is missing")
	case form.Get("grant_type") != "client_credentials":
		return nil, badRequest(ctx, "unsupported_grant_type", "grant_type must be client_credentials")
	case form.Get("scope") != "":
		return nil, badRequest(ctx, "invalid_scope", "there are no scopes: a token does what its member may")
	}
	token, hash := offboarding.NewSecret(offboarding.SecretOfToken)
	at := a.now().UTC()
	out := &TokenOutput{CacheControl: noStore, Pragma: "no-cache"}
	out.Body.AccessToken, out.Body.TokenType, out.Body.ExpiresIn = token, "Bearer", int(tokenLife.Seconds())
	return out, a.gate.CreateToken(ctx, caller.CredentialID, hash, at, at.Add(tokenLife))
}

func (a *API) revokeToken(ctx context.Context, in *FormInput) (*struct{}, error) {
	form, err := in.form(ctx)
	if err != nil {
		return nil, err
	}
	caller, err := a.client(ctx, in, form)
	if err != nil {
		return nil, err
	}
	if form.Get("token") == "" {
		return nil, badRequest(ctx, "invalid_request", "token is missing")
	}
	return nil, a.gate.DeleteToken(ctx, caller.CredentialID, offboarding.HashSecret(form.Get("token")))
}

func (a *API) introspect(ctx context.Context, c *auth.Caller, in *FormInput) (*IntrospectOutput, error) {
	if c.CredentialID == "" {
		return nil, offboarding.Refuse("", offboarding.CodeNotAuthorized, "", "programs introspect, with an API credential")
	}
	form, err := in.form(ctx)
	if err != nil {
		var e *OAuthError
		if errors.As(err, &e) {
			return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, "body", e.Description)
		}
		return nil, err
	}
	token := form.Get("token")
	if token == "" {
		return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, "token", "token is missing")
	}
	out := &IntrospectOutput{CacheControl: noStore}
	var i *offboarding.Identity
	clientID, secret, pair := strings.Cut(token, ":")
	switch {
	case form.Get("token_type_hint") == hintClientID && !pair:
		i, err = a.gate.CredentialIdentity(ctx, token)
	case pair:
		if i, err = a.gate.CredentialIdentity(ctx, clientID); !auth.Matches(i, secret) {
			i = nil
		}
	default:
		i, err = a.gate.TokenIdentity(ctx, offboarding.HashSecret(token))
	}
	if err != nil || i == nil || !i.Live(a.now()) || !c.Reaches(i.Member.OrganizationID) {
		return out, err
	}
	out.Body = Introspection{
		Active: true, ClientID: i.CredentialID, Kind: i.Kind, Subject: i.Member.ID, OrganizationID: i.Member.OrganizationID,
		TokenType: "client_credentials", IssuedAt: i.CreatedAt.Unix(),
	}
	if i.ExpiresAt != nil {
		out.Body.TokenType, out.Body.ExpiresAt = "Bearer", i.ExpiresAt.Unix()
	}
	return out, nil
}
