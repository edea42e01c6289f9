package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	cases "handover/client"
	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/offboarding"
	"handover/postgres"
)

const day = 24 * time.Hour

// play is a scenario while it is played, on an organization of its own.
type play struct {
	*fixture.Organization
	t      *testing.T
	slot   *slot
	cases  *cases.Client
	store  *postgres.Store // of this process, which does not die
	labels map[string]string
	sent   int // messages
}

func newPlay(t *testing.T, s *slot) *play {
	t.Helper()
	t.Cleanup(func() { why(t, s.client, s.namespace, &s.log) })
	return &play{
		Organization: fixture.New(t, s.db), t: t, slot: s, cases: s.role.client(s.client), store: postgres.New(s.db), labels: map[string]string{},
	}
}

// play plays a scenario whose worker dies at these points.
func (p *play) play(s scenario, points ...string) {
	p.t.Helper()
	if s.first != nil {
		p.slot.arm(p.t)
		s.first(p)
	}
	p.slot.arm(p.t, points...)
	s.play(p)
}

// start starts a member's case and waits until it has come to a phase.
func (p *play) start(member string, phase offboarding.Phase, change func(*offboarding.Request)) string {
	p.t.Helper()
	p.label()
	r := offboarding.Request{MemberID: member, RequestedBy: p.Admin}
	if change != nil {
		change(&r)
	}
	started, err := p.cases.Start(p.t.Context(), r)
	require.NoError(p.t, err)
	p.reaches(started.WorkflowID, phase)
	return started.WorkflowID
}

// until waits until a case says what is wanted.
func (p *play) until(id, what string, wanted func(offboarding.Status) bool) {
	p.t.Helper()
	waitFor(p.t, what, func() error {
		status, err := p.cases.Status(p.t.Context(), id)
		if err == nil && !wanted(status) {
			err = fmt.Errorf("%+v", status)
		}
		require.NoError(p.t, p.slot.trouble())
		if err != nil {
			time.Sleep(4 * lookEvery) // who is asked has something to do
		}
		return err
	})
}

func (p *play) reaches(id string, phase offboarding.Phase) {
	p.t.Helper()
	p.until(id, string(phase), func(s offboarding.Status) bool { return s.Phase == phase })
}

// counts waits until a query counts as many rows.
func (p *play) counts(want int, query string, args ...any) {
	p.t.Helper()
	waitFor(p.t, query, func() error {
		if n := p.Count(query, args...); n != want {
			return fmt.Errorf("%d of %d", n, want)
		}
		return p.slot.trouble()
	})
}

// events waits until the audit has so many events of a name.
func (p *play) events(name string, want int) {
	p.t.Helper()
	p.counts(want, `SELECT count(*) FROM audit_events WHERE organization_id = $1 AND event = $2`, p.ID, name)
}

// forward moves the clock of a workflow.
func (p *play) forward(id string, d time.Duration) {
	p.t.Helper()
	require.NoError(p.t, temporalserver.FastForward(p.t.Context(), p.slot.client, p.slot.namespace, id, d))
}

// now is a workflow's time.
func (p *play) now(id string) time.Time {
	p.t.Helper()
	now, err := temporalserver.VirtualNow(p.t.Context(), p.slot.client, id)
	require.NoError(p.t, err)
	return now
}

// closes waits for the end of a workflow.
func (p *play) closes(id string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	require.NoError(p.t, p.slot.client.GetWorkflow(ctx, id, "").Get(ctx, nil), id)
}

// once names the next message, the same in every run of the scenario.
func (p *play) once() cases.Option {
	p.sent++
	return cases.WithUpdateID(fmt.Sprintf("message-%d", p.sent))
}

// done is the outcome of a message that must be done.
func (p *play) done(out offboarding.Outcome, err error) offboarding.Outcome {
	p.t.Helper()
	require.NoError(p.t, err)
	return out
}

