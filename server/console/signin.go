package console

import (
	"net/http"

	"handover/server/auth"
)

// SignInFailed says why a sign-in has come to nothing.
func (c *Console) SignInFailed(w http.ResponseWriter, r *http.Request, err error) {
	v := c.begun(w, r)
	v.fail(err, "sign-in")
}

// ChooseOrganization asks a member of several organizations which is meant.
func (c *Console) ChooseOrganization(w http.ResponseWriter, r *http.Request, choices []auth.Choice) {
	v := c.begun(w, r)
	if err := v.show("organizations", choices); err != nil {
		v.failed(err)
	}
}

// begun is a visit in the middle of a sign-in: its address has a code in it, which is
// nobody else's to see.
func (c *Console) begun(w http.ResponseWriter, r *http.Request) *visit {
	v := c.visit(w, r)
	v.secure()
	w.Header().Set("Referrer-Policy", "no-referrer")
	return v
}
