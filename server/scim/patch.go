package scim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	filter "github.com/scim2/filter-parser/v2"

	"handover/offboarding"
)

// patched is an account after the operations of a PATCH, in their order.
func patched(a offboarding.Account, operations []scim.PatchOperation) (offboarding.Account, error) {
	a.Profile.Emails = slices.Clone(a.Profile.Emails)
	for _, op := range operations {
		if err := patchOne(&a, op); err != nil {
			return a, err
		}
	}
	return a, nil
}

func patchOne(a *offboarding.Account, op scim.PatchOperation) error {
	name, sub := op.Path.AttributePath.AttributeName, op.Path.AttributePath.SubAttributeName()
	if sub == "" {
		sub = op.Path.SubAttributeName()
	}
	if op.Op == scim.PatchOperationRemove && name != "emails" {
		op.Value = nil
	}
	switch name {
	case "active":
		active, ok := op.Value.(bool)
		if !ok {
			return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "active is true or false")
		}
		a.Active = active
	case "name":
		patchName(&a.Profile, sub, op)
	case "emails":
		return patchEmails(&a.Profile, sub, op)
	case "manager":
		a.ManagerID = ""
		if sub == "" {
			a.ManagerID = textOf(object(op.Value)["value"])
		} else {
			a.ManagerID = textOf(op.Value)
		}
	default:
		if field := textField(a, name); field != nil {
			*field = textOf(op.Value)
		}
	}
	return nil
}

// textField is where a text of the top of the resource is kept.
func textField(a *offboarding.Account, name string) *string {
	switch name {
	case "userName":
		return &a.UserName
	case "externalId":
		return &a.ProviderID
	case "displayName":
		return &a.Profile.DisplayName
	case "title":
		return &a.Profile.Title
	case "timezone":
		return &a.Profile.TimeZone
	}
	return nil
}

// patchName sets parts of the name, or clears it; parts that are not named stay.
func patchName(p *offboarding.Profile, sub string, op scim.PatchOperation) {
	parts := map[string]*string{"formatted": &p.Formatted, "givenName": &p.GivenName, "familyName": &p.FamilyName}
	if part := parts[sub]; part != nil {
		*part = textOf(op.Value)
		return
	}
	if op.Value == nil {
		p.Formatted, p.GivenName, p.FamilyName = "", "", ""
	}
	for name, value := range object(op.Value) {
		if part := parts[name]; part != nil {
			*part = textOf(value)
		}
	}
}

func patchEmails(p *offboarding.Profile, sub string, op scim.PatchOperation) error {
	selected := func(e offboarding.Address) bool {
		return op.Path.ValueExpression == nil || matches(op.Path.ValueExpression, map[string]string{
			"value": e.Email, "type": e.Type, "primary": strconv.FormatBool(e.Primary),
		})
	}
	if op.Op == scim.PatchOperationRemove {
		p.Emails = removeEmails(p.Emails, sub, op.Value, selected)
		return nil
	}
	if op.Path.ValueExpression == nil && sub == "" {
		return setEmails(p, op)
	}
	values := object(op.Value)
	if sub != "" {
		values = map[string]any{sub: op.Value}
	}
	hit := false
	for i := range p.Emails {
		if selected(p.Emails[i]) {
			hit = true
			patchAddress(p, i, values)
		}
	}
	if hit {
		return nil
	}
	// Entra sets the address for work of an account that has none.
	fresh := map[string]any{}
	if !implied(op.Path.ValueExpression, fresh) {
		return fail(http.StatusBadRequest, scimerrors.ScimTypeNoTarget, "the path selects no email")
	}
	p.Emails = append(p.Emails, offboarding.Address{})
	patchAddress(p, len(p.Emails)-1, fresh)
	patchAddress(p, len(p.Emails)-1, values)
	return nil
}

// setEmails adds to the addresses, or puts others in their place.
func setEmails(p *offboarding.Profile, op scim.PatchOperation) error {
	if op.Op == scim.PatchOperationReplace {
		p.Emails = nil
	}
	emails, err := addresses(op.Value)
	if err != nil {
		return err
	}
	for _, e := range emails {
		same := func(have offboarding.Address) bool {
			return strings.EqualFold(have.Email, e.Email) && strings.EqualFold(have.Type, e.Type)
		}
		i := slices.IndexFunc(p.Emails, same)
		if i < 0 {
			p.Emails = append(p.Emails, offboarding.Address{Email: e.Email, Type: e.Type})
			i = len(p.Emails) - 1
		}
		if e.Primary {
			onlyPrimary(p, i)
		}
	}
	return nil
}

// implied is what a filter in brackets says of a value that it would select.
func implied(e filter.Expression, values map[string]any) bool {
	switch e := e.(type) {
	case nil:
		return true
	case *filter.AttributeExpression:
		value, _ := e.CompareValue.(string)
		switch name := strings.ToLower(e.AttributePath.AttributeName); name {
		case "value", "type":
			values[name] = unescape(value)
		case "primary":
			primary, ok := e.CompareValue.(bool)
			values[name] = primary || !ok && strings.EqualFold(value, "true")
		}
		return e.Operator == filter.EQ
	case *filter.LogicalExpression:
		return e.Operator == filter.AND && implied(e.Left, values) && implied(e.Right, values)
	}
	return false
}

func patchAddress(p *offboarding.Profile, i int, values map[string]any) {
	for name, value := range values {
		switch name {
		case "value":
			p.Emails[i].Email = textOf(value)
		case "type":
			p.Emails[i].Type = textOf(value)
		case "primary":
			p.Emails[i].Primary = false
			if primary, _ := value.(bool); primary {
				onlyPrimary(p, i)
			}
		}
	}
}

func onlyPrimary(p *offboarding.Profile, i int) {
	for n := range p.Emails {
		p.Emails[n].Primary = n == i
	}
}

// removeEmails takes out what is selected: by the path, or by value as Entra sends
// it for what has many; with a part named, that part alone.
func removeEmails(emails []offboarding.Address, sub string, value any, selected func(offboarding.Address) bool) []offboarding.Address {
	if list, ok := value.([]any); ok && len(list) > 0 {
		inPath := selected
		selected = func(e offboarding.Address) bool {
			return inPath(e) && slices.ContainsFunc(list, func(v any) bool { return strings.EqualFold(textOf(object(v)["value"]), e.Email) })
		}
	}
	return slices.DeleteFunc(emails, func(e offboarding.Address) bool {
		return selected(e) && (sub == "" || sub == "value")
	})
}

// addresses reads the emails of a resource.
func addresses(value any) ([]offboarding.Address, error) {
	if value == nil {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "emails is a list")
	}
	var out []offboarding.Address
	primaries := 0
	for _, v := range list {
		e := object(v)
		primary, _ := e["primary"].(bool)
		if primary {
			primaries++
		}
		if email := textOf(e["value"]); email != "" {
			out = append(out, offboarding.Address{Email: email, Type: textOf(e["type"]), Primary: primary})
		}
	}
	if primaries > 1 {
		return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "one email at most is the primary one")
	}
	return out, nil
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}

func object(value any) map[string]any {
	switch o := value.(type) {
	case map[string]any:
		return o
	case []any: // of what the library has wrapped
		if len(o) == 1 {
			return object(o[0])
		}
	}
	return nil
}
