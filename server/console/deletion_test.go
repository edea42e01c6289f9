package console_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// await opens a page until it says something.
func (p *person) await(t *testing.T, path, says string) *page {
	t.Helper()
	var got *page
	require.Eventually(t, func() bool {
		got = p.get(t, path)
		return got.Find("main:contains('"+says+"')").Length() > 0
	}, 30*time.Second, 50*time.Millisecond, "%s does not say %q", path, says)
	return got
}

// A deletion says in numbers what it does, asks for the address, and then does it.
func TestDeleteAMember(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	document := d.Document(d.Leaver, "")
	d.Credential(d.Leaver)
	admin := d.as(d.Admin)
	member := admin.get(t, "/console/members/"+d.Leaver)
	form := admin.get(t, member.Find(`a.button:contains("Delete")`).AttrOr("href", ""))
	require.Equal(t, "1 document stays 0 active schedules 1 credential is revoked 0 sessions end", form.text(".figures"))
	require.Contains(t, form.text(".steps"), "1 document waits for a new owner.")
	require.Contains(t, form.text(".steps"), "under the member's name")
	for _, typed := range []string{"", " ", "m3@acme.example", "Member 4", "m4@acme.example\r\nX: y"} {
		wrong := form.submit(t, "form#delete", url.Values{"email": {typed}})
		require.Equal(t, http.StatusBadRequest, wrong.status, "%q", typed)
		require.NotEmpty(t, wrong.text("#fault-email"))
	}
	require.Equal(t, "active", d.Text(`SELECT status FROM members WHERE id = $1`, d.Leaver), "nothing has happened yet")

	confirmed := url.Values{"email": {" M4@acme.example "}}
	first := form.submit(t, "form#delete", confirmed)
	require.Regexp(t, "^/console/members/"+d.Leaver+"/deletions/[0-9a-f-]{36}$", first.url.RequestURI())
	require.Equal(t, first.url, form.submit(t, "form#delete", confirmed).url, "a form that is sent twice does once what it does")
	done := admin.await(t, first.url.RequestURI(), "The account and its personal data are gone.")
	require.Zero(t, done.Find("main [hx-get]").Length(), "nothing is left to look for")
	require.Contains(t, d.Text(`SELECT email FROM members WHERE id = $1`, d.Leaver), "@deleted.invalid")
	require.Contains(t, d.DocumentState(document), d.Leaver)
	gone := admin.get(t, "/console/members/"+d.Leaver)
	require.Equal(t, "Deleted", gone.text(".head .badge"))
	require.Zero(t, gone.Find("a.button").Length())
	require.Contains(t, admin.get(t, "/console/members/"+d.Leaver+"/delete").text(".callout.bad"), "no such member")
	require.Equal(t, []string{"Member 4"}, admin.get(t, "/console/members?status=deleted").rows())
}

// Who is inactive already is deleted without an offboarding; the documents go on waiting.
func TestDeleteAnInactiveMember(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Exec(`UPDATE organizations SET attribution = 'anonymous' WHERE id = $1`, d.ID)
	d.Document(d.Leaver, "")
	d.offboard(t, d.Leaver)
	admin := d.as(d.Admin)
	form := admin.get(t, "/console/members/"+d.Leaver+"/delete")
	require.Contains(t, form.text(".steps"), "1 document goes on waiting for an owner.")
	require.Contains(t, form.text(".steps"), "no longer name the member")
	begun := form.submit(t, "form#delete", url.Values{"email": {"m4@acme.example"}})
	admin.await(t, begun.url.RequestURI(), "The account and its personal data are gone.")
	require.NotContains(t, admin.get(t, "/console/members/"+d.Leaver).text("main"), "Member 4")
}

// Who cannot be deleted: the page says why, and so does a deletion that is sent all the same.
func TestNotToDelete(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := fixture.New(t, d.DB)
	admin := d.as(d.Admin)
	for member, why := range map[string]string{d.Owner: "Admins do not act on owners", d.Admin: "Nobody acts on their own account"} {
		form := admin.get(t, "/console/members/"+member+"/delete")
		require.Contains(t, form.text(".callout.bad"), why)
		require.Zero(t, form.Find("form#delete").Length())
		begun := admin.open(t, http.MethodPost, "/console/members/"+member+"/delete", url.Values{"email": {d.Text(`SELECT email FROM members WHERE id = $1`, member)}})
		require.Contains(t, admin.await(t, begun.url.RequestURI(), "The member was not deleted.").text(".callout.bad"), why)
	}
	require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/members/"+other.Leaver+"/delete", nil).status)
	sent := admin.open(t, http.MethodPost, "/console/members/"+other.Leaver+"/delete", url.Values{"email": {"m4@acme.example"}})
	require.Equal(t, http.StatusNotFound, sent.status)
	for _, run := range []string{"x", uuid.NewString()} {
		require.GreaterOrEqual(t, admin.open(t, http.MethodGet, "/console/members/"+d.Leaver+"/deletions/"+run, nil).status, 400, run)
	}
	require.Zero(t, d.Count(`SELECT count(*) FROM members WHERE status = 'deleted'`))
}
