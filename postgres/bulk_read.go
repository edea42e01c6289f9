package postgres

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// BulkRuns lists runs, the newest first. The cursor is opaque.
func (s *Store) BulkRuns(ctx context.Context, f offboarding.BulkFilter) (offboarding.Page[offboarding.BulkRunRow], error) {
	c := &conditions{}
	c.id("r.organization_id", f.OrganizationID)
	c.within("r.organization_id", f.Reach)
	if f.OpenOnly {
		c.add("r.closed_at IS NULL")
	}
	if f.Cursor != "" {
		at, id, err := splitTimeCursor(f.Cursor)
		if err != nil {
			return offboarding.Page[offboarding.BulkRunRow]{}, err
		}
		c.add("(r.created_at, r.id) < (?::timestamptz, ?)", at, id)
	}
	limit := pageSize(f.Limit)
	c.before = []string{byIndex} // the members of each run, and not all of all runs
	query := selectBulkRuns + c.where("r.created_at DESC, r.id DESC", limit+1)
	return page(ctx, s, "list bulk runs", query, c, limit,
		func(row *offboarding.BulkRunRow) []*time.Time {
			return append(bulkTimes(&row.BulkRun), row.TroubleSince)
		},
		func(row offboarding.BulkRunRow) string { return timeCursor(row.CreatedAt, row.ID) })
}

var selectBulkRuns = strings.Replace(selectBulkRun, "r.origin,", `o.slug AS organization_slug, m.display_name AS requester_name,
	r.trouble_step, r.trouble_attempt, r.trouble_error, r.trouble_since,`, 1) + `
	JOIN organizations o ON o.id = r.organization_id JOIN members m ON m.id = r.requested_by`

// FindBulkRun finds one run. organizations are slugs or IDs, none for all.
func (s *Store) FindBulkRun(ctx context.Context, bulkID string, organizations ...string) (offboarding.BulkRunRow, error) {
	var row offboarding.BulkRunRow
	err := s.inTx(ctx, "look up a bulk run", func(t *tx) error {
		if err := t.set(byIndex); err != nil {
			return err
		}
		query, args := narrowed(selectBulkRuns+` WHERE r.id = $1`, "r.organization_id", bulkID, organizations)
		found, err := t.find(&row, query, args...)
		if err == nil && !found {
			err = offboarding.Refuse("B1", offboarding.CodeCaseNotFound, "bulk_id", "there is no such run")
		}
		return err
	})
	utc(append(bulkTimes(&row.BulkRun), row.TroubleSince))
	return row, err
}

const selectBulkMembers = `SELECT b.position, b.reference, coalesce(b.member_id::text, '') AS member_id, coalesce(m.display_name, '') AS member_name,
	coalesce(m.email, '') AS member_email, b.result, coalesce(b.case_id::text, '') AS case_id, coalesce(c.phase, '') AS phase,
	coalesce(b.violations::text, '') AS violations, b.error
	FROM bulk_members b LEFT JOIN members m ON m.id = b.member_id LEFT JOIN cases c ON c.id = b.case_id`

// bulkMember is a BulkMemberRow whose violations are JSON still.
type bulkMember struct {
	offboarding.BulkMemberRow
	Violated string `db:"violations"`
}

// BulkMembers lists what became of the members of a run, in the order of its list.
func (s *Store) BulkMembers(ctx context.Context, bulkID string, f offboarding.BulkFilter) (offboarding.Page[offboarding.BulkMemberRow], error) {
	out := offboarding.Page[offboarding.BulkMemberRow]{Items: []offboarding.BulkMemberRow{}}
	c := &conditions{}
	c.add("b.bulk_id = ?", bulkID)
	c.equal("b.result", string(f.Outcome))
	if f.Cursor != "" {
		after, err := readNumberCursor(f.Cursor, 32)
		if err != nil {
			return out, err
		}
		c.add("b.position > ?", after)
	}
	limit := pageSize(f.Limit)
	query := selectBulkMembers + c.where("b.position", limit+1)
	rows, err := page(ctx, s, "list the members of a bulk run", query, c, limit,
		func(*bulkMember) []*time.Time { return nil },
		func(row bulkMember) string { return strconv.Itoa(row.Position) })
	out.Next = rows.Next
	for _, row := range rows.Items {
		if row.Violated != "" {
			if err := json.Unmarshal([]byte(row.Violated), &row.Violations); err != nil {
				return out, err
			}
		}
		out.Items = append(out.Items, row.BulkMemberRow)
	}
	return out, err
}

const selectMembersByEmail = findMemberBy + `lower(m.email) = ANY ($1)`

// MembersByEmail finds the members of a list by their addresses, all at once;
// organizations are slugs or IDs, none for all. The keys are in lower case.
func (s *Store) MembersByEmail(ctx context.Context, emails []string, organizations ...string) (map[string][]offboarding.Member, error) {
	lower := make([]string, len(emails))
	for i, email := range emails {
		lower[i] = strings.ToLower(email)
	}
	var rows []offboarding.Member
	query, args := narrowed(selectMembersByEmail+` AND `+s.called(`$1`), "m.organization_id", pq.Array(lower), organizations)
	err := s.inTx(ctx, "look up members", func(t *tx) error { return t.list(&rows, query, args...) })
	found := map[string][]offboarding.Member{}
	for _, m := range rows {
		found[strings.ToLower(m.Email)] = append(found[strings.ToLower(m.Email)], m)
	}
	return found, err
}
