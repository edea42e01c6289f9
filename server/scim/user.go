package scim

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/optional"

	"handover/offboarding"
)

// answerWithin is how long a request waits for the engine, well within what the
// providers wait for an answer. What was started goes on by itself.
const answerWithin = 15 * time.Second

// users are the members as a provider sees them.
type users struct{ *Server }

// Create makes a member.
func (u users) Create(r *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	c := callOf(r)
	a, err := accountOf(attributes, offboarding.Account{Active: true})
	if err != nil {
		return scim.Resource{}, c.failed(err)
	}
	made, next, err := u.store.CreateAccount(r.Context(), c.Provisioner, a, u.now())
	return u.settled(r.Context(), c, made, next, err)
}

// Get reads a member.
func (u users) Get(r *http.Request, id string) (scim.Resource, error) {
	c := callOf(r)
	p, err := u.store.Account(r.Context(), c.OrganizationID, id)
	return c.user(p), c.failed(err)
}

// GetAll lists members.
func (u users) GetAll(r *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	c := callOf(r)
	f, err := userResource.list(c, params)
	if err != nil {
		return scim.Page{}, c.failed(err)
	}
	found, total, err := u.store.Accounts(r.Context(), f)
	page := scim.Page{TotalResults: total, Resources: []scim.Resource{}}
	for _, p := range found {
		page.Resources = append(page.Resources, c.user(p))
	}
	return page, c.failed(err)
}

// Replace writes a whole account. What the request leaves out is cleared, but for
// what decides about the member and is nobody's intention to clear: active,
// externalId, manager and timezone.
func (u users) Replace(r *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	return u.write(r, id, func(a offboarding.Account) (offboarding.Account, error) {
		a.Profile = offboarding.Profile{TimeZone: a.Profile.TimeZone}
		return accountOf(attributes, a)
	})
}

// Patch changes parts of an account, all operations or none.
func (u users) Patch(r *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	return u.write(r, id, func(a offboarding.Account) (offboarding.Account, error) { return patched(a, operations) })
}

func (u users) write(r *http.Request, id string, write func(offboarding.Account) (offboarding.Account, error)) (scim.Resource, error) {
	c := callOf(r)
	var wrong error // what the store would hide: it knows refusals only
	p, next, err := u.store.WriteAccount(r.Context(), c.Provisioner, id, func(a offboarding.Account) (offboarding.Account, error) {
		a, wrong = write(a)
		return a, wrong
	}, u.now())
	if wrong != nil {
		err = wrong
	}
	return u.settled(r.Context(), c, p, next, err)
}

// settled does what remains to be done about an account that was written.
func (u users) settled(ctx context.Context, c *call, p offboarding.Provisioned, next offboarding.Next, err error) (scim.Resource, error) {
	if err == nil && next != offboarding.NextNothing {
		if err = u.settle(ctx, c, p.Member.ID, next); err == nil {
			p, err = u.store.Account(ctx, c.OrganizationID, p.Member.ID)
		}
		if err == nil && next == offboarding.NextDeactivate && p.Account.Active { // somebody was faster
			err = unavailable("the member is active again; try again")
		}
	}
	return c.user(p), c.failed(err)
}

// Delete offboards the member and takes the account out of the provider's sight;
// where the organization's policy says so, the member is deleted for good.
func (u users) Delete(r *http.Request, id string) error {
	c := callOf(r)
	next, policy, err := u.store.BeginDeprovision(r.Context(), c.Provisioner, id, u.now())
	if err == nil {
		err = u.settle(r.Context(), c, id, next)
	}
	if err == nil && policy == offboarding.ScimDeleteForGood {
		ctx, stop := context.WithTimeout(r.Context(), answerWithin)
		defer stop()
		_, err = u.cases.Delete(ctx, offboarding.DeletionRequest{MemberID: id, Provider: c.Provider, Origin: c.Origin()})
		return c.failed(err)
	}
	if err == nil {
		err = u.store.Deprovision(r.Context(), c.Provisioner, id, u.now())
	}
	return c.failed(err)
}

