package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"golang.org/x/sync/errgroup"

	"handover/offboarding"
)

// leavingSQL takes access away by plain SQL: a round trip for each statement, prepared
// once.
type leavingSQL struct {
	facts, open, deactivate  *sqlx.Stmt // of one leaver
	openMany, deactivateMany *sqlx.Stmt
	db                       *sqlx.DB
}

// What Handover reads to judge a leaver's start: the leaver, who asks, the organization
// and an open case. The account is locked, as there.
const leaverFacts = `SELECT m.id, m.organization_id, m.external_id, m.email, m.display_name, m.role, m.account_type, m.status,
		coalesce(m.manager_id::text, '') AS manager_id, m.managed_by, m.time_zone, a.role AS actor_role, a.status AS actor_status,
		o.domains, o.default_disposition, o.grace_period_seconds, o.identity_provider, o.time_zone AS organization_zone,
		EXISTS (SELECT 1 FROM cases c WHERE c.member_id = m.id AND c.closed_at IS NULL AND c.workspace_id IS NULL) AS open,
		EXISTS (SELECT 1 FROM sessions s WHERE s.member_id = m.id AND s.sso AND s.status = 'active' AND o.sso_sessions = 'wait') AS signed_in
	FROM members m JOIN organizations o ON o.id = m.organization_id JOIN members a ON a.id = $2 WHERE m.id = $1 FOR NO KEY UPDATE OF m`

// Both open the cases as they are after the deactivation and write all events at once.
// $1 are the leavers, $2 who asks, $3 the time.
const (
	bareOpen = `WITH opened AS (
		INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition, archive_schedules,
			grace_period_seconds, created_at, effective_at, revoked_at, deactivated_at)
		SELECT gen_random_uuid(), 'offboarding/' || m.id, m.organization_id, m.id, $2, '', '', 'deactivated', o.default_disposition, false,
			o.grace_period_seconds, $3, $3, $3, $3
		FROM members m JOIN organizations o ON o.id = m.organization_id WHERE m.id = ANY ($1::uuid[])
		RETURNING id, organization_id, member_id, disposition),
	credential AS (
		UPDATE credentials SET status = 'revoked', revoked_at = $3 WHERE member_id = ANY ($1::uuid[]) AND status = 'active' RETURNING id, member_id),
	session AS (
		UPDATE sessions SET status = 'revoked', revoked_at = $3 WHERE member_id = ANY ($1::uuid[]) AND status = 'active' RETURNING id, member_id)
	INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, case_id, subject_kind, subject_id, before, after, at)
	SELECT c.organization_id, e.event, $2, '', c.member_id, c.id, e.kind, e.subject, e.before::jsonb, e.after::jsonb, $3
	FROM opened c CROSS JOIN LATERAL (VALUES
		('ScheduleOffboarding', 'case', c.id::text, '{}', json_build_object('phase', 'scheduled', 'effective_at', $3::timestamptz, 'disposition', c.disposition, 'new_owner_id', '')::text),
		('AdvanceOffboarding', 'case', c.id::text, '{"phase": "scheduled"}', '{"phase": "revoking"}'),
		('DeactivateMember', 'member', c.member_id::text, '{"status": "active", "phase": "revoking"}', '{"status": "inactive", "phase": "deactivated"}')
	) AS e (event, kind, subject, before, after)
	UNION ALL
	SELECT c.organization_id, 'RevokeCredentials', $2, '', c.member_id, c.id, 'credential', k.id::text, '{"status": "active"}', '{"status": "revoked"}', $3
	FROM credential k JOIN opened c ON c.member_id = k.member_id
	UNION ALL
	SELECT c.organization_id, 'RevokeSessions', $2, '', c.member_id, c.id, 'session', k.id::text, '{"status": "active"}', '{"status": "revoked"}', $3
	FROM session k JOIN opened c ON c.member_id = k.member_id`
	bareDeactivate = `UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = ANY ($1::uuid[]) AND status = 'active'`
)

