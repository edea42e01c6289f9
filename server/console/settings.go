package console

import "net/http"

// settings registers what an organization has set.
func (c *Console) settings(mux *http.ServeMux) {
	_ = mux
}
