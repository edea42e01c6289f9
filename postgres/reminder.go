package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// recordReminder records a notice for the leaver's manager and for everybody with
// an edit grant on a document that waits, who are still active. The lateral join
// goes from document to document by the index and never over all grants.
// $1 leaver, $2 organization, $3 case, $4 what the keys begin with, $5 grace's end, $6 at.
const recordReminder = `WITH waiting AS MATERIALIZED (SELECT d.id FROM documents d WHERE d.owner_id = $1 AND d.access <> 'archived'` + scope + `),
	manager AS (SELECT manager_id AS id FROM members WHERE id = $1 AND manager_id IS NOT NULL),
	recipients AS (
		SELECT g.member_id AS id, 'editor' AS reason, count(*) AS documents FROM waiting w
		CROSS JOIN LATERAL (SELECT member_id FROM grants WHERE document_id = w.id AND level = 'edit' OFFSET 0) g
		WHERE g.member_id NOT IN (SELECT id FROM manager) GROUP BY g.member_id
		UNION ALL
		SELECT id, 'manager', n FROM manager, (SELECT count(*) AS n FROM waiting) AS all_of_them WHERE n > 0),
	recorded AS (
		INSERT INTO notices (key, organization_id, case_id, kind, recipient_id, reason, documents, grace_ends_at, created_at)
		SELECT $4::text || r.id, $2, $3, 'RemindGraceEnding', r.id, r.reason, r.documents, $5, $6
		FROM recipients r JOIN members m ON m.id = r.id AND m.status = 'active' AND m.id <> $1
		ON CONFLICT (key) DO NOTHING RETURNING 1)
	SELECT (SELECT count(*) FROM waiting) AS waiting, (SELECT count(*) FROM recorded) AS notices`

// Remind records a reminder, and a notice for each who is to be told of it.
func (s *Store) Remind(ctx context.Context, in offboarding.ReminderInput) (offboarding.Reminded, error) {
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Reminded, error) {
		var n struct {
			Waiting int `db:"waiting"`
			Notices int `db:"notices"`
		}
		prefix := c.ID + "/" + in.Name + "/"
		query, args := c.scoped(recordReminder, []any{c.MemberID, c.OrganizationID, c.ID, prefix, in.GraceEndsAt, in.At})
		if err := t.get(&n, query, args...); err != nil {
			return offboarding.Reminded{}, err
		}
		return offboarding.Reminded{Unowned: n.Waiting, Notices: n.Notices}, t.audit(c, in.At, change{
			event: offboarding.EventRemindGraceEnding, after: state{
				"hours_before": int(in.Lead / time.Hour), "grace_ends_at": in.GraceEndsAt, "unowned": n.Waiting, "notices": n.Notices,
			},
		})
	})
}
