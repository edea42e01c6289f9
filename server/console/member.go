package console

import "net/http"

// members registers members, and what admins do with them.
func (c *Console) members(mux *http.ServeMux) {
	_ = mux
}
