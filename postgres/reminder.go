package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// Remind records a reminder and says what to tell whom.
func (s *Store) Remind(ctx context.Context, in offboarding.ReminderInput) (offboarding.Notice, error) {
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Notice, error) {
		n := offboarding.Notice{
			Key: c.ID + "/" + in.Name, Kind: offboarding.EventRemindGraceEnding, OrganizationID: c.OrganizationID,
			CaseID: c.ID, MemberID: c.MemberID, GraceEndsAt: in.GraceEndsAt,
		}
		if err := t.get(&n.ManagerID, `SELECT coalesce(manager_id::text, '') FROM members WHERE id = $1`, c.MemberID); err != nil {
			return n, err
		}
		query, args := c.scoped(countUnowned, []any{c.MemberID})
		if err := t.get(&n.Unowned, query, args...); err != nil {
			return n, err
		}
		return n, t.audit(c, in.At, change{event: offboarding.EventRemindGraceEnding, after: state{
			"hours_before": int(in.Lead / time.Hour), "grace_ends_at": in.GraceEndsAt, "unowned": n.Unowned,
		}})
	})
}
