package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// rows are the first words of each row of a list.
func (p *page) rows() []string {
	var all []string
	for _, row := range p.Find(".list tbody th a").EachIter() {
		all = append(all, strings.TrimSpace(row.Text()))
	}
	return all
}

// Active members are what the list has by default; the others have their tabs (seeds 000 and 002).
func TestMembers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	fixture.New(t, d.DB) // another tenant
	d.Document(d.Leaver, "")
	caseID := d.offboard(t, d.Leaver)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/members")
	require.Equal(t, []string{"Member 1", "Member 2", "Member 3"}, list.rows())
	require.Contains(t, list.text("main"), "3 members")
	require.Equal(t, "Active", list.text(".tabs [aria-current]"))
	inactive := admin.get(t, list.Find(`.tabs a:contains("Inactive")`).AttrOr("href", ""))
	require.Equal(t, []string{"Member 4"}, inactive.rows())
	require.Contains(t, inactive.text("#member-"+d.Leaver), "1 waits for an owner")
	require.Equal(t, "Grace period Member 4", inactive.text(`a[href="/console/leavers/`+caseID+`"]`))
	require.Empty(t, admin.get(t, "/console/members?status=deleted").rows())
	require.Len(t, admin.get(t, "/console/members?status=all").rows(), 4)
	for _, nonsense := range []string{"?status=nobody", "?cursor=%00", "?cursor=x"} {
		require.Equal(t, http.StatusBadRequest, admin.open(t, http.MethodGet, "/console/members"+nonsense, nil).status, nonsense)
	}
}

func TestMembersArePaged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 60 {
		d.Maker()
	}
	first := d.as(d.Admin).get(t, "/console/members")
	require.Len(t, first.rows(), 50)
	second := d.as(d.Admin).get(t, first.Find(`a[rel=next]`).AttrOr("href", ""))
	require.Len(t, second.rows(), 14)
	require.Zero(t, second.Find("a[rel=next]").Length())
	require.Equal(t, first.rows(), d.as(d.Admin).get(t, second.Find(".pager a").AttrOr("href", "")).rows())
}

// A member's page says who they are, what they own, and what has been done about them.
func TestMember(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other := fixture.New(t, d.DB)
	d.Document(d.Leaver, "")
	credential := d.Credential(d.Leaver)
	admin := d.as(d.Admin)
	member := admin.get(t, "/console/members/"+d.Leaver)
	require.Equal(t, "Member 4", member.text("h1"))
	require.Contains(t, member.text(".facts"), "m4@acme.example")
	require.Equal(t, "Member 3", member.text(`.facts a[href="/console/members/`+d.Manager+`"]`))
	require.Contains(t, member.text(".list"), "Document 5")
	require.Contains(t, admin.get(t, member.Find(`.tabs a:contains("Cases")`).AttrOr("href", "")).text("main"), "The member has never been offboarded.")
	caseID := d.offboard(t, d.Leaver)
	after := admin.get(t, "/console/members/"+d.Leaver+"?of=cases")
	require.Equal(t, "Inactive", after.text(".head .badge"))
	require.Equal(t, 1, after.Find("#case-"+caseID).Length())
	require.Equal(t, 1, after.Find(`.callout a[href="/console/leavers/`+caseID+`"]`).Length())
	revoked := admin.get(t, "/console/members/"+d.Leaver+"?of=credentials").Find("#credential-" + credential)
	require.Equal(t, 1, revoked.Find("td:last-child time").Length(), "it says since when it is revoked")
	for _, nobody := range []string{uuid.NewString(), other.Leaver, "me", "email:m4@acme.example", d.Leaver + "?of=grants"} {
		require.Equal(t, http.StatusNotFound, admin.open(t, http.MethodGet, "/console/members/"+nobody, nil).status, nobody)
	}
}

// Who is managed by an identity provider says so.
func TestMemberOfAProvider(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Provisioned("okta", d.Leaver)
	require.Contains(t, d.as(d.Admin).get(t, "/console/members/"+d.Leaver).text(".callout"), "managed by okta")
}

// What is searched for is in no address, and the tabs keep it.
func TestSearchMembers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	fixture.New(t, d.DB) // another tenant
	d.inactive(d.Leaver)
	admin := d.as(d.Admin)
	list := admin.get(t, "/console/members")
	found := list.submit(t, "form#search", url.Values{"q": {"m2@acme"}})
	require.Equal(t, []string{"Member 2"}, found.rows())
	require.Equal(t, "/console/members", found.url.RequestURI())
	require.Equal(t, "m2@acme", found.Find("#search [name=q]").AttrOr("value", ""))
	leaver := list.submit(t, "form#search", url.Values{"q": {"m4"}})
	require.Empty(t, leaver.rows(), "who is inactive is on a tab of their own")
	require.Equal(t, "Active", leaver.text(".tabs [aria-current]"))
	tab := leaver.Find(`.tabs button[form=search]:contains("Inactive")`)
	sent := url.Values{"q": {leaver.Find("#search [name=q]").AttrOr("value", "")}, tab.AttrOr("name", ""): {tab.AttrOr("value", "")}}
	inactive := admin.open(t, http.MethodPost, "/console/members", sent)
	require.Equal(t, []string{"Member 4"}, inactive.rows())
	require.Equal(t, "Inactive", inactive.text(".tabs [aria-current]"))
	require.Equal(t, "inactive", inactive.Find("#search [name=status]").AttrOr("value", ""), "the page is made anew as it is")
	require.Equal(t, "/console/members?status=inactive", inactive.submit(t, "form#search", url.Values{"q": {""}}).url.RequestURI())
	for _, nonsense := range []url.Values{{"q": {"m"}, "tab": {"nobody"}}, {"q": {"m"}, "cursor": {"x"}}, {"q": {strings.Repeat("m", 5000)}}} {
		got := admin.open(t, http.MethodPost, "/console/members", nonsense)
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Equal(t, nonsense.Get("q"), got.Find("#search [name=q]").AttrOr("value", ""))
	}
	require.Empty(t, admin.open(t, http.MethodPost, "/console/members", url.Values{"q": {"<script>'%_"}}).rows())
}

// Who administers organizations below sees their members too, and chooses among them.
func TestMembersOfOrganizationsBelow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	below := fixture.New(t, d.DB)
	d.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, d.ID)
	d.Exec(`UPDATE organizations SET parent_id = $2, name = 'Below' WHERE id = $1`, below.ID, d.ID)
	list := d.as(d.Admin).get(t, "/console/members")
	require.Len(t, list.rows(), 8)
	require.Contains(t, list.text("#member-"+below.Leaver), "Below")
	require.Contains(t, list.text("#member-"+d.Leaver), "Example")
	chosen := list.submit(t, "form#search", url.Values{"organization": {below.ID}})
	require.Equal(t, "/console/members?organization="+below.ID, chosen.url.RequestURI())
	require.Len(t, chosen.rows(), 4)
	require.Equal(t, []string{"Member 4"}, chosen.submit(t, "form#search", url.Values{"q": {"m4"}}).rows(), "the search keeps the organization")
	require.Zero(t, d.as(below.Admin).get(t, "/console/members").Find("[name=organization]").Length())
}
