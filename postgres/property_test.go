package postgres_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// Random sequences of every step, of several cases at once, do what the model says,
// and every invariant holds after each. What goes wrong is shown as the shortest
// sequence that was found.
//
// The sequences are the same in every run, so that a build is broken by a change and
// not by chance. To look for others, and longer for a short one:
//
//	go test ./postgres -run TestAnySequence -rapid.checks=1000 -rapid.steps=100 -rapid.shrinktime=5m
func TestAnySequenceOfStepsDoesWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	enough := setUnlessGiven(t, "rapid.checks", "25")
	enough = setUnlessGiven(t, "rapid.steps", "50") && enough
	db := testdb.New(t)
	tally := tally{}
	for round := 0; round < 4 && (round == 0 || enough && len(tally.missing()) > 0); round++ {
		if enough {
			require.NoError(t, flag.Set("rapid.seed", strconv.Itoa(round+1)))
		}
		rapid.Check(t, func(rt *rapid.T) {
			w := newWorld(t, rt, db, tally)
			w.matches()
			rt.Repeat(map[string]func(*rapid.T){"next": w.next})
		})
	}
	t.Log(tally)
	require.True(t, !enough || len(tally.missing()) == 0, "never reached, so that nothing is proved about it: %v", tally.missing())
}

// setUnlessGiven sets a flag of rapid's; false where the command line has.
func setUnlessGiven(t *testing.T, name, value string) bool {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		require.NoError(t, flag.Set(name, value))
	}
	return !given
}

// reached is what must have happened, or the sequences were too tame.
var reached = []string{
	"revoke: waits", "check the sessions: 0", "check the sessions: 1",
	"admit: opened", "admit: existing", "admit: refused", "revoke: revoked", "deactivate: deactivated",
	"transfer: 1", "archive: 1", "lock: 1", "settle: grace", "settle: completed", "end the grace: read_only", "end the grace: locked",
	"claim: claimed", "claim: requested", "claim: refused", "decide: approved", "decide: rejected", "decide: refused",
	"authorize transfer: to", "transfer message: 1", "extend: extended", "reschedule: rescheduled", "cancel: canceled",
	"authorize reactivation: allowed", "authorize reactivation: refused", "reactivate: reactivated", "restore: 1", "return: 1", "pass on: passed", "grant: 1",
	"rehire: reopens", "provider asks: opened", "provider asks: refused: externally_managed", "provider reactivates: allowed",
	"list: SUCCESS", "list: PARTIAL_SUCCESS", "list: REFUSED", "list: refused: not_authorized",
	"remind: 1", "escalate: 1", "escalate: 0", "archive the member: archived", "settings: changed", "settings: refused: not_authorized", "removal: opened", "delete: deleted", "delete: offboards", "delete: waits", "delete: refused: wrong_phase",
	"rehire many: judged", "rehire many: refused: idp_authentication", "hold: placed", "lift: lifted", "claim: refused: legal_hold",
}

// tally counts what the steps came to.
type tally map[string]int

// missing is what has not been reached.
func (ta tally) missing() []string {
	return slices.DeleteFunc(slices.Clone(reached), func(what string) bool {
		for key := range ta {
			if strings.HasPrefix(key, what) {
				return true
			}
		}
		return false
	})
}

func (ta tally) String() string {
	keys := make([]string, 0, len(ta))
	done, refused := 0, 0
	for key, n := range ta {
		keys = append(keys, key)
		if strings.Contains(key, ": refused") {
			refused += n
		} else {
			done += n
		}
	}
	sort.Strings(keys)
	var all strings.Builder
	fmt.Fprintf(&all, "%d steps done, %d refused\n", done, refused)
	for _, key := range keys {
		fmt.Fprintf(&all, "%6d %s\n", ta[key], key)
	}
	return all.String()
}

// world is an organization, in the database and in the model.
type world struct {
	*rapid.T
	o         *fixture.Organization
	store     *postgres.Store
	m         *model
	ids       map[string]string // by the model's names
	drivers   []*driver
	past      []pastStep
	lastEvent int64
	folders   int // that were there at the start
	tally     tally
	story     []string
	stepOf    *modelCase // whose step was named last
	holds     int
	workspace string
	rude      bool // messages go to cases in any phase
}

// pastStep is a step that can be run again, and what it came to.
type pastStep struct {
	of           *modelCase // nil for none
	what, answer string
	run          func() string
}

