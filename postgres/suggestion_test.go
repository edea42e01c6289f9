package postgres_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// edited gives a member an edit grant on a document that they edited so many days
// before the fixture's start; 0 is never.
func edited(o *fixture.Organization, document, member string, days int) {
	o.Grant(document, member, offboarding.GrantEdit)
	if days > 0 {
		o.Exec(`UPDATE grants SET last_edited_at = $3 WHERE document_id = $1 AND member_id = $2`, document, member, fixture.Start.AddDate(0, 0, -days))
	}
}

// suggested are suggestions by the members' IDs.
func suggested(suggestions []offboarding.Suggestion) []string {
	ids := make([]string, 0, len(suggestions))
	for _, s := range suggestions {
		ids = append(ids, s.MemberID)
	}
	return ids
}

// Suggested is who knows the documents and may own them (rule N1), with reasons.
func TestSuccessors(t *testing.T) {
	t.Parallel()
	o := fixture.New(t, testdb.New(t))
	store := postgres.New(o.DB)
	one, two, lonely := o.Document(o.Leaver, ""), o.Document(o.Leaver, ""), o.Document(o.Leaver, "")
	archived, others := o.Document(o.Leaver, ""), o.Document(o.Admin, "")
	o.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, archived)
	most, latest, idle, viewer := o.Maker(), o.Maker(), o.Maker(), o.Member(offboarding.RoleReader, offboarding.AccountViewer)
	gone, leaving, reader := o.Maker(), o.Maker(), o.Maker()
	edited(o, one, most, 20)
	edited(o, two, most, 0)
	edited(o, one, latest, 2)
	edited(o, archived, idle, 1)
	edited(o, others, idle, 1)
	for _, member := range []string{viewer, gone, leaving, o.Leaver} {
		edited(o, one, member, 1)
	}
	o.Grant(one, reader, offboarding.GrantView)
	o.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, gone, fixture.Start)
	l := newLeavingOn(t, o, store)
	r := l.request()
	r.MemberID, r.EffectiveAt = leaving, "2026-12-31"
	l.of(leaving).admit(r)

	s, err := store.Successors(t.Context(), o.Leaver, "", "", 0)
	require.NoError(t, err)
	require.Equal(t, 3, s.DocumentCount)
	require.Empty(t, s.Notes)
	day := fixture.Start.AddDate(0, 0, -2)
	require.Equal(t, []string{o.Manager, most, latest}, suggested(s.Suggestions))
	require.Equal(t, []string{"manager"}, s.Suggestions[0].Why)
	require.Equal(t, []string{"edit grants on 2 of 3 documents", "last edited on 2026-02-10"}, s.Suggestions[1].Why)
	require.Equal(t, offboarding.Candidate{
		MemberID: latest, ExternalID: "m11", Name: "Member 11", Email: "m11@acme.example", EditGrants: 1, LastEditedAt: &day,
	}, s.Suggestions[2].Candidate)
	require.Len(t, s.Documents.Items, 3)
	require.Empty(t, s.Documents.Next)
	for i, want := range map[int][]string{0: {latest, most, o.Manager}, 1: {most, o.Manager}, 2: {o.Manager}} {
		require.Equal(t, []string{one, two, lonely}[i], s.Documents.Items[i].DocumentID)
		require.Equal(t, want, suggested(s.Documents.Items[i].Suggestions), "document %d", i)
	}
	require.Equal(t, []string{"edit grant on the document", "edit grants on 1 of 3 documents", "last edited on 2026-02-28"}, s.Documents.Items[0].Suggestions[0].Why)

	o.Exec(`UPDATE members SET account_type = 'editor' WHERE id = $1`, o.Manager)
	o.Exec(`UPDATE documents SET held = true WHERE id = $1`, lonely)
	s, err = store.Successors(t.Context(), o.Leaver, "", "", 0)
	require.NoError(t, err)
	require.Len(t, s.Notes, 1)
	require.Contains(t, s.Notes[0], "manager is not eligible")
	require.Equal(t, []string{most, latest}, suggested(s.Suggestions))
	require.Empty(t, s.Documents.Items[2].Suggestions)
	require.NotNil(t, s.Documents.Items[2].Suggestions, "a list that is empty, not null")
	require.True(t, s.Documents.Items[2].Held)

	s, err = store.Successors(t.Context(), reader, "", "", 0)
	require.NoError(t, err)
	require.Equal(t, []string{"the member owns no documents that would need a new owner"}, s.Notes)
	require.Empty(t, s.Suggestions)
	require.Empty(t, s.Documents.Items)
	_, err = store.Successors(t.Context(), o.Leaver, "", "nonsense", 0)
	refused(t, offboarding.CodeInvalidArgument, err)
}

