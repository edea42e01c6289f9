package schema_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
)

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// world is two organizations with a case of the first one's leaver.
type world struct {
	*fixture.Organization
	other    *fixture.Organization
	caseID   string
	document string
	request  string
	revoked  string // a credential
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldIn(t, testdb.New(t))
}

func newWorldIn(t *testing.T, db *sqlx.DB) *world {
	t.Helper()
	w := &world{Organization: fixture.New(t, db), other: fixture.New(t, db), caseID: newID(), request: newID()}
	w.document = w.Document(w.Leaver, "")
	w.openCase(w.caseID)
	w.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
		VALUES ($1, $2, $3, $4, $5, '', 'pending', $6)`, w.request, w.ID, w.caseID, w.document, w.Manager, fixture.Start)
	w.revoked = w.Credential(w.Manager)
	w.Exec(`UPDATE credentials SET status = 'revoked', revoked_at = $2 WHERE id = $1`, w.revoked, fixture.Start)
	w.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, w.Leaver, fixture.Start)
	w.Exec(`INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at)
		VALUES ($1, 'Test', '', 'case', $2, '{}', '{}', $3)`, w.ID, w.caseID, fixture.Start)
	return w
}

const insertCase = `INSERT INTO cases (id, workflow_id, organization_id, member_id, requested_by, origin, reason, phase, disposition,
	archive_schedules, grace_period_seconds, created_at, effective_at) VALUES ($1, 'w', $2, $3, $4, '', '', 'scheduled', 'retain', false, 1, $5, $5)`

const (
	insertEvent = `INSERT INTO audit_events (organization_id, event, origin, subject_kind, subject_id, before, after, at) VALUES ($1, 'Test', '', 'case', '', '{}', '{}', $2)`
	insertSeal  = `INSERT INTO audit_seals (organization_id, number, first_event, last_event, hash, entries, at) VALUES ($1, 1, 1, 1, '', '', $2)`
)

func (w *world) openCase(id string) { w.Exec(insertCase, id, w.ID, w.Leaver, w.Owner, fixture.Start) }

// What the database refuses, whoever asks: the statement, and the constraint.
func TestTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := w.Member(offboarding.RoleOwner, offboarding.AccountMaker)
	w.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, second, fixture.Start)
	folder, elsewhere := w.Folder(w.Leaver, "", "Drafts"), w.other.Folder("", "", "Team")
	live, session := w.Credential(w.Owner), w.Session(w.Owner)
	w.Exec(`UPDATE organizations SET seat_limit = 3 WHERE id = $1`, w.ID)
	now := fixture.Start.Add(time.Hour)

	for name, test := range map[string]struct {
		constraint, query string
		args              []any
	}{
		"a second open case": {"cases_one_open_per_member", insertCase, []any{newID(), w.ID, w.Leaver, w.Owner, now}},
		"a case of another organization's member": {
			"cases_organization_id_member_id_fkey", insertCase, []any{newID(), w.ID, w.other.Leaver, w.Owner, now},
		},
		"a case deactivated without a time": {"cases_check", `UPDATE cases SET phase = 'deactivated' WHERE id = $1`, []any{w.caseID}},
		"a case completed without a time":   {"cases_check", `UPDATE cases SET phase = 'canceled' WHERE id = $1`, []any{w.caseID}},
		"a case closed in an open phase":    {"cases_check", `UPDATE cases SET closed_at = created_at WHERE id = $1`, []any{w.caseID}},
		"the leaver as new owner": {
			"cases_check", `UPDATE cases SET disposition = 'transfer', new_owner_id = member_id WHERE id = $1`, []any{w.caseID},
		},
		"a transfer to nobody": {"cases_check", `UPDATE cases SET disposition = 'transfer' WHERE id = $1`, []any{w.caseID}},
		"a second pending request": {
			"ownership_requests_one_pending", `INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
			SELECT $2, organization_id, case_id, document_id, member_id, '', 'pending', created_at FROM ownership_requests WHERE id = $1`,
			[]any{w.request, newID()},
		},
		"a request approved by nobody": {
			"ownership_requests_check", `UPDATE ownership_requests SET status = 'approved', decided_at = $2, new_owner_id = $3 WHERE id = $1`,
			[]any{w.request, now, w.Manager},
		},
		"a request approved for nobody": {
			"ownership_requests_check", `UPDATE ownership_requests SET status = 'approved', decided_at = $2, decided_by = $3 WHERE id = $1`,
			[]any{w.request, now, w.Admin},
		},
		"a changed audit event":                    {"audit_is_append_only", `UPDATE audit_events SET event = 'Nothing'`, nil},
		"a deleted audit event":                    {"audit_is_append_only", `DELETE FROM audit_events`, nil},
		"a truncated audit":                        {"audit_is_append_only", `TRUNCATE audit_events`, nil},
		"an audit emptied by others":               {"audit_is_append_only", `TRUNCATE organizations, audit_events CASCADE`, nil},
		"an event at the end of all time":          {"audit_events_at_check", insertEvent, []any{w.ID, "infinity"}},
		"an event of a year that nobody can write": {"audit_events_at_check", insertEvent, []any{w.ID, "10000-01-01"}},
		"a seal of long ago":                       {"audit_seals_timely", insertSeal, []any{w.ID, "2026-01-01"}},
		"a seal of the future":                     {"audit_seals_timely", insertSeal, []any{w.ID, "infinity"}},
		"a live credential of somebody inactive": {
			"access_of_inactive_member", `INSERT INTO credentials (id, organization_id, member_id, kind, name, status, created_at)
			VALUES ($1, $2, $3, 'api', 'key', 'active', $4)`, []any{newID(), w.ID, w.Leaver, now},
		},
		"a live session of somebody inactive": {
			"access_of_inactive_member", `INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at)
			VALUES ($1, $2, $3, true, 'active', $4)`, []any{newID(), w.ID, w.Leaver, now},
		},
		"a live credential handed to somebody inactive": {
			"access_of_inactive_member", `UPDATE credentials SET member_id = $2 WHERE id = $1`, []any{live, w.Leaver},
		},
		"a live session handed to somebody inactive": {
			"access_of_inactive_member", `UPDATE sessions SET member_id = $2 WHERE id = $1`, []any{session, w.Leaver},
		},
		"a revoked credential that comes back": {
			"revoked_stays_revoked", `UPDATE credentials SET status = 'active', revoked_at = NULL WHERE id = $1`, []any{w.revoked},
		},
		"deactivation with live access": {
			"members_no_live_access", `UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`,
			[]any{w.addLive(), now},
		},
		"the last owner deactivated": {
			"members_last_owner", `UPDATE members SET status = 'archived' WHERE id = $1`, []any{w.other.Owner},
		},
		"the last owner made an admin": {"members_last_owner", `UPDATE members SET role = 'admin' WHERE id = $1`, []any{w.other.Owner}},
		"the last owner deleted":       {"members_last_owner", `DELETE FROM members WHERE id = $1`, []any{w.other.Owner}},
		"the last owner moved away": {
			"members_last_owner", `UPDATE members SET organization_id = $2 WHERE id = $1`, []any{w.other.Owner, w.ID},
		},
		"a seat too many": {
			"members_seat_limit", `UPDATE members SET status = 'active' WHERE id = $1`, []any{w.Leaver},
		},
		"an owner from another organization": {
			"documents_organization_id_owner_id_fkey", `UPDATE documents SET owner_id = $2 WHERE id = $1`, []any{w.document, w.other.Owner},
		},
		"a folder of another organization": {
			"documents_organization_id_folder_id_fkey", `UPDATE documents SET folder_id = $2 WHERE id = $1`, []any{w.document, elsewhere},
		},
		"a parent folder of another organization": {
			"folders_organization_id_parent_id_fkey", `UPDATE folders SET parent_id = $2 WHERE id = $1`, []any{folder, elsewhere},
		},
		"a grant to another organization's member": {
			"grants_organization_id_member_id_fkey", `INSERT INTO grants VALUES ($1, $2, $3, 'edit')`, []any{w.ID, w.document, w.other.Owner},
		},
		"a grant on another organization's document": {
			"grants_organization_id_document_id_fkey", `INSERT INTO grants VALUES ($1, $2, $3, 'edit')`,
			[]any{w.ID, w.other.Document(w.other.Owner, ""), w.Owner},
		},
		"a manager from another organization": {
			"members_organization_id_manager_id_fkey", `UPDATE members SET manager_id = $2 WHERE id = $1`, []any{w.Leaver, w.other.Owner},
		},
		"read-only without a case": {"documents_check", `UPDATE documents SET access = 'read_only' WHERE id = $1`, []any{w.document}},
		"editable because of a case": {
			"documents_check", `UPDATE documents SET access_case_id = $2 WHERE id = $1`, []any{w.document, w.caseID},
		},
		"a document owned by nobody":   {"", `UPDATE documents SET owner_id = NULL WHERE id = $1`, []any{w.document}},
		"an active schedule of a case": {"", `UPDATE schedules SET archived_by_case_id = $2 WHERE id = $1`, []any{w.Schedule(w.document), w.caseID}},
		"two folders of one name and place": {
			"folders_name_key", `INSERT INTO folders (id, organization_id, owner_id, name, created_at) VALUES ($1, $2, $3, 'Drafts', $4)`,
			[]any{newID(), w.ID, w.Leaver, now},
		},
		"one email for two, whatever its case": {
			"members_email_key", `UPDATE members SET email = (SELECT upper(email) FROM members WHERE id = $2) WHERE id = $1`,
			[]any{w.Leaver, w.Owner},
		},
		"a step done twice": {
			"case_steps_pkey", `INSERT INTO case_steps SELECT $1::uuid, 'revoke', '{}', $2::timestamptz FROM generate_series(1, 2)`, []any{w.caseID, now},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.DB.Exec(test.query, test.args...)
			var refused *pq.Error
			require.Truef(t, errors.As(err, &refused), "%v", err)
			require.Equal(t, "23", string(refused.Code.Class()), "%v", err)
			// A prefix: a table's checks have numbers.
			require.True(t, strings.HasPrefix(refused.Constraint, test.constraint), "%v (%s)", err, refused.Constraint)
		})
	}
}

// addLive is a member with a live session.
func (w *world) addLive() string {
	member := w.Maker()
	w.Session(member)
	return member
}