// driver goes on with a case as its workflow does, a step or a batch at a time.
type driver struct {
	*modelCase
	n            int       // names the next step
	sessionsEnd  time.Time // until when the deactivation waits, zero for not
	waited       bool
	disposed     bool
	unarchived   bool
	locked       bool
	restores     int
	cursor       string // of the case's own sweep under way
	transfers    []*messageSweep
	reactivation *underWay
}

type messageSweep struct {
	name, admin, newOwner, cursor string
	documents                     []string
}

type underWay struct {
	id, admin       string
	provider        string // on whose behalf
	returnDocuments bool
	stage           string // restore, member, return, grant, close
}

// emptied deletes all rows, guards aside: many times as fast as a TRUNCATE of small
// tables. What others refer to goes in a later round, but for an organization and the
// admin of its own who set up provisioning.
const emptied = `DO $$ DECLARE t regclass; left_over boolean := true; BEGIN
	FOR t IN SELECT DISTINCT tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 8 > 0 LOOP
		EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', t);
	END LOOP;
	UPDATE organizations SET provisioning_admin_id = NULL;
	WHILE left_over LOOP
		left_over := false;
		FOR t IN SELECT format('%I', tablename)::regclass FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%' LOOP
			BEGIN
				EXECUTE format('DELETE FROM %s', t);
			EXCEPTION WHEN foreign_key_violation THEN
				left_over := true;
			END;
		END LOOP;
	END LOOP;
	FOR t IN SELECT DISTINCT tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 8 > 0 LOOP
		EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', t);
	END LOOP;
END $$`

// newWorld empties the database and makes an organization in which everybody may
// meet everything: two owners, an admin, three makers, and colleagues who cannot own.
func newWorld(t *testing.T, rt *rapid.T, db *sqlx.DB, ta tally) *world {
	t.Helper()
	_, err := db.ExecContext(t.Context(), emptied)
	require.NoError(t, err)
	w := &world{
		T: rt, o: fixture.New(t, db), store: postgres.New(db).WithBatchSize(2), ids: map[string]string{}, tally: ta,
		m: &model{
			now: fixture.Start.Add(time.Hour), selfServe: true, disposition: offboarding.DispositionRetain, members: map[string]*modelMember{},
			documents: map[string]*modelDocument{}, grants: map[string]offboarding.GrantLevel{},
		},
	}
	w.member("owner", w.o.Owner, offboarding.RoleOwner, offboarding.AccountMaker, "")
	w.member("boss", "", offboarding.RoleOwner, offboarding.AccountMaker, "")
	w.member("admin", w.o.Admin, offboarding.RoleAdmin, offboarding.AccountMaker, "")
	w.member("ben", w.o.Manager, offboarding.RoleContributor, offboarding.AccountMaker, "boss")
	w.member("ann", w.o.Leaver, offboarding.RoleContributor, offboarding.AccountMaker, "ben")
	w.member("cat", "", offboarding.RoleContributor, offboarding.AccountMaker, "admin")
	w.member("ed", "", offboarding.RoleContributor, offboarding.AccountEditor, "ann")
	w.member("vi", "", offboarding.RoleReader, offboarding.AccountViewer, "")
	w.member("out", "", offboarding.RoleContributor, offboarding.AccountEditor, "")
	w.member("eve", "", offboarding.RoleContributor, offboarding.AccountMaker, "cat")
	w.m.members["out"].outside = true
	w.o.Exec(`UPDATE members SET email = 'out@elsewhere.example' WHERE id = $1`, w.ids["out"])
	w.m.sessions = pick(w, "sessions", []offboarding.SSOSessions{offboarding.SSORevoke, offboarding.SSORevoke, offboarding.SSOWait})
	w.o.Exec(`UPDATE organizations SET sso_sessions = $1`, w.m.sessions)
	w.tell("sessions: %s", w.m.sessions)
	for _, name := range []string{"ann", "ben", "ed"} {
		w.signInBySSO(name, 0)
	}
	w.provisioned(pick(w, "identity provider", []string{"entra", "entra", "okta", "none"}))

	w.workspace = w.o.Workspace()
	for member, role := range map[string]offboarding.WorkspaceRole{
		"ann": "member", "ben": "member", "cat": "admin", "admin": "member", "owner": "member", "ed": "member", "eve": "member",
	} {
		w.o.Join(w.workspace, w.ids[member], role)
		w.m.members[member].team = role
	}
	team := w.o.Folder("", "", "Team")
	drafts := w.o.Folder(w.ids["ann"], "", "Drafts")
	for i, d := range []struct {
		owner, folder, path string
		schedules           int
		workspace           bool
	}{
		{"ann", "", "", 1, true},
		{"ann", drafts, "Drafts", 2, false},
		{"ann", team, "Team", 0, true},
		{"ann", "", "", 1, false},
		{"ann", drafts, "Drafts", 0, false},
		{"ben", "", "", 1, true},
		{"ben", team, "Team", 0, false},
		{"ben", "", "", 0, true},
		{"cat", "", "", 0, true},
		{"cat", team, "Team", 1, false},
		{"cat", "", "", 1, false},
		{"owner", team, "Team", 1, true},
		{"eve", "", "", 1, true},
		{"eve", team, "Team", 0, false},
	} {
		name := fmt.Sprintf("d%02d", i+1)
		w.ids[name] = w.o.Document(w.ids[d.owner], d.folder)
		w.m.documents[name] = &modelDocument{
			name: name, owner: d.owner, team: d.workspace, access: offboarding.AccessEditable, place: place{shared: d.folder == team, path: d.path},
		}
		if d.workspace {
			w.o.Exec(`UPDATE documents SET workspace_id = $2 WHERE id = $1`, w.ids[name], w.workspace)
		}
		for n := range d.schedules {
			schedule := fmt.Sprintf("%s/s%d", name, n+1)
			w.ids[schedule] = w.o.Schedule(w.ids[name])
			w.m.schedules = append(w.m.schedules, &modelSchedule{name: schedule, document: name, status: "active"})
		}
		for member, level := range map[string]offboarding.GrantLevel{
			"ann": "edit", "ben": "edit", "cat": []offboarding.GrantLevel{"edit", "view"}[i%2], "ed": "edit", "vi": "view", "boss": "view", "eve": "view",
		} {
			if member == d.owner {
				continue // an owner needs none
			}
			w.m.grants[name+" "+member] = level
		}
	}
	var documents, members, levels []string
	for key, level := range w.m.grants {
		document, member, _ := strings.Cut(key, " ")
		documents, members, levels = append(documents, w.ids[document]), append(members, w.ids[member]), append(levels, string(level))
	}
	w.o.Exec(`INSERT INTO grants (organization_id, document_id, member_id, level)
		SELECT $1, g.* FROM unnest($2::uuid[], $3::uuid[], $4::text[]) g`, w.o.ID, pq.Array(documents), pq.Array(members), pq.Array(levels))
	w.m.documents["d04"].access = offboarding.AccessArchived // before any case
	w.o.Exec(`UPDATE documents SET access = 'archived' WHERE id = $1`, w.ids["d04"])
	w.folders = w.o.Count(`SELECT count(*) FROM folders`)
	return w
}

