package console

import (
	"maps"
	"slices"

	"handover/offboarding"
)

// organizations are those within reach, to choose from; none where there is only the
// reader's own.
func (v *visit) organizations() ([]Option, error) {
	if len(v.caller.Organizations) < 2 {
		return nil, nil
	}
	var page offboarding.Page[offboarding.OrganizationRow]
	if err := v.get("/v1/organizations", nil, &page); err != nil {
		return nil, err
	}
	out := make([]Option, len(page.Items))
	for i, o := range page.Items {
		out[i] = Option{Value: o.ID, Label: o.Name}
	}
	return out, nil
}

// Field is a field of a form, as it is sent.
type Field struct{ Name, Value string }

// Others is what narrows the page but for one thing, and from its first page on: what
// a form carries along that changes the one.
func (v *visit) Others(name string) []Field {
	var out []Field
	query := v.r.URL.Query()
	for _, other := range slices.Sorted(maps.Keys(query)) {
		if other == name || other == "cursor" || other == "notice" {
			continue
		}
		for _, value := range query[other] {
			out = append(out, Field{other, value})
		}
	}
	return out
}
