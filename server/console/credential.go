package console

import (
	"net/http"
	"net/url"

	"handover/offboarding"
)

const credentialsPath = settingsPath + "/credentials"

// credentials registers the credentials of members.
func (c *Console) credentials(mux *http.ServeMux) {
	c.route(mux, "GET "+credentialsPath, AccessAdmin, func(v *visit) error { return v.listCredentials(v.Query("member")) })
	c.route(mux, "POST "+credentialsPath, AccessAdmin, (*visit).toCredentials)
}

// credentialList is what the credentials of a member show.
type credentialList struct {
	Member offboarding.Member
	offboarding.Page[offboarding.CredentialRow]
	Kinds, Statuses []Option
}

// listCredentials shows the credentials of a member, "" for the reader's own.
func (v *visit) listCredentials(member string) error {
	if err := v.followOpened(); err != nil {
		return err
	}
	if member == "" {
		member = v.Me()
	}
	list := credentialList{
		Kinds:    options(v, "credential.kind", offboarding.CredentialKinds...),
		Statuses: []Option{{Label: v.T("credentials.live")}, {Value: "true", Label: v.T("credentials.all")}},
	}
	if err := v.get(at("/v1/members/%s", member), nil, &list.Member); err != nil {
		return err
	}
	query := url.Values{"member": {list.Member.ID}, "limit": {pageSize}}
	if v.Query("revoked") != "" {
		query.Set("revoked", "true")
	}
	if cursor := v.Query("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	if err := v.get("/v1/credentials", query, &list.Page); err != nil {
		return err
	}
	return v.show("credentials", list)
}

// toCredentials does what the button says that sent the form: finds a member, makes a
// credential, or revokes one.
func (v *visit) toCredentials() error {
	member := v.Value("member")
	again := func() error { return v.listCredentials(member) }
	switch v.Value("do") {
	case "find":
		found, err := v.find("person")
		switch {
		case err != nil:
			return err
		case found == nil:
			return again()
		}
		return v.redirect(credentialsPath + "?" + url.Values{"member": {found.ID}}.Encode())
	case "revoke":
		return v.judged(v.call(http.MethodDelete, at("/v1/credentials/%s", v.Value("credential")), nil, nil, nil), again,
			func() error {
				return v.done(credentialsPath+"?"+url.Values{"member": {member}}.Encode(), "credential_revoked")
			})
	}
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	body := map[string]any{"member": member, "kind": v.Value("kind"), "name": v.Value("name")}
	return v.judged(v.post("/v1/credentials", body, &made), again, func() error {
		return v.show("secret", Secret{
			Kind: "credential", ID: made.ID, Secret: made.Secret, Back: credentialsPath + "?" + url.Values{"member": {member}}.Encode(),
		})
	}, "member", "", "member_id", "")
}

// find finds the member whom somebody has typed into a field. It answers nil where
// there is none, and the page that is shown again says so beside the field.
func (v *visit) find(field string) (*offboarding.Member, error) {
	var m offboarding.Member
	typed := who(v.Value(field))
	if typed == "" {
		v.fault(field, v.T("person.missing"))
		return nil, nil //nolint:nilnil // the fault says it
	}
	err := v.get(at("/v1/members/%s", typed), nil, &m)
	if v.refused(err, "id", field) {
		return nil, nil //nolint:nilnil // as above
	}
	return &m, err
}
