package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// Who has been deleted has left documents all the same: they wait, and are given to
// somebody. The address that nobody has any more is not shown.
func TestACaseOfADeletedMember(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document := d.Document(d.Leaver, "")
	id := d.offboard(t, d.Leaver)
	_, err := d.cases.Delete(t.Context(), offboarding.DeletionRequest{MemberID: d.Leaver, RequestedBy: d.Owner})
	require.NoError(t, err)
	owner := d.as(d.Owner)
	for _, path := range []string{
		"/console/leavers", "/console/leavers/" + id, "/console/leavers/" + id + "?show=waiting", "/console/leavers/" + id + "/transfer",
		"/console/leavers/" + id + "/extend", "/console/leavers/" + id + "/reactivate", "/console/transfers/unowned", "/console/transfers/unowned/" + id,
		"/console/members?status=deleted", "/console/members/" + d.Leaver, "/console/members/" + d.Leaver + "/reactivate", "/console/members/" + d.Leaver + "/delete",
	} {
		require.NotContains(t, owner.get(t, path).text("main"), "deleted.invalid", path)
	}
	review := owner.get(t, "/console/leavers/"+id+"/transfer").submit(t, "form#transfer", url.Values{"owner": {"me"}})
	require.Equal(t, http.StatusOK, review.status, review.text("main"))
	done := review.submit(t, "form#confirm", nil)
	require.Equal(t, http.StatusOK, done.status, done.text("main"))
	require.Equal(t, d.Owner, d.Text(`SELECT owner_id FROM documents WHERE id = $1`, document))
}
