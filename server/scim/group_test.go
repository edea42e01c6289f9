package scim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func (s *stand) newGroup(t *testing.T, name string, members ...string) string {
	t.Helper()
	list := []object{}
	for _, id := range members {
		list = append(list, object{"value": id})
	}
	return s.call(t, http.MethodPost, "/Groups", object{"schemas": []string{groupURN}, "displayName": name, "members": list}).
		want(t, http.StatusCreated).id()
}

// in are the members of a group, as the provider reads them.
func (s *stand) in(t *testing.T, group string) []string {
	t.Helper()
	ids := []string{}
	members, _ := s.get(t, "/Groups/"+group).want(t, http.StatusOK).body["members"].([]any)
	for _, m := range members {
		ids = append(ids, m.(map[string]any)["value"].(string))
	}
	return ids
}

// Groups are workspaces; members come and go in the forms of both providers.
func TestGroups(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "entra")
	ann, bob, cyd := s.made(t, "ann@example.com"), s.made(t, "bob@example.com"), s.made(t, "cyd@example.com")
	group := s.newGroup(t, "Sales", ann)
	require.Equal(t, "Sales", s.Text(`SELECT name FROM workspaces WHERE id = $1`, group))
	s.call(t, "POST", "/Groups", object{"schemas": []string{groupURN}, "displayName": "SALES"}).want(t, 409, "uniqueness")
	require.Equal(t, []string{ann}, s.in(t, group))

	for _, test := range []struct {
		name string
		op   []object
		want []string
	}{
		{"Entra adds", []object{{"op": "Add", "path": "members", "value": []object{{"$ref": nil, "value": bob}}}}, []string{ann, bob}},
		{"again", []object{{"op": "Add", "path": "members", "value": []object{{"value": bob}}}}, []string{ann, bob}},
		{"Okta removes", []object{{"op": "remove", "path": `members[value eq "` + ann + `"]`}}, []string{bob}},
		{"Okta adds and removes", []object{
			{"op": "add", "path": "members", "value": []object{{"value": ann, "display": "ann"}, {"value": cyd}}},
			{"op": "remove", "path": `members[value eq "` + bob + `"]`},
		}, []string{ann, cyd}},
		{"Entra removes", []object{{"op": "Remove", "path": "members", "value": []object{{"value": ann}}}}, []string{cyd}},
		{"nobody", []object{{"op": "remove", "path": "members", "value": []object{}}}, []string{cyd}},
		{"replace", []object{{"op": "replace", "path": "members", "value": []object{{"value": ann}, {"value": bob}}}}, []string{ann, bob}},
		{"no path", []object{{"op": "replace", "value": object{"id": group, "displayName": "Sellers"}}}, []string{ann, bob}},
		{"all", []object{{"op": "remove", "path": "members"}}, []string{}},
		{"one as an object", []object{{"op": "add", "path": "members", "value": object{"value": ann}}}, []string{ann}},
	} {
		s.patch(t, "/Groups/"+group, test.op...).want(t, http.StatusNoContent)
		require.Equal(t, test.want, s.in(t, group), test.name)
	}
	require.Equal(t, "Sellers", s.get(t, "/Groups/"+group).body["displayName"])
	require.Equal(t, []int{7, 6, 1}, []int{
		s.Count(`SELECT count(*) FROM audit_events WHERE event = 'AddToWorkspace' AND subject_id = $1`, group),
		s.Count(`SELECT count(*) FROM audit_events WHERE event = 'RemoveFromWorkspace' AND subject_id = $1`, group),
		s.Count(`SELECT count(*) FROM audit_events WHERE event = 'UpdateWorkspace' AND subject_id = $1`, group),
	}, "%s", s.Events())
	// An unknown member refuses everything.
	s.patch(t, "/Groups/"+group, object{"op": "replace", "path": "displayName", "value": "X"},
		object{"op": "add", "path": "members", "value": []object{{"value": "phantom"}}}).want(t, 400, "invalidValue")
	require.Equal(t, "Sellers", s.get(t, "/Groups/"+group).body["displayName"])

	s.call(t, "PUT", "/Groups/"+group, object{"schemas": []string{groupURN}, "displayName": "Sellers", "externalId": "g-1", "members": []object{{"value": cyd}}}).want(t, 200)
	require.Equal(t, []string{cyd}, s.in(t, group))
	for filter, found := range map[string]int{
		`displayName eq "sellers"`: 1, `displayName eq "Sales"`: 0, `externalId eq "g-1"`: 1,
		`id eq "` + group + `" and members eq "` + cyd + `"`: 1, `members[value eq "` + ann + `"]`: 0, `members.value eq "` + cyd + `"`: 1,
	} {
		require.Len(t, s.get(t, "/Groups?filter="+query(filter)).want(t, 200).resources(), found, filter)
	}
	require.NotContains(t, s.get(t, "/Groups/"+group+"?excludedAttributes=members").body, "members")
	require.NotContains(t, s.get(t, "/Groups?excludedAttributes=members").resources()[0], "members")
	require.Contains(t, s.get(t, "/Groups").resources()[0], "members")

	// Who is deleted over SCIM is in no group any more.
	s.Exec(`UPDATE members SET status = 'inactive', deactivated_at = created_at WHERE id = $1`, cyd)
	s.call(t, "DELETE", "/Users/"+cyd, nil).want(t, 204)
	require.Empty(t, s.in(t, group))

	// A group with documents stays until they are moved.
	document := s.DocumentIn(group, ann)
	s.call(t, "DELETE", "/Groups/"+group, nil).want(t, 409, "", "wrong_phase")
	s.Exec(`UPDATE documents SET workspace_id = NULL WHERE id = $1`, document)
	s.call(t, "DELETE", "/Groups/"+group, nil).want(t, 204)
	s.get(t, "/Groups/"+group).want(t, 404)
	s.call(t, "DELETE", "/Groups/"+group, nil).want(t, 404)
	s.newGroup(t, "Sellers", ann)
}

