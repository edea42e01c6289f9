package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"handover/offboarding"
)

const (
	// Two imports of one slug at a time: the second waits for the first, then finds it there.
	insertOrganization = `INSERT INTO organizations (id, slug, name, domains, seat_limit, claim_policy, grace_period_seconds,
	default_disposition, time_zone, identity_provider, enterprise_plan_manager, sso_sessions, attribution, bulk_limit_percent, parent_id, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, nullif($15, '')::uuid, $16) ON CONFLICT (slug) DO NOTHING`

	selectOrganizationID = `SELECT id FROM organizations WHERE slug = $1`
	setProvisioningAdmin = `UPDATE organizations SET provisioning_admin_id = $2 WHERE id = $1`

	insertImportAudit = `INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at)
	VALUES ($1::uuid, $2, '', $3, $1::uuid::text, '{}', $4, $5)`

	analyzeImported = `ANALYZE organizations, members, folders, documents, grants, schedules, credentials`
)

// progressEvery is how many rows an import loads between two reports.
const progressEvery = 10_000

// Import loads an organization that offboarding.ReadImport has checked, in one
// transaction with one audit event. progress may be nil; it hears how many rows
// of how many are loaded. An organization whose slug exists is refused.
func (s *Store) Import(ctx context.Context, in offboarding.Import, at time.Time, progress func(done, total int)) (offboarding.ImportSummary, error) {
	var summary offboarding.ImportSummary
	err := s.inTx(ctx, "import", func(t *tx) error {
		l := &loader{tx: t, in: &in, at: at, progress: progress}
		if err := l.load(); err != nil {
			return err
		}
		summary = l.summary
		_, err := t.exec(insertImportAudit, summary.OrganizationID, offboarding.EventImportOrganization,
			offboarding.SubjectOrganization, string(mustJSON(summary)), at)
		return err
	})
	if err != nil {
		return offboarding.ImportSummary{}, err
	}
	// Without it the first queries run on plans for empty tables. Should it fail,
	// the import stands all the same, and autovacuum will come by.
	_, _ = s.db.ExecContext(ctx, analyzeImported)
	return summary, nil
}

// loader loads one organization, a COPY for each table: into a table of the transaction's
// own, for where there is a wall (docs/adr/0043) PostgreSQL copies into no other.
type loader struct {
	*tx
	in       *offboarding.Import
	at       time.Time
	progress func(done, total int)
	done     int
	total    int
	summary  offboarding.ImportSummary

	organization uuid.UUID
	members      map[string]uuid.UUID // by external ID
	documents    map[string]uuid.UUID // by external ID
	folders      map[string]uuid.UUID // by path
	workspaces   map[string]uuid.UUID // by external ID
	paths        []string             // of the folders, parents first
}

func (l *loader) load() error {
	l.prepare()
	for _, load := range []func() error{
		l.loadOrganization, l.loadMembers, l.loadProvisioningAdmin, l.loadWorkspaces, l.loadFolders, l.loadDocuments, l.loadGrants,
		l.loadSchedules, l.loadCredentials,
	} {
		if err := load(); err != nil {
			return err
		}
	}
	return nil
}

