package console

import "net/http"

// leavers registers the list of cases.
func (c *Console) leavers(mux *http.ServeMux) {
	_ = mux
}
