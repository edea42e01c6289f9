package console

import "net/http"

// people registers what signing in and out shows.
func (c *Console) people(mux *http.ServeMux) {
	c.route(mux, "GET "+Path+"signed-in", AccessMember, func(v *visit) error { return v.show("signed-in", nil) })
	c.route(mux, "POST "+Path+"sign-out", AccessMember, func(v *visit) error {
		if err := c.auth.SignOut(v.w, v.r); err != nil {
			return err
		}
		v.caller = nil
		return v.show("signed-out", nil)
	})
}