// Thousands of members in one request.
func TestALargeGroup(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	const n = 2000
	s.Exec(`INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at)
		SELECT gen_random_uuid(), $1, 'x' || i, 'x' || i || '@example.com', 'X', 'reader', 'viewer', 'active', 'okta', '', $2 FROM generate_series(1, $3) i`,
		s.ID, time.Now(), n)
	var ids []string
	require.NoError(t, s.DB.Select(&ids, `SELECT id FROM members WHERE external_id LIKE 'x%'`))
	group := s.newGroup(t, "Everybody", ids...)
	require.Equal(t, n, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'AddToWorkspace'`))
	s.patch(t, "/Groups/"+group, object{"op": "replace", "path": "members", "value": []object{{"value": ids[0]}}}).want(t, 204)
	require.Equal(t, []string{ids[0]}, s.in(t, group))

	// One by one, as Okta names whom it removes.
	group = s.newGroup(t, "Everybody again", ids...)
	var removals []object
	for _, id := range ids[1:] {
		removals = append(removals, object{"op": "remove", "path": `members[value eq "` + strings.ToUpper(id) + `"]`})
	}
	s.patch(t, "/Groups/"+group, removals...).want(t, 204)
	require.Equal(t, []string{ids[0]}, s.in(t, group))
}

// Who owns documents in the workspace is removed from it by a case, which an admin
// sees and decides in as ever, and which brings them back (rule W1).
func TestAGroupsDocuments(t *testing.T) {
	t.Parallel()
	s := newStand(t, "okta")
	s.Exec(`UPDATE organizations SET default_disposition = 'retain' WHERE id = $1`, s.ID)
	group := s.newGroup(t, "Sales", s.Leaver, s.Admin, s.Manager)
	document := s.DocumentIn(group, s.Leaver)
	theirs := s.DocumentIn(group, s.Admin)
	admins := s.Document(s.Leaver, "") // elsewhere

	// The provisioning admin is removed too: rules A2 and A4 are about people who ask.
	s.patch(t, "/Groups/"+group, object{"op": "remove", "path": `members[value eq "` + s.Leaver + `"]`},
		object{"op": "Remove", "path": "members", "value": []object{{"value": s.Admin}, {"value": s.Manager}}}).want(t, 204)
	require.Empty(t, s.in(t, group))
	require.Equal(t, 2, s.Count(`SELECT count(*) FROM cases WHERE workspace_id = $1 AND provider = 'okta' AND requested_by = $2 AND closed_at IS NULL`, group, s.Admin))
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	require.Equal(t, 3, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'RemoveFromWorkspace'`))
	s.call(t, "DELETE", "/Groups/"+group, nil).want(t, 409)

	// Back again: by the open case, with what is still theirs.
	events := len(s.Events())
	s.patch(t, "/Groups/"+group, object{"op": "add", "path": "members", "value": []object{{"value": s.Leaver}}}).want(t, 204)
	require.Equal(t, []string{s.Leaver}, s.in(t, group))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases WHERE workspace_id = $1 AND phase = 'reactivated'`, group))
	require.Greater(t, len(s.Events()), events)
	require.Equal(t, s.Leaver+" editable", s.DocumentState(document))
	require.Equal(t, s.Admin+" editable", s.DocumentState(theirs))
	require.Equal(t, s.Leaver+" editable", s.DocumentState(admins))
	require.Equal(t, offboarding.EventAddToWorkspace, s.Text(`SELECT event FROM audit_events WHERE member_id = $1 ORDER BY id LIMIT 1`, s.Leaver))
}