func (p *play) claim(id, document, member string) offboarding.Outcome {
	p.t.Helper()
	return p.done(p.cases.Claim(p.t.Context(), id, offboarding.ClaimRequest{DocumentID: document, MemberID: member}, p.once()))
}

// breakTable takes a table away, for this scenario at the longest.
func (p *play) breakTable(table string) {
	p.Exec(`ALTER TABLE ` + table + ` RENAME TO ` + table + `_away`)
	p.t.Cleanup(func() { p.Exec(`ALTER TABLE IF EXISTS ` + table + `_away RENAME TO ` + table) })
}

func (p *play) repairTable(table string) { p.Exec(`ALTER TABLE ` + table + `_away RENAME TO ` + table) }

// label names what there is by now, so that two runs can be compared. IDs of the
// fixture are in the order of their making.
func (p *play) label() {
	p.t.Helper()
	for _, table := range []string{"members", "documents", "folders", "schedules", "credentials", "sessions", "workspaces", "webhooks"} {
		var made []string
		require.NoError(p.t, p.DB.Select(&made, `SELECT id FROM `+table+` WHERE organization_id = $1 ORDER BY id`, p.ID))
		n := 0
		for _, id := range made {
			if id[14] != '7' { // made by the database, in any order
				p.labels[id] = table
				continue
			}
			n++
			p.labels[id] = fmt.Sprintf("%s-%d", table, n)
		}
	}
}

// tables are what a run leaves behind, and whose it is; but for case_steps, by which a
// step that runs again is recognized.
var tables = map[string]string{
	"organizations": `id = $1`, "members": ``, "folders": ``, "cases": ``, "documents": ``, "grants": ``, "schedules": ``, "credentials": ``,
	"sessions": ``, "ownership_requests": ``, "audit_events": ``, "workspaces": ``, "workspace_members": ``, "legal_holds": ``, "bulk_runs": ``,
	"notices": ``, "webhooks": ``,
	"bulk_members":       `bulk_id IN (SELECT id FROM bulk_runs WHERE organization_id = $1)`,
	"webhook_deliveries": `webhook_id IN (SELECT id FROM webhooks WHERE organization_id = $1)`,
}

// chance is what may be one thing or another, whoever dies: the numbers that the database
// counts by, how long something took, and whether a case took itself over before or after
// its list had kept that it was started.
var chance = regexp.MustCompile(`"(id|event_id|last_ms|started_at)": (\d+|null|"TIME")`)

// state is what the organization has become, without IDs and times: a line a row, in order.
func (p *play) state() []string {
	p.t.Helper()
	var lines []string
	for table, whose := range tables {
		if whose == "" {
			whose = `organization_id = $1`
		}
		var rows []string
		require.NoError(p.t, p.DB.Select(&rows, `SELECT to_jsonb(t)::text FROM `+table+` t WHERE `+whose, p.ID))
		for _, row := range rows {
			row = ids.ReplaceAllStringFunc(row, func(id string) string {
				if label, known := p.labels[id]; known {
					return label
				}
				return "ID"
			})
			row = chance.ReplaceAllString(times.ReplaceAllString(row, "TIME"), `"$1": 0`)
			lines = append(lines, table+" "+row)
		}
	}
	slices.Sort(lines)
	return lines
}

// differ lists what is in one state and not in the other.
func differ(want, have []string) string {
	count := map[string]int{}
	for _, line := range want {
		count[line]--
	}
	for _, line := range have {
		count[line]++
	}
	var out []string
	for line, n := range count {
		switch {
		case n < 0:
			out = append(out, fmt.Sprintf("missing %d: %s", -n, line))
		case n > 0:
			out = append(out, fmt.Sprintf("too many %d: %s", n, line))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// requireInvariants checks the promises about everything in the slot's database.
func requireInvariants(t *testing.T, store *postgres.Store) {
	t.Helper()
	checked, err := store.CheckInvariants(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, checked)
	for _, i := range checked {
		broken, err := json.Marshal(i)
		require.NoError(t, err)
		require.True(t, i.Holds(), "%s", broken)
	}
}