// member adds a member, or names one whom the fixture has made.
func (w *world) member(name, id string, role offboarding.Role, account offboarding.AccountType, manager string) {
	if id == "" {
		id = w.o.Member(role, account)
	}
	w.ids[name] = id
	w.m.members[name] = &modelMember{name: name, role: role, account: account, active: true, manager: manager}
	w.o.Exec(`UPDATE members SET display_name = $2, manager_id = nullif($3, '')::uuid WHERE id = $1`, id, name, w.ids[manager])
}

// provisioned gives the organization an identity provider; of those who are managed,
// one is managed by it.
func (w *world) provisioned(provider string) {
	w.m.provider = provider
	w.m.members["out"].managedBy, w.m.members["eve"].managedBy = offboarding.IdentityProviderEntra, offboarding.IdentityProviderOkta
	if offboarding.Provisions(provider) {
		w.m.provisioner, w.m.members["eve"].managedBy = "admin", provider
		w.o.Provisioned(provider)
	}
	for _, name := range []string{"out", "eve"} {
		w.o.Exec(`UPDATE members SET managed_by = $2 WHERE id = $1`, w.ids[name], w.m.members[name].managedBy)
	}
	w.tell("identity provider: %s", provider)
}

// tell keeps the story of the sequence.
func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// fail ends the sequence, and tells its story. What rapid takes for the failure is
// the same for every sequence that ends so: it looks for a shorter one.
func (w *world) fail(format string, args ...any) {
	w.Helper()
	w.Logf("%s\nthe sequence:\n  %s", fmt.Sprintf(format, args...), strings.Join(w.story, "\n  "))
	w.Fatal("the store does not do what the rules say")
}

