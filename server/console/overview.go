package console

import "net/http"

// overview registers the charts.
func (c *Console) overview(mux *http.ServeMux) {
	_ = mux
}
