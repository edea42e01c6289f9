package console

import "net/http"

// transfers registers ownership requests, and all documents without an owner.
func (c *Console) transfers(mux *http.ServeMux) {
	_ = mux
}
