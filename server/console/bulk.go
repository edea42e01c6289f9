package console

import "net/http"

// bulk registers offboarding many at once.
func (c *Console) bulk(mux *http.ServeMux) {
	_ = mux
}
