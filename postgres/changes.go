package postgres

import (
	"context"
)

// selectLatestChanges names the latest events of each organization: more than one of
// each, since a transaction may end after another one whose events have higher numbers.
// That a case cannot go on has no event; since when tells.
const selectLatestChanges = `SELECT coalesce(string_agg(a.latest || coalesce(' ' || c.since, ''), ';' ORDER BY o.id), '')
	FROM unnest($1::uuid[]) AS o (id) CROSS JOIN LATERAL (SELECT coalesce(string_agg(l.id::text, ',' ORDER BY l.id), '') AS latest
		FROM (SELECT id FROM audit_events WHERE organization_id = o.id ORDER BY organization_id, id DESC LIMIT 100) l) a
	CROSS JOIN LATERAL (SELECT count(*) || ' ' || max(trouble_since) AS since FROM cases WHERE organization_id = o.id AND trouble_step <> '') c`

// LatestChanges is a text that is another one whenever something has changed in one of
// the organizations, by their IDs: every change has its audit event, and a case that
// cannot go on has none.
func (s *Store) LatestChanges(ctx context.Context, organizations []string) (stamp string, err error) {
	err = s.inTx(ctx, "look for changes", func(t *tx) error {
		_, err := t.find(&stamp, selectLatestChanges, uuidArray(organizations))
		return err
	})
	return stamp, err
}