func prepareLeaving(ctx context.Context, db *sqlx.DB) (*leavingSQL, error) {
	l := &leavingSQL{db: db}
	one := strings.NewReplacer("= ANY ($1::uuid[])", "= $1")
	for stmt, query := range map[**sqlx.Stmt]string{
		&l.facts: leaverFacts, &l.open: one.Replace(bareOpen), &l.deactivate: one.Replace(bareDeactivate),
		&l.openMany: bareOpen, &l.deactivateMany: bareDeactivate,
	} {
		var err error
		if *stmt, err = db.PreparexContext(ctx, query); err != nil { //nolint:sqlclosecheck // Close closes it
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// Close closes what has been prepared.
func (l *leavingSQL) Close() error {
	var errs []error
	for _, stmt := range []*sqlx.Stmt{l.facts, l.open, l.deactivate, l.openMany, l.deactivateMany} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// many offboards in batches, some side by side; nobody asks whether the rules allow it.
func (l *leavingSQL) many(ctx context.Context, admin string, leavers []string, batch, atOnce int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for some := range slices.Chunk(slices.Sorted(slices.Values(leavers)), batch) {
		g.Go(func() error {
			return l.leave(ctx, l.openMany, l.deactivateMany, pq.Array(some), admin, func(*sqlx.Tx) error { return nil })
		})
	}
	return g.Wait()
}

// one offboards a leaver whom the rules let go, as Handover's are judged.
func (l *leavingSQL) one(ctx context.Context, admin, leaver string) error {
	return l.leave(ctx, l.open, l.deactivate, leaver, admin, func(tx *sqlx.Tx) error {
		var row struct {
			offboarding.Member

			ActorRole   offboarding.Role         `db:"actor_role"`
			ActorStatus offboarding.MemberStatus `db:"actor_status"`
			Domains     pq.StringArray           `db:"domains"`
			Disposition offboarding.Disposition  `db:"default_disposition"`
			Grace       int64                    `db:"grace_period_seconds"`
			Provider    string                   `db:"identity_provider"`
			Zone        string                   `db:"organization_zone"`
			Open        bool                     `db:"open"`
			SignedIn    bool                     `db:"signed_in"`
		}
		if err := tx.StmtxContext(ctx, l.facts).GetContext(ctx, &row, leaver, admin); err != nil { //nolint:sqlclosecheck // the transaction's end closes it
			return err
		}
		actor := row.Member
		actor.ID, actor.Role, actor.Status = admin, row.ActorRole, row.ActorStatus
		if row.Open || row.SignedIn {
			return errNotNow
		}
		_, err := offboarding.Admit(offboarding.Request{MemberID: leaver, RequestedBy: admin}, offboarding.AdmissionFacts{
			Actor: offboarding.Actor{Member: &actor, Reach: offboarding.ReachOwn}, Leaver: &row.Member,
			Organization: offboarding.Organization{
				ID: row.OrganizationID, Domains: row.Domains, DefaultDisposition: row.Disposition, TimeZone: row.Zone,
				GracePeriod: time.Duration(row.Grace) * time.Second, IdentityProvider: row.Provider,
			},
		}, time.Now())
		return err
	})
}

// errNotNow says that a leaver of a measurement cannot leave.
var errNotNow = errors.New("the leaver has an open case or is signed in")

func (l *leavingSQL) leave(ctx context.Context, open, deactivate *sqlx.Stmt, leavers any, admin string, judge func(*sqlx.Tx) error) error {
	tx, err := l.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	if err := judge(tx); err != nil {
		return err
	}
	at := time.Now()
	if _, err := tx.StmtxContext(ctx, open).ExecContext(ctx, leavers, admin, at); err != nil {
		return err
	}
	if _, err := tx.StmtxContext(ctx, deactivate).ExecContext(ctx, leavers, at); err != nil {
		return err
	}
	return tx.Commit()
}
