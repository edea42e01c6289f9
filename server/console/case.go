package console

import "net/http"

// cases registers one case and what admins do with it.
func (c *Console) cases(mux *http.ServeMux) {
	_ = mux
}
