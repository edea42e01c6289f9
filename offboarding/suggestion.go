package offboarding

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// How many successors are suggested.
const (
	SuggestedForEstate   = 5 // for all documents of the leaver together
	SuggestedForDocument = 3 // for each document
)

// Candidate is an eligible new owner (rule N1) who is not being offboarded, and
// what speaks for them.
type Candidate struct {
	MemberID     string     `db:"member_id" json:"member_id"`
	ExternalID   string     `db:"external_id" json:"external_id"`
	Name         string     `db:"name" json:"name"`
	Email        string     `db:"email" json:"email"`
	Manager      bool       `db:"manager" json:"manager"`                         // of the leaver
	EditGrants   int        `db:"edit_grants" json:"edit_grants"`                 // on how many of the leaver's documents
	LastEditedAt *time.Time `db:"last_edited_at" json:"last_edited_at,omitempty"` // any of them; of a suggestion for one document, that one
	Edits        bool       `db:"-" json:"edits_document,omitempty"`              // has an edit grant on the one document
}

// Suggestion is a candidate with the reasons in words.
type Suggestion struct {
	Candidate
	Why []string `json:"why"`
}

// DocumentSuggestions are the successors suggested for one document.
type DocumentSuggestions struct {
	DocumentID  string       `db:"id" json:"document_id"`
	ExternalID  string       `db:"external_id" json:"external_id"`
	Title       string       `db:"title" json:"title"`
	Kind        string       `db:"kind" json:"kind"`
	Held        bool         `db:"held" json:"held,omitempty"` // by a legal hold: stays where it is until that is lifted
	Suggestions []Suggestion `json:"suggestions"`              // the best first; empty where nobody is eligible
}

// Successors says who could own a leaver's documents.
type Successors struct {
	DocumentCount int                       `json:"document_count"` // documents of the leaver, archived ones aside
	Suggestions   []Suggestion              `json:"suggestions"`    // for all of them, the best first
	Notes         []string                  `json:"notes"`          // why somebody whom one expects is missing
	Documents     Page[DocumentSuggestions] `json:"documents"`      // in the order of their IDs
}

// SuggestForEstate ranks candidates for all documents of the leaver: the manager,
// then who has edit grants on more of them, then who edited one of them later,
// then by external ID.
func SuggestForEstate(candidates []Candidate, documents int) []Suggestion {
	slices.SortFunc(candidates, func(a, b Candidate) int {
		return cmp.Or(first(a.Manager, b.Manager), cmp.Compare(b.EditGrants, a.EditGrants), later(a.LastEditedAt, b.LastEditedAt),
			cmp.Compare(a.ExternalID, b.ExternalID))
	})
	return suggest(candidates, SuggestedForEstate, documents)
}

// SuggestForDocument ranks candidates for one document: who has an edit grant on
// it before who has none, who edited it later, who has edit grants on more of the
// leaver's documents, the manager, then by external ID. So the manager is
// suggested for a document where there is nobody nearer, or not three of them.
func SuggestForDocument(candidates []Candidate, documents int) []Suggestion {
	SortForDocument(candidates)
	return suggest(candidates, SuggestedForDocument, documents)
}

// SortForDocument sorts candidates as SuggestForDocument ranks them.
func SortForDocument(candidates []Candidate) {
	slices.SortFunc(candidates, func(a, b Candidate) int {
		return cmp.Or(first(a.Edits, b.Edits), later(a.LastEditedAt, b.LastEditedAt), cmp.Compare(b.EditGrants, a.EditGrants),
			first(a.Manager, b.Manager), cmp.Compare(a.ExternalID, b.ExternalID))
	})
}

func suggest(ranked []Candidate, most, documents int) []Suggestion {
	out := make([]Suggestion, 0, most)
	for _, c := range ranked[:min(most, len(ranked))] {
		out = append(out, Suggestion{Candidate: c, Why: c.why(documents)})
	}
	return out
}

// why are the reasons for a candidate, the ones that the ranking goes by.
func (c Candidate) why(documents int) []string {
	var why []string
	if c.Manager {
		why = append(why, "manager")
	}
	if c.Edits {
		why = append(why, "edit grant on the document")
	}
	if c.EditGrants > 0 {
		why = append(why, fmt.Sprintf("edit grants on %d of %d documents", c.EditGrants, documents))
	}
	if c.LastEditedAt != nil {
		why = append(why, "last edited on "+c.LastEditedAt.UTC().Format(time.DateOnly))
	}
	return why
}

// first puts what is before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// later puts a later time first, and none last.
func later(a, b *time.Time) int {
	switch {
	case a == nil || b == nil:
		return first(a != nil, b != nil)
	default:
		return b.Compare(*a)
	}
}

// SuccessionNotes say why the manager is not suggested, and that nobody is.
// leaving is true of a manager who is being offboarded.
func SuccessionNotes(leaver, manager *Member, leaving bool, s Successors) []string {
	notes := []string{}
	if s.DocumentCount == 0 {
		return append(notes, "the member owns no documents that would need a new owner")
	}
	switch violations := JudgeNewOwner(manager, leaver); {
	case manager == nil:
		notes = append(notes, "the member has no manager")
	case len(violations) > 0:
		notes = append(notes, "the member's manager is not eligible: "+violations[0].Message)
	case leaving:
		notes = append(notes, "the member's manager is not eligible: they are being offboarded")
	}
	if len(s.Suggestions) == 0 {
		notes = append(notes, "nobody with an edit grant on the member's documents is eligible; any other active maker of the organization is")
	}
	return notes
}
