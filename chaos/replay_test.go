package chaos_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// facts are what can be known of an organization from its audit: "<kind> <id> <field>"
// and the value.
type facts map[string]string

// known says for each kind of thing what it is now; a row an ID, a field and a value. Not
// here is what no event tells: names and other texts, when and by whom something was done
// (an event says both of itself), and what only the machinery keeps.
const known = `
	SELECT 'member ' || id || ' status' AS what, status AS value FROM members UNION ALL
	SELECT 'document ' || id || ' owner_id', owner_id::text FROM documents UNION ALL
	SELECT 'document ' || id || ' access', access FROM documents UNION ALL
	SELECT 'document ' || id || ' folder_id', coalesce(folder_id::text, '') FROM documents UNION ALL
	SELECT 'folder ' || id || ' owner_id', coalesce(owner_id::text, '') FROM folders UNION ALL
	SELECT 'folder ' || id || ' parent_id', coalesce(parent_id::text, '') FROM folders UNION ALL
	SELECT 'folder ' || id || ' leaver_id', coalesce(leaver_id::text, '') FROM folders UNION ALL
	SELECT 'folder ' || id || ' source_id', coalesce(source_id::text, '') FROM folders UNION ALL
	SELECT 'schedule ' || id || ' status', status FROM schedules UNION ALL
	SELECT 'credential ' || id || ' status', status FROM credentials UNION ALL
	SELECT 'session ' || id || ' status', status FROM sessions UNION ALL
	SELECT 'request ' || id || ' status', status FROM ownership_requests UNION ALL
	SELECT 'request ' || id || ' member_id', member_id::text FROM ownership_requests UNION ALL
	SELECT 'request ' || id || ' escalated', 'true' FROM ownership_requests WHERE escalated_at IS NOT NULL UNION ALL
	SELECT 'grant ' || document_id || '/' || member_id || ' level', level FROM grants UNION ALL
	SELECT 'workspace ' || workspace_id || '/' || member_id || ' role', role FROM workspace_members UNION ALL
	SELECT 'legal_hold ' || id || ' held', (lifted_at IS NULL)::text FROM legal_holds UNION ALL
	SELECT 'case ' || id || ' phase', phase FROM cases UNION ALL
	SELECT 'case ' || id || ' disposition', disposition FROM cases UNION ALL
	SELECT 'case ' || id || ' new_owner_id', coalesce(new_owner_id::text, '') FROM cases UNION ALL
	SELECT 'case ' || id || ' effective_at', to_json(effective_at) #>> '{}' FROM cases UNION ALL
	SELECT 'case ' || id || ' grace_ends_at', to_json(grace_ends_at) #>> '{}' FROM cases WHERE grace_ends_at IS NOT NULL UNION ALL
	SELECT 'case ' || id || ' closed', 'true' FROM cases WHERE phase = 'reactivated' AND closed_at IS NOT NULL`

func factsOf(t *testing.T, db *sqlx.DB) facts {
	t.Helper()
	var rows []struct{ What, Value string }
	require.NoError(t, db.Select(&rows, known))
	f := facts{}
	for _, row := range rows {
		f[row.What] = plain(row.Value)
	}
	return f
}

// event is one of the audit.
type event struct {
	ID                       int64
	Event, Kind, Subject     string
	Document, Member, CaseID string
	Before, After            []byte
}

// replay applies the audit, in its order, to what was there before. Each event must
// begin where the one before it has ended.
func (f facts) replay(t *testing.T, db *sqlx.DB) (events int) {
	t.Helper()
	var all []event
	require.NoError(t, db.Select(&all, `SELECT id, event, subject_kind AS kind, subject_id AS subject, coalesce(document_id::text, '') AS document,
		coalesce(member_id::text, '') AS member, coalesce(case_id::text, '') AS caseid, before, after FROM audit_events ORDER BY id`))
	for _, e := range all {
		for side, data := range map[string][]byte{"before": e.Before, "after": e.After} {
			require.True(t, json.Valid(data), "%s of %+v", side, e)
		}
		var before, after map[string]any
		require.NoError(t, json.Unmarshal(e.Before, &before))
		require.NoError(t, json.Unmarshal(e.After, &after))
		for field, value := range after {
			what, ok := e.about(field)
			if !ok {
				continue
			}
			if was, said := before[field]; said {
				if have, known := f[what]; known && have != plain(was) {
					require.Fail(t, "the audit skips something", "%s was %s, and event %d (%s) says %v", what, have, e.ID, e.Event, was)
				}
			}
			f[what] = plain(value)
			if field == "role" && value == "" { // no member any more
				delete(f, what)
			}
		}
	}
	return len(all)
}

// plain is a value as it is compared: times are one in each zone, and null is nothing.
func plain(value any) string {
	if value == nil {
		return ""
	}
	text := fmt.Sprint(value)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return text
}

// told are the fields of events by what the event is about.
var told = map[string][]string{
	"member": {"status"}, "schedule": {"status"}, "credential": {"status"}, "session": {"status"},
	"folder":     {"owner_id", "parent_id", "leaver_id", "source_id"},
	"request":    {"status", "member_id", "escalated"},
	"legal_hold": {"held"},
	"case":       {"disposition", "new_owner_id", "effective_at", "grace_ends_at", "closed"},
}

// about is what a field of an event is about, as the query of known names it.
func (e event) about(field string) (string, bool) {
	switch {
	case e.Event == offboarding.EventRemindGraceEnding: // says until when, and changes nothing
	case field == "phase" && e.CaseID != "": // also told with what its first phases do
		return "case " + e.CaseID + " phase", true
	case slices.Contains(told[e.Kind], field):
		return e.Kind + " " + e.Subject + " " + field, true
	case e.Kind == "grant" && field == "level":
		return "grant " + e.Document + "/" + e.Member + " level", true
	case e.Kind == "workspace" && field == "role":
		return "workspace " + e.Subject + "/" + e.Member + " role", true
	case e.Document != "" && slices.Contains([]string{"owner_id", "access", "folder_id"}, field):
		return "document " + e.Document + " " + field, true
	}
	return "", false
}

// requireSame compares what the audit says with what the tables say.
func (f facts) requireSame(t *testing.T, tables facts) {
	t.Helper()
	var differ []string
	for what, value := range tables {
		if f[what] != value {
			differ = append(differ, fmt.Sprintf("%s is %s, and %q by the audit", what, value, f[what]))
		}
	}
	for what := range f {
		if _, ok := tables[what]; !ok {
			differ = append(differ, what+" is there by the audit alone")
		}
	}
	slices.Sort(differ)
	require.Empty(t, differ)
}
