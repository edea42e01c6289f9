package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// identity is a query for who shows something, and what the member reaches: the
// own organization, and for owners and admins those below it, where it has
// enterprise plan manager on (rule A1). Deleted members are nobody.
func identity(access, from, where string) string {
	return `WITH RECURSIVE who AS (
		SELECT ` + memberColumns + `, ` + access + ` FROM ` + from + ` JOIN members m ON m.id = a.member_id AND m.status <> 'deleted' WHERE ` + where + `),
	below AS (
		SELECT o.id FROM who JOIN organizations own ON own.id = who.organization_id AND own.enterprise_plan_manager
			JOIN organizations o ON o.parent_id = own.id WHERE who.role IN ('owner', 'admin')
		UNION SELECT o.id FROM below JOIN organizations o ON o.parent_id = below.id)
	SELECT who.*, ARRAY(SELECT id::text FROM below) AS below FROM who`
}

var (
	identityOfCredential = identity(
		`a.id AS credential_id, a.kind, a.status AS access_status, a.secret_hash, a.created_at AS access_created_at`,
		`credentials a`, `a.id = $1`)
	identityOfToken = identity(
		`a.id AS credential_id, a.kind, a.status AS access_status, token.created_at AS access_created_at, token.expires_at`,
		`access_tokens token JOIN credentials a ON a.id = token.credential_id`, `token.token_hash = $1`)
	identityOfSession = identity(
		`a.id AS session_id, a.status AS access_status, a.created_at AS access_created_at, a.expires_at`,
		`sessions a`, `a.token_hash = $1`)
)

type identityRow struct {
	offboarding.Member
	CredentialID string         `db:"credential_id"`
	SessionID    string         `db:"session_id"`
	Kind         string         `db:"kind"`
	AccessStatus string         `db:"access_status"`
	SecretHash   []byte         `db:"secret_hash"`
	CreatedAt    time.Time      `db:"access_created_at"`
	ExpiresAt    *time.Time     `db:"expires_at"`
	Below        pq.StringArray `db:"below"`
}

// CredentialIdentity is whose credential has the client ID, nil for nobody's. An ID
// that is none costs the same.
func (s *Store) CredentialIdentity(ctx context.Context, clientID string) (*offboarding.Identity, error) {
	if !isID(clientID) {
		clientID = "00000000-0000-0000-0000-000000000000"
	}
	return s.identity(ctx, identityOfCredential, clientID)
}

// TokenIdentity is whose token has the hash, nil for nobody's. One that has expired
// may be found or not.
func (s *Store) TokenIdentity(ctx context.Context, hash []byte) (*offboarding.Identity, error) {
	return s.identity(ctx, identityOfToken, hash)
}

// SessionIdentity is whose session has the hash, nil for nobody's.
func (s *Store) SessionIdentity(ctx context.Context, hash []byte) (*offboarding.Identity, error) {
	return s.identity(ctx, identityOfSession, hash)
}

func (s *Store) identity(ctx context.Context, query string, arg any) (*offboarding.Identity, error) {
	var row identityRow
	found, err := s.once(ctx, "look up who is calling", &row, query, arg)
	if err != nil || !found {
		return nil, err
	}
	i := &offboarding.Identity{
		Member: row.Member, Organizations: append([]string{row.OrganizationID}, row.Below...),
		CredentialID: row.CredentialID, Kind: row.Kind, SessionID: row.SessionID, Status: row.AccessStatus,
		SecretHash: row.SecretHash, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
	}
	utc([]*time.Time{&i.CreatedAt, i.ExpiresAt})
	return i, nil
}

// once reads one row with one statement, which is a transaction by itself and takes
// one round trip: every request does it.
func (s *Store) once(ctx context.Context, op string, dest any, query string, args ...any) (found bool, err error) {
	s.prepare(ctx, query)
	if stmt := s.prepared(query); stmt != nil { //nolint:sqlclosecheck // it is the store's, for all connections
		err = stmt.GetContext(ctx, dest, args...)
	} else {
		err = s.db.GetContext(ctx, dest, query, args...)
	}
	if err == sql.ErrNoRows { //nolint:errorlint // database/sql returns it unwrapped
		return false, nil
	}
	return err == nil, clean(op, err)
}
