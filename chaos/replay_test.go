package chaos_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
)

// facts are what can be known of an organization from its audit: "<kind> <id> <field>"
// and the value.
type facts map[string]string

// known says for each kind of thing what it is now; a row an ID, a field and a value.
const known = `
	SELECT 'member ' || id || ' status' AS what, status AS value FROM members UNION ALL
	SELECT 'document ' || id || ' owner_id', owner_id::text FROM documents UNION ALL
	SELECT 'document ' || id || ' access', access FROM documents UNION ALL
	SELECT 'schedule ' || id || ' status', status FROM schedules UNION ALL
	SELECT 'credential ' || id || ' status', status FROM credentials UNION ALL
	SELECT 'session ' || id || ' status', status FROM sessions UNION ALL
	SELECT 'request ' || id || ' status', status FROM ownership_requests UNION ALL
	SELECT 'grant ' || document_id || '/' || member_id || ' level', level FROM grants UNION ALL
	SELECT 'case ' || id || ' phase', phase FROM cases`

func factsOf(t *testing.T, db *sqlx.DB) facts {
	t.Helper()
	var rows []struct{ What, Value string }
	require.NoError(t, db.Select(&rows, known))
	f := facts{}
	for _, row := range rows {
		f[row.What] = row.Value
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
				if have, known := f[what]; known && have != fmt.Sprint(was) {
					require.Fail(t, "the audit skips something", "%s was %s, and event %d (%s) says %v", what, have, e.ID, e.Event, was)
				}
			}
			f[what] = fmt.Sprint(value)
		}
	}
	return len(all)
}

// about is what a field of an event is about, as the query of known names it.
func (e event) about(field string) (string, bool) {
	switch {
	case field == "phase" && e.CaseID != "":
		return "case " + e.CaseID + " phase", true
	case (field == "owner_id" || field == "access") && e.Document != "":
		return "document " + e.Document + " " + field, true
	case field == "level" && e.Kind == "grant":
		return "grant " + e.Document + "/" + e.Member + " level", true
	case field == "status" && slices.Contains([]string{"member", "schedule", "credential", "session", "request"}, e.Kind):
		return e.Kind + " " + e.Subject + " status", true
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
