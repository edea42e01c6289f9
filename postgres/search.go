package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/lib/pq"
)

// searchable is what members are found by; members_search_idx has the same expression.
const searchable = "to_tsvector('simple', regexp_replace(m.display_name || ' ' || m.email || ' ' || m.external_id, '[!-/:-@[-`{-~]+', ' ', 'g'))"

// fewFound is how many members a search takes one by one. The planner cannot tell how
// many there are, so they are looked for first: a list of a few is read by their IDs, one
// of many along its own order, in which the next of them is never far.
const fewFound = 1000

// fewBehindWall is the same where the words of each of them are read anew along an order,
// for no index may be used: there a list of many is taken one by one, too.
const fewBehindWall = 10_000

// nearlyAll are those words of a text that four of five have among an organization's first
// members, its last and some others. The index is not asked for them: it gathers all whom a
// word finds before it gives the first of them.
const nearlyAll = `SELECT w.word FROM (SELECT word, to_tsquery('simple', word) AS query FROM unnest($2::text[]) word OFFSET 0) w JOIN (
		SELECT ` + searchable + ` AS words FROM (
			(SELECT * FROM members WHERE organization_id = $1 ORDER BY id LIMIT 20) UNION ALL
			(SELECT * FROM members WHERE organization_id = $1 ORDER BY id DESC LIMIT 20) UNION ALL
			(SELECT * FROM members WHERE organization_id = $1 ORDER BY lower(email) LIMIT 20)) m OFFSET 0) s ON s.words @@ w.query
	GROUP BY w.word HAVING count(*) > 48`

// hasWords says whether a member has all words, written so that no index is asked for it, and
// that the planner does not take it for rare.
const hasWords = "CASE WHEN " + searchable + " @@ to_tsquery('simple', ?) THEN true ELSE false END"

// asAsked plans a statement for what it looks for: a plan for any text takes what nearly
// everybody has for rare, and one for any number of members walks all the list for few.
const asAsked = `set_config('plan_cache_mode', 'force_custom_plan', true)`

var searching = []string{asAsked, byIndex}

// search narrows a list to members of whom every word of the text is the beginning of a
// word; a text without words finds nobody, and no text does not narrow. of is the
// fragment that narrows it to some, by their IDs.
func (s *Store) search(ctx context.Context, c *conditions, text, of string, organizations []string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	words := searchWords(text)
	if len(words) == 0 {
		c.text = append(c.text, "false")
		return nil
	}
	var found []string
	rare := words
	few := fewFound
	if s.walled {
		few = fewBehindWall
	}
	err := s.inTx(ctx, "search members", func(t *tx) error {
		if err := t.set(searching...); err != nil {
			return err
		}
		if len(organizations) == 1 && isID(organizations[0]) {
			var common []string
			if err := t.list(&common, nearlyAll, organizations[0], pq.Array(words)); err != nil {
				return err
			}
			rare = without(words, common)
		}
		switch {
		case len(rare) == 0:
			return nil
		case s.walled:
			return t.list(&found, `SELECT members_found($1::uuid[], $2, $3)`, uuidArray(organizations), allOf(rare), few+1)
		}
		some := &conditions{}
		some.within("m.organization_id", organizations)
		some.add(searchable+" @@ to_tsquery('simple', ?)", allOf(rare))
		return t.list(&found, "SELECT m.id FROM members m"+some.clause()+" LIMIT "+strconv.Itoa(few+1), some.args...)
	})
	c.before = searching // an index of words gathers what it finds, along the order would be far
	if len(found) > few {
		c.add(searchable+" @@ to_tsquery('simple', ?)", allOf(words))
		return err
	}
	if len(rare) > 0 {
		c.add(of, uuidArray(found))
	}
	if len(rare) < len(words) {
		c.add(hasWords, allOf(words))
	}
	return err
}

// allOf asks for members who have all words.
func allOf(words []string) string { return strings.Join(words, " & ") }

// searchWords are the words of a text as the index is asked for them: what begins so. What
// has neither letter nor digit, as a dash, is none: the index may not have it either.
func searchWords(text string) []string {
	words := strings.FieldsFunc(strings.ToValidUTF8(text, " "), func(r rune) bool {
		return unicode.IsSpace(r) || r <= unicode.MaxASCII && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	words = slices.DeleteFunc(words, func(word string) bool {
		return !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	})
	for i, word := range words {
		words[i] = "'" + word + "':*"
	}
	slices.Sort(words)
	return slices.Compact(words)
}
