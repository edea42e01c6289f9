package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// An external ID is looked up where the actor reaches, and nowhere else: what
// other tenants call their members changes no answer (rules A1, E1).
func TestExternalIDsOfOtherTenantsChangeNothing(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db)
	parent, child, stranger := fixture.New(t, db), fixture.New(t, db), fixture.New(t, db)
	parent.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, parent.ID)
	parent.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, child.ID, parent.ID)
	for _, o := range []*fixture.Organization{child, stranger} {
		o.Exec(`UPDATE members SET external_id = 'e7' WHERE id = $1`, o.Leaver)
	}
	admit := func(member, by string) (offboarding.Admission, error) {
		l := newLeavingOn(t, child, store)
		return store.Admit(t.Context(), l.admitInput(offboarding.Request{MemberID: member, RequestedBy: by}))
	}
	admission, err := admit("external:e7", parent.Owner)
	require.NoError(t, err)
	require.Equal(t, child.Leaver, admission.MemberID)

	outsider := fixture.New(t, db).Owner
	_, none := admit("external:e7", outsider)
	_, unknown := admit("external:nobody", outsider)
	require.Equal(t, offboarding.CodeMemberNotFound, offboarding.CodeOf(none))
	require.Equal(t, unknown.Error(), none.Error())
}