// What the database leaves out is what the ranking would leave out: with few
// candidates at hand and with all of them, the suggestions are the same. And pages
// show every document once.
func TestTheDatabaseChoosesAsTheRankingDoes(t *testing.T) {
	t.Parallel()
	o := fixture.New(t, testdb.New(t))
	store := postgres.New(o.DB)
	random := rand.New(rand.NewPCG(7, 7))
	members := []string{o.Manager, o.Owner, o.Admin}
	for range 9 {
		members = append(members, o.Maker())
	}
	for range 30 {
		document := o.Document(o.Leaver, "")
		for _, m := range members {
			if random.IntN(3) > 0 {
				edited(o, document, m, random.IntN(4))
			}
		}
	}
	all := map[string][]offboarding.Candidate{} // by document, "" for all together
	var rows []struct {
		Document string `db:"document_id"`
		Edits    bool   `db:"edits"`
		offboarding.Candidate
	}
	require.NoError(t, o.DB.Select(&rows, `WITH g AS (SELECT g.* FROM grants g JOIN documents d ON d.id = g.document_id AND d.owner_id = $1)
		SELECT '' AS document_id, m.id AS member_id, m.external_id, m.display_name AS name, m.email, m.id = $2 AS manager,
			count(g.document_id) AS edit_grants, max(g.last_edited_at) AS last_edited_at, false AS edits
		FROM members m JOIN g ON g.member_id = m.id GROUP BY m.id
		UNION ALL
		SELECT d.id::text, m.id, m.external_id, m.display_name, m.email, m.id = $2,
			(SELECT count(*) FROM g WHERE g.member_id = m.id), g.last_edited_at, g.document_id IS NOT NULL
		FROM documents d CROSS JOIN members m LEFT JOIN g ON g.document_id = d.id AND g.member_id = m.id
		WHERE g.document_id IS NOT NULL OR m.id = $2`, o.Leaver, o.Manager))
	for _, row := range rows {
		row.Candidate.Edits = row.Edits
		if row.LastEditedAt != nil {
			at := row.LastEditedAt.UTC()
			row.LastEditedAt = &at
		}
		all[row.Document] = append(all[row.Document], row.Candidate)
	}

	seen, cursor := 0, ""
	for {
		s, err := store.Successors(t.Context(), o.Leaver, "", cursor, 7)
		require.NoError(t, err)
		require.Equal(t, offboarding.SuggestForEstate(all[""], 30), s.Suggestions)
		for _, d := range s.Documents.Items {
			require.Equal(t, offboarding.SuggestForDocument(all[d.DocumentID], 30), d.Suggestions)
			delete(all, d.DocumentID)
			seen++
		}
		if cursor = s.Documents.Next; cursor == "" {
			break
		}
	}
	require.Equal(t, 30, seen)
	require.Len(t, all, 1)
}

// A hundred thousand documents with three editors each are no event: neither for the
// suggestions nor for a reminder.
func TestSuggestionsAndRemindersOfAHundredThousandDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	o := fixture.New(t, testdb.New(t))
	l := newLeavingOn(t, o, postgres.New(o.DB))
	o.Documents(o.Leaver, 100_000)
	o.Exec(`INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at)
		SELECT gen_random_uuid(), $1, 'e' || i, 'e' || i || '@acme.example', 'Editor', 'contributor', 'maker', 'active', '', '', $2
		FROM generate_series(1, 5000) i`, o.ID, fixture.Start)
	o.Exec(`INSERT INTO grants (organization_id, document_id, member_id, level, last_edited_at)
		SELECT $1, d.id, e.id, 'edit', $2::timestamptz - (d.n % 1000) * interval '1 day'
		FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM documents) d CROSS JOIN generate_series(0, 2) k
		JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM members WHERE display_name = 'Editor') e ON e.n = 1 + (d.n * 7 + k * 611) % 5000`,
		o.ID, fixture.Start)
	l.inGrace()
	o.Exec(`ANALYZE`)
	for cursor, i := "", 0; i < 8; i++ { // the later ones with a plan made for any member
		began := time.Now()
		s, err := l.store.Successors(t.Context(), o.Leaver, "", cursor, 0)
		require.NoError(t, err)
		require.Len(t, s.Suggestions, offboarding.SuggestedForEstate)
		require.Len(t, s.Documents.Items, offboarding.DefaultLimit)
		require.Len(t, s.Documents.Items[99].Suggestions, offboarding.SuggestedForDocument)
		cursor = s.Documents.Next
		t.Logf("suggestions: %.2f s", time.Since(began).Seconds())
	}
	began := time.Now()
	r, err := l.store.Remind(t.Context(), l.remindInput("remind/1"))
	require.NoError(t, err)
	t.Logf("reminder: %.2f s", time.Since(began).Seconds())
	require.Equal(t, offboarding.Reminded{Unowned: 100_000, Notices: 5001}, r)
}

// Of a removal only what is in the workspace counts (rule W1), and what a hold on
// the member keeps is said of each document (rule H1).
func TestSuccessorsInAWorkspace(t *testing.T) {
	t.Parallel()
	r := newRemoving(t)
	there, elsewhere := r.Maker(), r.Maker()
	edited(r.Organization, r.inside, there, 1)
	edited(r.Organization, r.outside, elsewhere, 1)
	r.hold(offboarding.Hold{MemberID: r.Leaver})
	s, err := r.store.Successors(t.Context(), r.Leaver, r.workspace, "", 0)
	require.NoError(t, err)
	require.Equal(t, 1, s.DocumentCount)
	require.Equal(t, []string{r.Manager, there}, suggested(s.Suggestions))
	require.Len(t, s.Documents.Items, 1)
	require.Equal(t, r.inside, s.Documents.Items[0].DocumentID)
	require.True(t, s.Documents.Items[0].Held)
}
