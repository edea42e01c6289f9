package console

import "net/http"

// audit registers the audit.
func (c *Console) audit(mux *http.ServeMux) {
	_ = mux
}
