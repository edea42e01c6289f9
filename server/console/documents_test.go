package console_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// One click claims; who comes too late is told who has it.
func TestClaim(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document := d.Document(d.Leaver, "")
	d.Grant(document, d.Manager, offboarding.GrantEdit)
	d.offboard(t, d.Leaver)
	maker := d.as(d.Manager)
	list := maker.get(t, "/console/documents")
	button := `form[action="/console/documents/` + document + `/claim"]`
	claimed := list.submit(t, button, nil)
	require.Equal(t, http.StatusOK, claimed.status, claimed.text("main"))
	require.Equal(t, "The document is yours now.", claimed.text(".notice"))
	require.Zero(t, claimed.Find(button).Length())
}