// do runs a step and lets the model say what must come of it, then looks at
// everything; now and then the step is run a second time, which changes nothing.
func (w *world) do(kind, what string, run, predict func() string) string {
	w.Helper()
	answer := w.doOnce(kind, what, run, predict)
	if rapid.IntRange(0, 5).Draw(w.T, "again") == 5 {
		if again := run(); again != answer {
			w.fail("%s %s, run again, came to:\n  %s\nand at first to:\n  %s", kind, what, again, answer)
		}
		w.matches()
	}
	// A claim that changed nothing is judged again.
	if kind != "claim" || answer == offboarding.OutcomeRequested || strings.HasPrefix(answer, offboarding.OutcomeClaimed+",") {
		w.past = append(w.past, pastStep{of: w.stepOf, what: kind + " " + what, answer: answer, run: run})
	}
	w.stepOf = nil
	return answer
}

// doOnce is do for what is no step of a case, and done anew when it is run again.
func (w *world) doOnce(kind, what string, run, predict func() string) string {
	w.Helper()
	answer := run()
	w.tell("%s %s: %s", w.m.now.Format("02 15:04"), strings.TrimSpace(kind+" "+what), answer)
	if want := predict(); want != answer {
		w.fail("%s %s came to:\n  %s\nand by the rules to:\n  %s", kind, what, answer, want)
	}
	first, _, _ := strings.Cut(answer, " ")
	if wasRefused(answer) {
		first = answer
	}
	w.tally[kind+": "+strings.Trim(first, ",:")]++
	w.matches()
	return answer
}

// said runs a method of the store and says what it came to: a refusal by all its
// codes, everything else by say.
func said[In, Out any](w *world, method func(context.Context, In) (Out, error), in In, say func(Out) string) func() string {
	return func() string {
		out, err := method(w.Context(), in)
		if err == nil {
			return say(out)
		}
		return w.refusal(err)
	}
}

func (w *world) refusal(err error) string {
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		if strings.Contains(err.Error(), "still being settled") {
			return "waits"
		}
		var failure *postgres.Error
		if errors.As(err, &failure) {
			w.fail("%v: %v", failure, failure.Raw())
		}
		w.fail("no refusal: %v", err)
	}
	var broken codes
	for _, v := range refusal.Violations {
		broken = append(broken, v.Code)
	}
	return broken.String()
}

func wasRefused(answer string) bool { return strings.HasPrefix(answer, "refused") }

// matches requires that the database and the audit say what the model says, and
// that the invariants hold.
func (w *world) matches() {
	w.Helper()
	names := make([]string, 0, 2*len(w.ids)+2)
	for name, id := range w.ids {
		names = append(names, id, name)
	}
	replace := strings.NewReplacer(names...)
	var is []string
	require.NoError(w.T, w.o.DB.Select(&is, asItIs))
	for i := range is {
		is[i] = replace.Replace(is[i])
	}
	var events []struct {
		ID   int64  `db:"id"`
		Text string `db:"text"`
	}
	require.NoError(w.T, w.o.DB.Select(&events, eventsSince, w.lastEvent))
	for _, e := range events {
		w.lastEvent = max(w.lastEvent, e.ID)
		is = append(is, "event "+replace.Replace(e.Text))
	}
	is = append(is, fmt.Sprintf("folders made without an event: %d", w.o.Count(
		`SELECT (SELECT count(*) FROM folders) - (SELECT count(*) FROM audit_events WHERE event = 'CreateFolder')`)-w.folders))
	should := w.lines()
	if missing, extra := without(should, is), without(is, should); len(missing)+len(extra) > 0 {
		w.fail("by the rules there should be:\n  %s\nand there is:\n  %s", strings.Join(missing, "\n  "), strings.Join(extra, "\n  "))
	}
	w.invariantsHold()
}

func (w *world) invariantsHold() {
	w.Helper()
	locking := slices.ContainsFunc(w.drivers, func(d *driver) bool {
		return d.phase == offboarding.PhaseReadOnly && (!d.locked || d.reactivation != nil)
	})
	found, err := w.store.CheckInvariants(w.Context())
	require.NoError(w.T, err)
	for _, i := range found {
		// Between the end of the grace and the last batch of its lock, or while a
		// reactivation unlocks, some are locked and some are not.
		if !i.Holds() && (i.Name != "every_document_has_an_owner_or_a_case" || !locking) {
			w.fail("%s (%s): %d, such as %s", i.Name, i.Says, i.Broken, i.Sample)
		}
	}
}

// without is what of a is not in b, each as often.
func without(a, b []string) []string {
	n := map[string]int{}
	for _, line := range b {
		n[line]++
	}
	var rest []string
	for _, line := range a {
		if n[line]--; n[line] < 0 {
			rest = append(rest, line)
		}
	}
	return rest
}

