package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// A field that asks for a person suggests those of the organization whose name,
// address or external ID begins as what is typed.
func TestPeopleAreSuggested(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := fixture.New(t, d.DB)
	d.Exec(`UPDATE members SET display_name = 'Ada "Countess" Lovelace' WHERE id IN ($1, $2)`, d.Manager, other.Manager)
	admin := d.as(d.Admin)
	suggested := func(path, field, typed string) *page {
		t.Helper()
		return admin.open(t, http.MethodPost, path, url.Values{field: {typed}}, "Sec-Fetch-Site", "same-origin")
	}
	found := suggested("/console/people?field=new_owner", "new_owner", "lov")
	require.Equal(t, http.StatusOK, found.status)
	require.Equal(t, 1, found.Find("datalist#people-new_owner option").Length())
	require.Equal(t, "m3@acme.example", found.Find("option").AttrOr("value", ""))
	require.Equal(t, `Ada "Countess" Lovelace`, found.text("option"))
	for _, typed := range []string{"", "nobody", "<", strings.Repeat("a", 500)} {
		none := suggested("/console/people?field=new_owner", "new_owner", typed)
		require.Equal(t, 1, none.Find("datalist#people-new_owner").Length(), typed)
		require.Zero(t, none.Find("option").Length(), typed)
	}
	for _, field := range []string{"", "a b", `x"onclick=`} {
		require.Equal(t, http.StatusBadRequest, suggested("/console/people?field="+url.QueryEscape(field), field, "ada").status, field)
	}
}
