package console

import (
	"net/http"
	"regexp"

	"handover/offboarding"
)

// SignOut is where somebody signs out, by a form.
const SignOut = Path + "sign-out"

// people registers what signing in and out shows, and whom the part "person" suggests.
func (c *Console) people(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"signed-in", AccessMember, func(v *visit) error { return v.show("signed-in", nil) })
	c.route(mux, "POST "+SignOut, AccessMember, func(v *visit) error {
		if err := c.auth.SignOut(v.w, v.r); err != nil {
			return err
		}
		v.caller = nil
		return v.show("signed-out", nil)
	})
	c.route(mux, "POST "+Path+"people", AccessAdmin, (*visit).suggest)
}

// suggested is how many members are suggested to who types a name.
const suggested = 10

// fieldName is what a field may be called.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// suggest answers with the members whom a field of the part "person" may mean, by what
// has been typed into it so far.
func (v *visit) suggest() error {
	field := v.Query("field")
	if !fieldName.MatchString(field) {
		return offboarding.Refuse("", offboarding.CodeInvalidArgument, "", v.T("error.form"))
	}
	var found offboarding.Page[offboarding.MemberRow]
	if typed := v.Value(field); typed != "" {
		err := v.post("/v1/members/search", map[string]any{"q": typed, "limit": suggested}, &found)
		if err != nil && !v.refused(err) { // what is too long is nobody's name
			return err
		}
	}
	return v.fragment("people", map[string]any{"field": field, "members": found.Items})
}
