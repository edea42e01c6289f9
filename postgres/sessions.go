package postgres

import (
	"context"
	"database/sql"
	"time"

	"handover/offboarding"
)

const (
	markRevoked = `UPDATE cases SET revoked_at = $2, sessions_end_at = $3 WHERE id = $1`
	// When the last of the sessions ends that a deactivation waits for, $3 at the latest; NULL where it waits for none.
	selectSessionsEnd = `SELECT max(least(s.expires_at, $3)) FROM sessions s
	JOIN organizations o ON o.id = s.organization_id AND o.sso_sessions = 'wait'
	WHERE s.member_id = $1 AND s.sso AND s.status = 'active' AND s.created_at <= $2 AND (s.expires_at IS NULL OR s.expires_at > $2)`
	countSSOSessions = `SELECT count(*) FROM sessions WHERE member_id = $1 AND status = 'active'`
)

// sessionsEnd is until when the deactivation of a leaver who is revoked now waits
// for SSO sessions; nil where it does not. It does not move any more: a leaver who
// goes on working does not prolong it.
func (t *tx) sessionsEnd(c *caseRow, at time.Time) (*time.Time, error) {
	if c.WorkspaceID != "" {
		return nil, nil
	}
	var end sql.NullTime
	if err := t.get(&end, selectSessionsEnd, c.MemberID, at, at.Add(offboarding.MaxSSOWait)); err != nil || !end.Valid {
		return nil, err
	}
	ends := end.Time.UTC()
	return &ends, nil
}

// CheckSessions revokes what has appeared since the revocation, and says how many
// of the SSO sessions of before still go on.
func (s *Store) CheckSessions(ctx context.Context, in offboarding.Step) (offboarding.SessionsChecked, error) {
	return changing(ctx, s, in, func(t *tx, c *caseRow) (offboarding.SessionsChecked, error) {
		var out offboarding.SessionsChecked
		if c.Phase != offboarding.PhaseRevoking {
			return out, wrongPhase(c)
		}
		var err error
		if out.Credentials, out.Sessions, err = t.revokeAll(c, in.At, c.RevokedAt); err != nil {
			return out, err
		}
		return out, t.get(&out.Waiting, countSSOSessions, c.MemberID)
	})
}
