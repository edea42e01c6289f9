package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

const (
	selectSignIn = `SELECT m.id AS member_id, o.slug, o.name FROM members m JOIN organizations o ON o.id = m.organization_id
	WHERE lower(m.email) = lower($1) AND m.status = 'active' ORDER BY o.name, o.slug`
	insertSession = `INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at, expires_at, token_hash)
	VALUES ($1, $2, $3, true, 'active', $4, $5, $6)`
	selectSessionMember = `SELECT member_id FROM sessions WHERE id = $1`
	endSession          = `UPDATE sessions SET status = 'ended' WHERE id = $1 AND status = 'active'`
)

// SignInMembers are the active members with an address, one in each organization.
func (s *Store) SignInMembers(ctx context.Context, email string) (found []offboarding.SignInMember, err error) {
	err = s.inTx(ctx, "look up who signs in", func(t *tx) error { return t.list(&found, selectSignIn, email) })
	return found, err
}

// SignIn makes a session, which a case then treats as one by single sign-on (rule S1).
func (s *Store) SignIn(ctx context.Context, in offboarding.SignIn) error {
	at := in.At.Truncate(time.Microsecond)
	return s.inTx(ctx, "sign in", func(t *tx) error {
		m, err := t.sharedMember(in.MemberID)
		if err != nil {
			return err
		}
		var leaving bool
		if err := t.get(&leaving, selectBeingRevoked, in.MemberID); err != nil {
			return err
		}
		if err := offboarding.JudgeSignIn(m, leaving); err != nil {
			return err
		}
		expires := at.Add(offboarding.SessionLife)
		if _, err := t.exec(insertSession, in.SessionID, m.OrganizationID, m.ID, at, expires, in.TokenHash); err != nil {
			return err
		}
		return t.auditOf(m.OrganizationID, "", at, change{
			event: offboarding.EventSignIn, actor: m.ID, member: m.ID, kind: offboarding.SubjectSession, subject: in.SessionID,
			after: state{"status": "active", "expires_at": expires},
		})
	})
}

// SignOut ends a session; one that is not active stays as it is.
func (s *Store) SignOut(ctx context.Context, sessionID string, at time.Time) error {
	return s.inTx(ctx, "sign out", func(t *tx) error {
		var member string
		if found, err := t.find(&member, selectSessionMember, sessionID); err != nil || !found {
			return err
		}
		m, err := t.sharedMember(member) // before the session, as a deactivation locks them
		if err != nil {
			return err
		}
		if n, err := t.exec(endSession, sessionID); err != nil || n == 0 {
			return err
		}
		return t.auditOf(m.OrganizationID, "", at.Truncate(time.Microsecond), change{
			event: offboarding.EventSignOut, actor: m.ID, member: m.ID, kind: offboarding.SubjectSession, subject: sessionID,
			before: state{"status": "active"}, after: state{"status": "ended"},
		})
	})
}