// settle offboards or reactivates a member. When the engine does not answer in
// time the database is asked: what has been done is done, and the rest goes on by
// itself and is joined when the provider asks again.
func (u users) settle(ctx context.Context, c *call, id string, next offboarding.Next) error {
	ctx = context.WithoutCancel(ctx) // who hangs up has had the attributes written, and the rest belongs to them
	within, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	var err error
	switch next {
	case offboarding.NextDeactivate:
		err = u.deactivate(within, c, id)
	case offboarding.NextReactivate:
		_, err = u.cases.ReactivateMembers(within, "", offboarding.ReactivationRequest{
			MemberID: id, Provider: c.Provider, Origin: c.Origin(),
		})
	default:
		return nil
	}
	if err == nil {
		return nil
	}
	p, failed := u.store.Account(ctx, c.OrganizationID, id)
	if failed == nil && p.Account.Active == (next == offboarding.NextReactivate) {
		return nil
	}
	return err
}

// deactivate starts the case, or brings forward one that waits for its time: who
// is taken away by the provider does not stay until the day that an admin has set.
// A case of an admin's about somebody whom the provider manages by now fails when
// its time comes (rule E5); the provider's own takes its place.
func (u users) deactivate(ctx context.Context, c *call, id string) error {
	for tries := 0; ; tries++ {
		status, err := u.cases.StartAndAwait(ctx, offboarding.Request{MemberID: id, Provider: c.Provider, Origin: c.Origin()})
		switch {
		case offboarding.CodeOf(err) == offboarding.CodeExternallyManaged && tries > 0:
		case err != nil || status.Phase != offboarding.PhaseScheduled:
			return err
		case tries == 0:
			now := offboarding.Reschedule{Provider: c.Provider, EffectiveAt: u.now().Format(time.RFC3339)}
			if _, err := u.cases.Reschedule(ctx, status.WorkflowID, now); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// lookAgain is how long to wait before the case is asked again.
const lookAgain = 100 * time.Millisecond

// accountOf reads a whole account; what the resource leaves out is a's.
func accountOf(attributes scim.ResourceAttributes, a offboarding.Account) (offboarding.Account, error) {
	for _, name := range []string{"userName", "externalId", "displayName", "title", "timezone"} {
		if value, ok := attributes[name].(string); ok {
			*textField(&a, name) = value
		}
	}
	if active, ok := attributes["active"].(bool); ok {
		a.Active = active
	}
	name := object(attributes["name"])
	a.Profile.Formatted, a.Profile.GivenName, a.Profile.FamilyName = textOf(name["formatted"]), textOf(name["givenName"]), textOf(name["familyName"])
	if manager, ok := object(attributes[enterpriseURN])["manager"]; ok {
		a.ManagerID = textOf(object(manager)["value"])
	}
	var err error
	a.Profile.Emails, err = addresses(attributes["emails"])
	return a, err
}

// user is a member as a resource.
func (c *call) user(p offboarding.Provisioned) scim.Resource {
	if p.Member.ID == "" {
		return scim.Resource{}
	}
	a := p.Account
	attributes := scim.ResourceAttributes{"userName": a.UserName, "active": a.Active}
	set := func(in map[string]any, name, value string) {
		if value != "" {
			in[name] = value
		}
	}
	set(attributes, "displayName", a.Profile.DisplayName)
	set(attributes, "title", a.Profile.Title)
	set(attributes, "timezone", a.Profile.TimeZone)
	name := map[string]any{}
	set(name, "formatted", a.Profile.Formatted)
	set(name, "givenName", a.Profile.GivenName)
	set(name, "familyName", a.Profile.FamilyName)
	if len(name) > 0 {
		attributes["name"] = name
	}
	var emails []any
	for _, e := range a.Profile.Emails {
		email := map[string]any{"value": e.Email, "primary": e.Primary}
		set(email, "type", e.Type)
		emails = append(emails, email)
	}
	if len(emails) > 0 {
		attributes["emails"] = emails
	}
	if a.ManagerID != "" {
		attributes[enterpriseURN] = map[string]any{"manager": map[string]any{"value": a.ManagerID, "$ref": c.base + "/Users/" + a.ManagerID}}
	}
	out := scim.Resource{ID: p.Member.ID, Attributes: attributes, Meta: scim.Meta{Created: &p.CreatedAt, LastModified: &p.UpdatedAt}}
	if a.ProviderID != "" {
		out.ExternalID = optional.NewString(a.ProviderID)
	}
	return out
}

var errNotHere = errors.New("answered by the server around the library")
