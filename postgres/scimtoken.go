package postgres

import (
	"context"
	"time"

	"handover/offboarding"
)

// scimTokenPrefix tells people, and those who look for leaked secrets, what it is.
const scimTokenPrefix = "handover_scim_"

const insertScimToken = `INSERT INTO scim_tokens (id, organization_id, hash, created_by, created_at) VALUES ($1, $2, $3, $4, $5)`

// CreateScimToken makes a token for the identity provider of an organization and
// answers with it, this once. adminID is who makes it (rule A1).
func (s *Store) CreateScimToken(ctx context.Context, organizationID, adminID string, at time.Time) (secret string, token offboarding.ScimToken, err error) {
	at = at.Truncate(time.Microsecond)
	err = s.inTx(ctx, "create a SCIM token", func(t *tx) error {
		admin, err := t.scimAdmin(organizationID, adminID, true)
		if err != nil {
			return err
		}
		var hash []byte
		secret, hash = offboarding.NewSecret(scimTokenPrefix)
		token = offboarding.ScimToken{ID: newID().String(), OrganizationID: organizationID, CreatedBy: admin, CreatedAt: at}
		if _, err := t.exec(insertScimToken, token.ID, organizationID, hash, admin, at); err != nil {
			return err
		}
		return t.auditOf(organizationID, "", at, change{
			event: offboarding.EventCreateScimToken, actor: admin, kind: offboarding.SubjectScimToken, subject: token.ID,
			after: state{"status": "active"},
		})
	})
	if err != nil {
		return "", offboarding.ScimToken{}, err
	}
	return secret, token, nil
}

// scimAdmin judges who makes or revokes a token, and answers with their ID.
func (t *tx) scimAdmin(organizationID, adminID string, create bool) (string, error) {
	o, err := t.organization(organizationID)
	if err != nil {
		return "", err
	}
	admin, err := t.actor(adminID, organizationID, "admin_id")
	if err != nil {
		return "", err
	}
	if err := offboarding.JudgeScimToken(admin, o, create); err != nil {
		return "", err
	}
	return admin.Member.ID, nil
}

const revokeScimToken = `UPDATE scim_tokens SET revoked_at = $3 WHERE id = $1 AND organization_id = $2 AND revoked_at IS NULL`

// RevokeScimToken ends a token of an organization; one that has been revoked stays
// so, and nothing happens.
func (s *Store) RevokeScimToken(ctx context.Context, organizationID, tokenID, adminID string, at time.Time) error {
	at = at.Truncate(time.Microsecond)
	return s.inTx(ctx, "revoke a SCIM token", func(t *tx) error {
		admin, err := t.scimAdmin(organizationID, adminID, false)
		if err != nil {
			return err
		}
		exists := false
		if isID(tokenID) {
			if err := t.get(&exists, `SELECT EXISTS (SELECT 1 FROM scim_tokens WHERE id = $1 AND organization_id = $2)`, tokenID, organizationID); err != nil {
				return err
			}
		}
		if !exists {
			return offboarding.Refuse("", offboarding.CodeInvalidArgument, "token_id", "the organization has no such SCIM token")
		}
		if n, err := t.exec(revokeScimToken, tokenID, organizationID, at); err != nil || n == 0 {
			return err
		}
		return t.auditOf(organizationID, "", at, change{
			event: offboarding.EventRevokeScimToken, actor: admin, kind: offboarding.SubjectScimToken, subject: tokenID,
			before: state{"status": "active"}, after: state{"status": "revoked"},
		})
	})
}

const listScimTokens = `SELECT k.id, k.organization_id, k.created_by, k.created_at, k.last_used_at, k.revoked_at FROM scim_tokens k`

// ScimTokens lists the tokens of an organization, without their secrets.
func (s *Store) ScimTokens(ctx context.Context, f offboarding.ScimTokenFilter) (offboarding.Page[offboarding.ScimToken], error) {
	c := &conditions{}
	c.id("k.organization_id", f.OrganizationID)
	if !f.Revoked {
		c.add("k.revoked_at IS NULL")
	}
	if err := c.after("k.id", f.Cursor); err != nil {
		return offboarding.Page[offboarding.ScimToken]{}, err
	}
	limit := pageSize(f.Limit)
	return page(ctx, s, "list SCIM tokens", listScimTokens+c.where("k.id", limit+1), c, limit,
		func(k *offboarding.ScimToken) []*time.Time {
			return []*time.Time{&k.CreatedAt, k.LastUsedAt, k.RevokedAt}
		},
		func(k offboarding.ScimToken) string { return k.ID })
}

const (
	selectProvisioner = `SELECT k.id, k.organization_id, o.identity_provider, o.name, coalesce(o.provisioning_admin_id::text, '') AS admin_id,
		k.last_used_at IS NULL OR k.last_used_at <= $2::timestamptz - interval '1 hour' AS stale
	FROM scim_tokens k JOIN organizations o ON o.id = k.organization_id
	WHERE k.hash = $1 AND k.revoked_at IS NULL AND o.identity_provider IN ('okta', 'entra')`
	touchScimToken = `UPDATE scim_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2::timestamptz - interval '1 hour')`
)

// Provisioner is who comes with a token; nil where the token is none, was revoked,
// or its organization has no provider any more.
func (s *Store) Provisioner(ctx context.Context, secret string, at time.Time) (*offboarding.Provisioner, error) {
	var row struct {
		offboarding.Provisioner
		Stale bool `db:"stale"`
	}
	found := false
	err := s.inTx(ctx, "look up a SCIM token", func(t *tx) (err error) {
		if found, err = t.find(&row, selectProvisioner, offboarding.HashSecret(secret), at); err != nil || !found || !row.Stale {
			return err
		}
		_, err = t.exec(touchScimToken, row.TokenID, at)
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	return &row.Provisioner, nil
}
