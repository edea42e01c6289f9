package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

const (
	// Only the leaver as this case has left them: not one who was rehired, or
	// whom a later case has deactivated again.
	selectArchivable = `SELECT managed_by FROM members WHERE id = $1 AND status = 'inactive' AND deactivated_at = $2`
	archiveMember    = `UPDATE members SET status = 'archived' WHERE id = $1 AND status = 'inactive' AND deactivated_at = $2`
)

// archiveAt is when the leaver of a case that is taken over becomes archived.
func (t *tx) archiveAt(c *caseRow) (*time.Time, error) {
	if c.DeactivatedAt == nil {
		return nil, nil
	}
	var managedBy string
	found, err := t.find(&managedBy, selectArchivable, c.MemberID, c.DeactivatedAt)
	if err != nil || !found {
		return nil, err
	}
	return offboarding.ArchiveAt(managedBy, *c.DeactivatedAt), nil
}

// ArchiveMember makes the leaver of a case archived, where they are still as the
// case has left them; false where they are not.
func (s *Store) ArchiveMember(ctx context.Context, in offboarding.Step) (bool, error) {
	return changing(ctx, s, in, func(t *tx, c *caseRow) (bool, error) {
		if due, err := t.archiveAt(c); err != nil || due == nil {
			return false, err
		} else if in.At.Before(*due) {
			return false, offboarding.Refuse("", offboarding.CodeWrongPhase, "", "the leaver is not to be archived yet")
		}
		n, err := t.exec(archiveMember, c.MemberID, c.DeactivatedAt)
		if err != nil || n == 0 {
			return false, err
		}
		return true, t.audit(c, in.At, change{
			event: offboarding.EventArchiveMember, kind: offboarding.SubjectMember, subject: c.MemberID,
			before: state{"status": offboarding.MemberInactive}, after: state{"status": offboarding.MemberArchived},
		})
	})
}