const asItIs = `WITH RECURSIVE path AS (
		SELECT id, owner_id, name::text AS path FROM folders WHERE parent_id IS NULL
		UNION ALL SELECT f.id, f.owner_id, p.path || '/' || f.name FROM folders f JOIN path p ON f.parent_id = p.id)
	SELECT format('member %s %s, %s live', id, status, (SELECT count(*) FROM credentials c WHERE c.member_id = m.id AND c.status = 'active')
		+ (SELECT count(*) FROM sessions s WHERE s.member_id = m.id AND s.status = 'active')) FROM members m
	UNION ALL SELECT format('settings %s, %s, %s seats, provisioned by %s', claim_policy, default_disposition, seat_limit, provisioning_admin_id) || ', sessions ' || sso_sessions FROM organizations
	UNION ALL SELECT format('in the workspace %s %s', member_id, role) FROM workspace_members
	UNION ALL SELECT format('document %s of %s, %s by %s, in %s, moved by %s to %s', d.id, d.owner_id, access, access_case_id,
		CASE WHEN p.id IS NULL THEN 'theirs ' WHEN p.owner_id IS NULL THEN 'shared ' || path WHEN p.owner_id = d.owner_id THEN 'theirs ' || path
			ELSE 'somebody''s ' || path END, moved_by_case_id, moved_to_id) FROM documents d LEFT JOIN path p ON p.id = d.folder_id
	UNION ALL SELECT format('schedule %s %s by %s', id, status, coalesce(archived_by_case_id, paused_by_case_id)) FROM schedules
	UNION ALL SELECT format('hold %s on %s', id, coalesce(member_id, document_id)) FROM legal_holds WHERE lifted_at IS NULL
	UNION ALL SELECT format('grant %s %s %s', document_id, member_id, level) FROM grants
	UNION ALL SELECT format('notice %s to %s as %s in %s of %s documents %s', kind, recipient_id, reason, case_id, documents, request_id) FROM notices
	UNION ALL SELECT format('request %s of %s by %s in %s %s, escalated %s', id, document_id, member_id, case_id, status, escalated_at IS NOT NULL) FROM ownership_requests
	UNION ALL SELECT format('case %s of %s, %s, to %s %s, %s', id, member_id, phase, disposition, new_owner_id,
		CASE WHEN closed_at IS NULL THEN 'open' ELSE 'closed' END) FROM cases`

const eventsSince = `SELECT id, trim(CASE WHEN event IN ('RevokeCredentials', 'RevokeSessions') THEN 'Revoke' ELSE event END
	|| ' by ' || actor_id || ' ' || coalesce(document_id::text, '')) AS text
	FROM audit_events WHERE id > $1 AND event <> 'CreateFolder'`

// lines is the model as asItIs and eventsSince say it.
func (w *world) lines() []string {
	m := w.m
	lines := []string{"folders made without an event: 0"}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("settings %s, %s, %d seats, provisioned by %s, sessions %s", m.policy(), m.disposition, m.seats, m.provisioner, m.sessions)
	for _, who := range m.members {
		status := map[bool]string{true: "active", false: "inactive"}[who.active]
		switch {
		case who.deleted:
			status = "deleted"
		case who.archived:
			status = "archived"
		}
		add("member %s %s, %d live", who.name, status, who.live+len(who.sso))
	}
	nameOf := func(c *modelCase) string {
		if c == nil {
			return ""
		}
		return c.name
	}
	for _, who := range m.members {
		if who.team != offboarding.WorkspaceNone {
			add("in the workspace %s %s", who.name, who.team)
		}
	}
	for _, d := range m.documents {
		add("document %s of %s, %s by %s, in %s %s, moved by %s to %s", d.name, d.owner, d.access, nameOf(d.by),
			map[bool]string{true: "shared", false: "theirs"}[d.place.shared], d.place.path, nameOf(d.movedBy), d.movedTo)
	}
	for _, s := range m.schedules {
		add("schedule %s %s by %s", s.name, s.status, nameOf(s.by))
	}
	for _, h := range m.holds {
		add("hold %s on %s", h.name, h.on)
	}
	for key, level := range m.grants {
		add("grant %s %s", key, level)
	}
	for _, r := range m.requests {
		add("request %s of %s by %s in %s %s, escalated %s", r.name, r.document, r.member, r.of.name, r.status, fmt.Sprint(r.escalated)[:1])
	}
	for _, n := range m.notices {
		add("notice %s", n)
	}
	for _, c := range m.cases {
		add("case %s of %s, %s, to %s %s, %s", c.name, c.leaver, c.phase, c.disposition, c.newOwner,
			map[bool]string{true: "closed", false: "open"}[c.closed])
	}
	for _, e := range m.events {
		add("event %s", e)
	}
	m.events = nil
	return lines
}
