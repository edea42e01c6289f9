package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

const (
	// made tells a new one from a repeat; there is no row where the ID is somebody else's or revoked.
	insertCredential = `INSERT INTO credentials AS c (id, organization_id, member_id, kind, name, status, created_at, secret_hash)
	VALUES ($1, $2, $3, $4, $5, 'active', $6, $7) ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash
	WHERE c.member_id = excluded.member_id AND c.kind = excluded.kind AND c.status = 'active' RETURNING xmax = 0 AS made`
	selectCredentialMember = `SELECT member_id FROM credentials`
	revokeCredential       = `UPDATE credentials SET status = 'revoked', revoked_at = $2 WHERE id = $1 AND status = 'active'`
	// The access of the member is being revoked by a case; what is made now would be revoked at its next look.
	selectBeingRevoked = `SELECT EXISTS (SELECT 1 FROM cases WHERE member_id = $1 AND workspace_id IS NULL AND closed_at IS NULL AND phase = 'revoking')`
)

// CreateCredential makes a credential. The secret is the caller's to show; its hash
// is all that comes here.
func (s *Store) CreateCredential(ctx context.Context, r offboarding.CredentialRequest, at time.Time) error {
	at = at.Truncate(time.Microsecond)
	return s.inTx(ctx, "create a credential", func(t *tx) error {
		f, err := t.credentialFacts(r.By, r.MemberID)
		if err != nil {
			return err
		}
		if err := offboarding.JudgeCreateCredential(r, f); err != nil {
			return err
		}
		m := f.Member
		var made bool
		found, err := t.find(&made, insertCredential, r.ID, m.OrganizationID, m.ID, r.Kind, r.Name, at, r.SecretHash)
		if err == nil && !found {
			return offboarding.Refuse("", offboarding.CodeInvalidArgument, "client_id", "the client ID belongs to another credential, or one that is revoked")
		}
		if err != nil || !made {
			return err
		}
		return t.auditOf(m.OrganizationID, r.Origin, at, change{
			event: offboarding.EventCreateCredential, actor: f.Actor.Member.ID, member: m.ID, kind: offboarding.SubjectCredential,
			subject: r.ID, after: state{"status": "active", "kind": r.Kind},
		})
	})
}

// RevokeCredential revokes a credential, and so all its tokens. One that is revoked
// already stays as it is. One of another organization than those that are named, if any
// are, is not there.
func (s *Store) RevokeCredential(ctx context.Context, clientID, by, origin string, at time.Time, organizations ...string) error {
	at = at.Truncate(time.Microsecond)
	return s.inTx(ctx, "revoke a credential", func(t *tx) error {
		member := ""
		if isID(clientID) {
			c := &conditions{}
			c.id("id", clientID)
			c.within("organization_id", organizations)
			if _, err := t.find(&member, selectCredentialMember+c.clause(), c.args...); err != nil {
				return err
			}
		}
		f, err := t.credentialFacts(by, member) // locks the account first, as a deactivation does
		if err != nil {
			return err
		}
		if err := offboarding.JudgeRevokeCredential(origin, f); err != nil {
			return err
		}
		if n, err := t.exec(revokeCredential, clientID, at); err != nil || n == 0 {
			return err
		}
		return t.auditOf(f.Member.OrganizationID, origin, at, change{
			event: offboarding.EventRevokeCredentials, actor: f.Actor.Member.ID, member: f.Member.ID, kind: offboarding.SubjectCredential,
			subject: clientID, before: state{"status": "active"}, after: state{"status": "revoked"},
		})
	})
}

// credentialFacts loads whose credential it is about and who asks, and keeps the
// account as it is.
func (t *tx) credentialFacts(by, memberID string) (f offboarding.CredentialFacts, err error) {
	m, err := t.sharedMember(memberID)
	if err != nil || m == nil || m.Status == offboarding.MemberDeleted {
		return f, err
	}
	if f.Actor, err = t.actor(by, m.OrganizationID, "requested_by"); err != nil || f.Actor.Reach == offboarding.ReachNone {
		return f, err
	}
	f.Member = m
	return f, t.get(&f.Leaving, selectBeingRevoked, m.ID)
}

const selectCredentials = `SELECT c.id, c.organization_id, c.member_id, m.display_name AS member_name, c.kind, c.name, c.status,
	c.secret_hash IS NOT NULL AS usable, c.created_at, c.revoked_at FROM credentials c JOIN members m ON m.id = c.member_id`

// Credentials lists credentials, the oldest first.
func (s *Store) Credentials(ctx context.Context, f offboarding.CredentialFilter) (offboarding.Page[offboarding.CredentialRow], error) {
	c := &conditions{}
	c.id("c.organization_id", f.OrganizationID)
	c.id("c.member_id", f.MemberID)
	if !f.Revoked {
		c.add("c.status = 'active'")
	}
	if f.Cursor != "" {
		at, id, err := readTimeCursor(f.Cursor)
		if err != nil {
			return offboarding.Page[offboarding.CredentialRow]{}, err
		}
		c.add("(c.created_at, c.id) > (?::timestamptz, ?::uuid)", at, id)
	}
	limit := pageSize(f.Limit)
	query := selectCredentials + c.where("c.created_at, c.id", limit+1)
	return page(ctx, s, "list credentials", query, c, limit,
		func(row *offboarding.CredentialRow) []*time.Time { return []*time.Time{&row.CreatedAt, row.RevokedAt} },
		func(row offboarding.CredentialRow) string { return timeCursor(row.CreatedAt, row.ClientID) })
}

const (
	insertToken = `WITH gone AS (DELETE FROM access_tokens WHERE credential_id = $2 AND expires_at <= $3)
	INSERT INTO access_tokens (token_hash, credential_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`
	deleteToken = `DELETE FROM access_tokens WHERE token_hash = $1 AND credential_id = $2`
)

// CreateToken keeps a token of a credential, and forgets those that have expired. It
// opens nothing that the credential does not, and is no event of the audit.
func (s *Store) CreateToken(ctx context.Context, credentialID string, hash []byte, at, expires time.Time) error {
	return s.inTx(ctx, "create a token", func(t *tx) error {
		_, err := t.exec(insertToken, hash, credentialID, at, expires)
		return err
	})
}

// DeleteToken ends a token of a credential, if it is one.
func (s *Store) DeleteToken(ctx context.Context, credentialID string, hash []byte) error {
	return s.inTx(ctx, "end a token", func(t *tx) error {
		_, err := t.exec(deleteToken, hash, credentialID)
		return err
	})
}
