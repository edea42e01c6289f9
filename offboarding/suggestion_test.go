package offboarding_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// ranked are suggestions as text: "<external ID>: <why>".
func ranked(suggestions []offboarding.Suggestion) []string {
	out := make([]string, 0, len(suggestions))
	for _, s := range suggestions {
		out = append(out, s.ExternalID+": "+strings.Join(s.Why, "; "))
	}
	return out
}

func candidate(id string, grants int, edited string, change ...func(*offboarding.Candidate)) offboarding.Candidate {
	c := offboarding.Candidate{ExternalID: id, EditGrants: grants}
	if edited != "" {
		at, err := time.Parse(time.DateOnly, edited)
		if err != nil {
			panic(err)
		}
		c.LastEditedAt = &at
	}
	for _, fn := range change {
		fn(&c)
	}
	return c
}

func manages(c *offboarding.Candidate) { c.Manager = true }
func edits(c *offboarding.Candidate)   { c.Edits = true }

func TestSuggestions(t *testing.T) {
	t.Parallel()
	estate, document := offboarding.SuggestForEstate, offboarding.SuggestForDocument
	for name, c := range map[string]struct {
		rank       func([]offboarding.Candidate, int) []offboarding.Suggestion
		candidates []offboarding.Candidate
		want       []string
	}{
		"nobody": {estate, nil, []string{}},
		"estate: the manager first, with every reason": {estate, []offboarding.Candidate{
			candidate("a", 9, "2026-03-01"), candidate("m", 1, "2026-01-31", manages),
		}, []string{"m: manager; edit grants on 1 of 12 documents; last edited on 2026-01-31", "a: edit grants on 9 of 12 documents; last edited on 2026-03-01"}},
		"estate: a manager without a grant": {estate, []offboarding.Candidate{candidate("a", 9, ""), candidate("m", 0, "", manages)}, []string{
			"m: manager", "a: edit grants on 9 of 12 documents",
		}},
		"estate: more grants, then the later edit, then the ID": {estate, []offboarding.Candidate{
			candidate("d", 2, ""), candidate("c", 2, ""), candidate("b", 2, "2025-01-01"), candidate("a", 2, "2025-01-02"), candidate("e", 3, ""),
		}, []string{
			"e: edit grants on 3 of 12 documents", "a: edit grants on 2 of 12 documents; last edited on 2025-01-02",
			"b: edit grants on 2 of 12 documents; last edited on 2025-01-01", "c: edit grants on 2 of 12 documents", "d: edit grants on 2 of 12 documents",
		}},
		"estate: five at most": {estate, []offboarding.Candidate{
			candidate("a", 1, ""), candidate("b", 1, ""), candidate("c", 1, ""), candidate("d", 1, ""), candidate("e", 1, ""), candidate("f", 2, ""),
		}, []string{
			"f: edit grants on 2 of 12 documents", "a: edit grants on 1 of 12 documents", "b: edit grants on 1 of 12 documents",
			"c: edit grants on 1 of 12 documents", "d: edit grants on 1 of 12 documents",
		}},
		"document: the latest editor before who has more grants": {document, []offboarding.Candidate{
			candidate("a", 9, "2025-01-01", edits), candidate("b", 1, "2025-01-02", edits), candidate("c", 12, "", edits),
		}, []string{
			"b: edit grant on the document; edit grants on 1 of 12 documents; last edited on 2025-01-02",
			"a: edit grant on the document; edit grants on 9 of 12 documents; last edited on 2025-01-01",
			"c: edit grant on the document; edit grants on 12 of 12 documents",
		}},
		"document: the manager where there is room": {document, []offboarding.Candidate{candidate("m", 5, "", manages), candidate("a", 1, "", edits)}, []string{
			"a: edit grant on the document; edit grants on 1 of 12 documents", "m: manager; edit grants on 5 of 12 documents",
		}},
		"document: no room for the manager": {document, []offboarding.Candidate{
			candidate("m", 0, "", manages), candidate("a", 1, "", edits), candidate("b", 1, "", edits), candidate("c", 1, "", edits),
		}, []string{
			"a: edit grant on the document; edit grants on 1 of 12 documents", "b: edit grant on the document; edit grants on 1 of 12 documents",
			"c: edit grant on the document; edit grants on 1 of 12 documents",
		}},
		"document: of equals the manager": {document, []offboarding.Candidate{candidate("a", 1, "", edits), candidate("m", 1, "", edits, manages)}, []string{
			"m: manager; edit grant on the document; edit grants on 1 of 12 documents", "a: edit grant on the document; edit grants on 1 of 12 documents",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, ranked(c.rank(c.candidates, 12)))
			for range 20 { // in whatever order they come
				rand.Shuffle(len(c.candidates), func(i, j int) { c.candidates[i], c.candidates[j] = c.candidates[j], c.candidates[i] })
				require.Equal(t, c.want, ranked(c.rank(c.candidates, 12)))
			}
		})
	}
}

func TestSuccessionNotes(t *testing.T) {
	t.Parallel()
	leaver := &offboarding.Member{ID: "l", OrganizationID: "o", Status: "active", AccountType: "maker"}
	manager := func(change func(*offboarding.Member)) *offboarding.Member {
		m := &offboarding.Member{ID: "m", OrganizationID: "o", Status: "active", AccountType: "maker"}
		change(m)
		return m
	}
	well := manager(func(*offboarding.Member) {})
	some := offboarding.Successors{DocumentCount: 3, Suggestions: make([]offboarding.Suggestion, 1)}
	const notEligible = "the member's manager is not eligible: "
	rule := "a new owner is an active maker of the same organization, and not the leaver"
	for name, c := range map[string]struct {
		manager *offboarding.Member
		leaving bool
		found   offboarding.Successors
		want    []string
	}{
		"all well":        {well, false, some, []string{}},
		"no documents":    {nil, false, offboarding.Successors{}, []string{"the member owns no documents that would need a new owner"}},
		"no manager":      {nil, false, some, []string{"the member has no manager"}},
		"inactive":        {manager(func(m *offboarding.Member) { m.Status = "inactive" }), false, some, []string{notEligible + rule}},
		"not a maker":     {manager(func(m *offboarding.Member) { m.AccountType = "viewer" }), false, some, []string{notEligible + rule}},
		"leaving as well": {well, true, some, []string{notEligible + "they are being offboarded"}},
		"nobody at all": {nil, false, offboarding.Successors{DocumentCount: 3}, []string{
			"the member has no manager",
			"nobody with an edit grant on the member's documents is eligible; any other active maker of the organization is",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, offboarding.SuccessionNotes(leaver, c.manager, c.leaving, c.found))
		})
	}
}
