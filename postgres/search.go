package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"
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

// nearlyAll says whether a text finds four of five among an organization's first members and
// its last. Then it finds many, and the index of words is left alone: it gathers all whom a
// word finds before it gives the first of them.
const nearlyAll = `SELECT count(*) FILTER (WHERE ` + searchable + ` @@ to_tsquery('simple', $2)) > 40 FROM (
	(SELECT * FROM members WHERE organization_id = $1 ORDER BY id LIMIT 25) UNION ALL
	(SELECT * FROM members WHERE organization_id = $1 ORDER BY id DESC LIMIT 25)) m`

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
	query := "'" + strings.Join(words, "':* & '") + "':*"
	all := &conditions{}
	all.within("m.organization_id", organizations)
	all.add(searchable+" @@ to_tsquery('simple', ?)", query)
	var found []string
	var many bool
	few := fewFound
	if s.walled {
		few = fewBehindWall
	}
	err := s.inTx(ctx, "search members", func(t *tx) error {
		if err := t.set(searching...); err != nil {
			return err
		}
		if len(organizations) == 1 && isID(organizations[0]) {
			if err := t.get(&many, nearlyAll, organizations[0], query); err != nil || many {
				return err
			}
		}
		if s.walled {
			return t.list(&found, `SELECT members_found($1::uuid[], $2, $3)`, uuidArray(organizations), query, few+1)
		}
		return t.list(&found, "SELECT m.id FROM members m"+all.clause()+" LIMIT "+strconv.Itoa(few+1), all.args...)
	})
	c.before = searching // an index of words gathers what it finds, along the order would be far
	if many {
		c.before = append(slices.Clone(searching), alongIndex) // the next is never far
	} else if len(found) <= few {
		c.add(of, uuidArray(found))
		return err
	}
	c.add(searchable+" @@ to_tsquery('simple', ?)", query)
	return err
}

// searchWords are the words of a text, as the index has them but for their case.
func searchWords(text string) []string {
	return strings.FieldsFunc(strings.ToValidUTF8(text, " "), func(r rune) bool {
		return unicode.IsSpace(r) || r <= unicode.MaxASCII && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
