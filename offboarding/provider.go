package offboarding

import "slices"

// The identity providers of an organization. SAML only signs people in; the two
// others also provision accounts (SCIM).
const (
	IdentityProviderNone  = "none"
	IdentityProviderSAML  = "saml"
	IdentityProviderOkta  = "okta"
	IdentityProviderEntra = "entra"
)

// IdentityProviders lists every identity provider.
var IdentityProviders = []string{IdentityProviderNone, IdentityProviderSAML, IdentityProviderOkta, IdentityProviderEntra}

// Provisioners are the identity providers that manage members and on whose
// behalf requests are made (rule E5).
var Provisioners = []string{IdentityProviderOkta, IdentityProviderEntra}

// Provisions reports whether an identity provider manages members.
func Provisions(provider string) bool { return slices.Contains(Provisioners, provider) }

// JudgeProvider judges rule E5 of a request that is made on behalf of an
// identity provider: it speaks for the members whom it manages, in organizations
// that have it. Such a request needs no admin's authority.
func JudgeProvider(provider string, o Organization, member *Member) []Violation {
	if Provisions(provider) && o.IdentityProvider == provider && member != nil && member.ManagedBy == provider {
		return nil
	}
	return []Violation{{
		Rule: "E5", Code: CodeExternallyManaged, Field: "provider",
		Message: "only the identity provider that the organization has, and that manages the member, may ask for this",
	}}
}

// JudgeAsker judges who asks for something that concerns a member's account: an
// admin's authority (rules A1, A2, A4), or that of the identity provider on whose
// behalf it is asked (rule E5). actor is then whom the audit names: without a
// provisioning admin, somebody has to be named.
func JudgeAsker(actor Actor, provider string, o Organization, member *Member) []Violation {
	if provider == "" {
		return JudgeAuthority(actor, member)
	}
	violations := JudgeProvider(provider, o, member)
	if actor.Member == nil {
		violations = append(violations, Violation{
			Rule: "A1", Code: CodeNotAuthorized, Field: "requested_by",
			Message: "the organization has no provisioning admin, and requested_by names nobody",
		})
	}
	return violations
}

// JudgeAskerIn judges who asks for something that concerns a member's place in a
// workspace, or their account where workspaceID is "". The identity provider that
// the organization has keeps its workspaces (rule W1), whoever manages the member.
func JudgeAskerIn(workspaceID string, actor Actor, provider string, o Organization, member *Member) []Violation {
	if workspaceID == "" || provider == "" || member == nil {
		return JudgeAsker(actor, provider, o, member)
	}
	managed := *member
	managed.ManagedBy = o.IdentityProvider
	return JudgeAsker(actor, provider, o, &managed)
}

// JudgeProvidersCase judges rule E5 of an admin who would move or cancel an
// offboarding that waits for its time: what the identity provider has asked for
// is moved and canceled from there.
func JudgeProvidersCase(caseProvider, provider string) []Violation {
	if caseProvider == "" || provider != "" {
		return nil
	}
	return []Violation{{
		Rule: "E5", Code: CodeExternallyManaged, Field: "provider",
		Message: "the identity provider has asked for this offboarding, and only it can move or cancel it",
	}}
}

// ofAdmin calls requested_by what messages call it.
func ofAdmin(violations []Violation) []Violation {
	for i := range violations {
		if violations[i].Field == "requested_by" {
			violations[i].Field = "admin_id"
		}
	}
	return violations
}

// provider checks the form of a request's provider.
func (f *form) provider(provider string) {
	if provider != "" && !Provisions(provider) {
		f.bad("E5", "provider", "provider must be okta or entra")
	}
}

// actor checks who asks: a person, or nobody where an identity provider does.
func (f *form) actor(field, ref, provider string) {
	f.provider(provider)
	if provider == "" {
		f.required(field, ref)
		return
	}
	f.text(field, ref)
}