// prepare gives each row that others refer to its ID. The IDs are in the order
// of the rows, so that the indexes grow at their end.
func (l *loader) prepare() {
	l.organization = newID()
	l.members = make(map[string]uuid.UUID, len(l.in.Members))
	for _, m := range l.in.Members {
		l.members[m.ExternalID] = newID()
	}
	l.folders = make(map[string]uuid.UUID, len(l.in.Folders))
	for _, f := range l.in.Folders {
		for end := range len(f.Path) + 1 {
			if end < len(f.Path) && f.Path[end] != '/' {
				continue
			}
			path := f.Path[:end]
			if _, ok := l.folders[path]; !ok {
				l.folders[path] = newID()
				l.paths = append(l.paths, path)
			}
		}
	}
	l.workspaces = make(map[string]uuid.UUID, len(l.in.Workspaces))
	for _, w := range l.in.Workspaces {
		l.workspaces[w.ExternalID] = newID()
	}
	l.documents = make(map[string]uuid.UUID, len(l.in.Documents))
	for _, d := range l.in.Documents {
		l.documents[d.ExternalID] = newID()
	}
	l.summary = offboarding.ImportSummary{
		OrganizationID: l.organization.String(), Members: len(l.in.Members), Folders: len(l.paths), Documents: len(l.in.Documents),
		Grants: len(l.in.Grants), Schedules: len(l.in.Schedules), Credentials: len(l.in.Credentials), Workspaces: len(l.in.Workspaces),
	}
	l.total = len(l.in.Members) + len(l.paths) + len(l.in.Documents) + len(l.in.Grants) + len(l.in.Schedules) + len(l.in.Credentials) +
		len(l.in.Workspaces) + len(l.in.WorkspaceMembers)
}

func (l *loader) loadOrganization() error {
	o := &l.in.Organization
	var parent string
	parentFound, err := l.find(&parent, selectOrganizationID, l.in.ParentSlug)
	if err != nil {
		return err
	}
	n, err := l.exec(insertOrganization, l.organization, o.Slug, o.Name, pq.Array(o.Domains), o.SeatLimit, o.ClaimPolicy,
		int64(o.GracePeriod/time.Second), o.DefaultDisposition, o.TimeZone, o.IdentityProvider, o.EnterprisePlanManager,
		o.SSOSessions, o.Attribution, o.BulkLimitPercent, parent, l.at)
	if err != nil {
		return err
	}
	var violations []offboarding.Violation
	if n == 0 {
		violations = append(violations, offboarding.Violation{
			Code: offboarding.CodeInvalidArgument, Field: "slug", Message: "an organization with this slug exists already",
		})
	}
	if l.in.ParentSlug != "" && !parentFound {
		violations = append(violations, offboarding.Violation{
			Rule: "A1", Code: offboarding.CodeInvalidArgument, Field: "parent", Message: "there is no organization with the parent's slug",
		})
	}
	return offboarding.RefusalOf(violations)
}

// loadProvisioningAdmin comes after the members.
func (l *loader) loadProvisioningAdmin() error {
	admin, err := optional(l.members, l.in.ProvisioningAdminExternalID, "provisioning_admin_external_id")
	if err != nil || admin == nil {
		return err
	}
	_, err = l.exec(setProvisioningAdmin, l.organization, admin)
	return err
}

// copyIn loads n rows into a table; row is handed the number of each.
func (l *loader) copyIn(table string, n int, columns []string, row func(i int) ([]any, error)) error {
	list := strings.Join(columns, ", ")
	if _, err := l.ExecContext(l.ctx, "CREATE TEMPORARY TABLE loaded ON COMMIT DROP AS SELECT "+list+" FROM "+table+" LIMIT 0"); err != nil {
		return err
	}
	stmt, err := l.PrepareContext(l.ctx, "COPY loaded FROM STDIN")
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // after the last Exec this does nothing
	for i := range n {
		values, err := row(i)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(l.ctx, values...); err != nil {
			return err
		}
		if l.done++; l.progress != nil && (l.done%progressEvery == 0 || l.done == l.total) {
			l.progress(l.done, l.total)
		}
	}
	if _, err := stmt.ExecContext(l.ctx); err != nil {
		return err
	}
	_, err = l.ExecContext(l.ctx, "INSERT INTO "+table+" ("+list+") SELECT "+list+" FROM loaded; DROP TABLE loaded")
	return err
}

// refer is the ID of a row that another refers to.
func refer(ids map[string]uuid.UUID, key, field string) (uuid.UUID, error) {
	id, ok := ids[key]
	if !ok {
		return id, offboarding.Refuse("", offboarding.CodeInvalidArgument, field, field+" refers to what is not in the import")
	}
	return id, nil
}

// newID makes IDs in the order of the calls. Its source of randomness does not fail.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
