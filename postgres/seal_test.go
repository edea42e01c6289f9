package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// sealed seals all that there is, some events at a time. Other transactions on the server
// may hold it up for a moment.
func sealed(t rapid.TB, store *postgres.Store, most int) {
	t.Helper()
	for {
		_, err := store.SealAudit(context.Background(), most)
		require.NoError(t, err)
		var left int
		require.NoError(t, store.DB().Get(&left, `SELECT count(*) FROM audit_events WHERE id > (SELECT sealed_id FROM audit_horizon)`))
		if left == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func verified(t rapid.TB, store *postgres.Store, kept ...offboarding.AuditHead) offboarding.AuditReport {
	t.Helper()
	v := &offboarding.AuditVerifier{}
	for _, head := range kept {
		v.Expect(head)
	}
	require.NoError(t, store.VerifyAudit(context.Background(), "", v, nil))
	return v.Report()
}

// events is how many events of a report are sealed and as they were.
func events(r offboarding.AuditReport) (n int) {
	for _, o := range r.Organizations {
		n += o.Events
	}
	return n
}

// headsOf are the newest seals of a report, as somebody keeps them.
func headsOf(r offboarding.AuditReport) (heads []offboarding.AuditHead) {
	for _, o := range r.Organizations {
		heads = append(heads, o.AuditHead)
	}
	return heads
}

const insertEvent = `INSERT INTO audit_events (organization_id, event, origin, member_id, subject_kind, subject_id, before, after, at)
	VALUES ($1, 'Test', 'SCRIPT,Acme,hr', $2, 'member', $3, $4, '{}', $5)`

// add adds an event about the leaver.
func add(t rapid.TB, db sqlx.Execer, o *fixture.Organization, before string) {
	t.Helper()
	_, err := db.Exec(insertEvent, o.ID, o.Leaver, "é\"\\\n\t\x01\u2028\u007f<&>"+newID(), before, fixture.Start.Add(123456789*time.Nanosecond))
	require.NoError(t, err)
}

// What the worker does, over and over, of everything that cases write.
func TestTheAuditIsSealed(t *testing.T) {
	t.Parallel()
	l := known(t)
	other := fixture.New(t, l.DB)
	for _, detail := range []string{
		`{}`, `{"b": 1.50, "a": [true, null, -0.10, 1e3, {"z": "", "yy": {}, "x": []}], "ab": "x\ny\u0001\u2028 \"q\" \\ é"}`, `[]`, `"ill"`, `7`, `null`,
	} {
		add(t, l.DB, other, detail)
	}
	sealed(t, l.store, 7)
	r := verified(t, l.store)
	require.Empty(t, r.Breaks)
	require.Equal(t, l.Count(`SELECT count(*) FROM audit_events`), events(r))
	require.Len(t, r.Organizations, 2)
	require.Positive(t, l.Count(`SELECT count(*) FROM audit_texts`))
	require.Zero(t, l.Count(`SELECT count(*) - count(DISTINCT salt) FROM audit_texts`))

	f, err := l.store.Figures(t.Context(), fixture.Start)
	require.NoError(t, err)
	require.Zero(t, f.OldestUnsealedAge)
	again, err := l.store.SealAudit(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, postgres.Sealing{}, again, "there is nothing to do")

	// What has come since is not vouched for, and is sealed next.
	add(t, l.DB, other, `{}`)
	require.Equal(t, 1, verified(t, l.store).Organizations[orderOf(t, r, other.ID)].Unsealed)
	f, err = l.store.Figures(t.Context(), fixture.Start.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, time.Hour, f.OldestUnsealedAge.Round(time.Minute))
	heads := headsOf(verified(t, l.store))
	sealed(t, l.store, 7)
	require.Empty(t, verified(t, l.store, heads...).Breaks, "heads that were kept are still in the chain")
}

func orderOf(t testing.TB, r offboarding.AuditReport, id string) int {
	t.Helper()
	for i, o := range r.Organizations {
		if o.OrganizationID == id {
			return i
		}
	}
	t.Fatal("there is no such organization")
	return 0
}

// Texts that a deletion takes are missed by nobody, whenever it comes; the salts go too.
func TestADeletionDoesNotBreakTheChain(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]func(*leaving){
		"after everything was sealed": func(l *leaving) { sealed(l.t, l.store, 1000) },
		"after a part of it was":      func(l *leaving) { sealedOnly(l, 9) },
		"before anything was":         func(*leaving) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := known(t)
			when(l)
			before := l.Count(`SELECT count(*) FROM audit_texts`)
			erased := l.deleted().Events
			require.Positive(t, erased)
			require.Empty(t, verified(t, l.store).Breaks)
			sealed(t, l.store, 1000)
			r := verified(t, l.store)
			require.Empty(t, r.Breaks)
			require.Equal(t, min(before, 1) > 0, r.Organizations[0].Erased > 0)
			require.Zero(t, l.Count(`SELECT count(*) FROM audit_texts x JOIN audit_events e ON e.id = x.event_id
				WHERE x.salt IS NOT NULL AND (e.before::text LIKE '%"erased"%' OR e.after::text LIKE '%"erased"%')`))
		})
	}
}

// sealedOnly seals about so many events.
func sealedOnly(l *leaving, n int) {
	l.t.Helper()
	for l.Count(`SELECT count(*) FROM audit_events WHERE id <= (SELECT sealed_id FROM audit_horizon)`) < n {
		_, err := l.store.SealAudit(l.t.Context(), n)
		require.NoError(l.t, err)
	}
}

// chained is an audit of four seals of two events and one event more, all about the
// leaver; the third has a text. Between the second and third seal an ID is free.
func chained(t *testing.T) (*fixture.Organization, *postgres.Store, []int64) {
	t.Helper()
	o := fixture.New(t, testdb.New(t))
	store := postgres.New(o.DB)
	for i := range 8 {
		before := fmt.Sprintf(`{"number": %d}`, i)
		if i == 2 {
			before = `{"reason": "has left for the sea"}`
		}
		add(t, o.DB, o, before)
		if i == 4 {
			o.Exec(`SELECT nextval(pg_get_serial_sequence('audit_events', 'id'))`)
		}
		if i%2 == 1 {
			sealed(t, store, 10)
		}
	}
	add(t, o.DB, o, `{}`)
	require.Empty(t, verified(t, store).Breaks)
	var ids []int64
	require.NoError(t, o.DB.Select(&ids, `SELECT id FROM audit_events ORDER BY id`))
	// Whoever owns the tables can switch off what guards them.
	for _, table := range []string{"audit_events", "audit_seals", "audit_texts"} {
		o.Exec(`ALTER TABLE ` + table + ` DISABLE TRIGGER USER`)
	}
	o.Exec(`ALTER TABLE audit_events ALTER id SET GENERATED BY DEFAULT`)
	return o, store, ids
}

// reseal computes the hashes of all seals from one number on anew, as somebody would who knows how.
const reseal = `DO $$ DECLARE s audit_seals; p bytea; BEGIN
	FOR s IN SELECT * FROM audit_seals WHERE number >= %d ORDER BY number LOOP
		SELECT hash INTO p FROM audit_seals WHERE number = s.number - 1;
		UPDATE audit_seals SET previous = p, hash = audit_digest(json_build_array(1, organization_id, number, coalesce(encode(p, 'hex'), ''),
			encode(sha256(entries), 'hex'), to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))) WHERE number = s.number;
	END LOOP; END $$`

// forge makes the entry of the seventh event what the changed event has.
const forge = `UPDATE audit_seals SET entries = (SELECT string_agg(int8send(e.id) || audit_digest(audit_encoded(e, e.before, e.after)), ''::bytea ORDER BY e.id)
	FROM audit_events e WHERE e.id BETWEEN first_event AND last_event) WHERE number = 4`

// Whatever the owner of the tables does to what is sealed is found, and where.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	const fifth = `(SELECT id FROM audit_events ORDER BY id OFFSET 4 LIMIT 1)`
	change := func(set string) []string { return []string{`UPDATE audit_events SET ` + set + ` WHERE id = ` + fifth} }
	changed := []string{"changed in seal 3: 5"}
	for name, test := range map[string]struct {
		statements []string
		want       []string // of the report: kind, seal, which of the nine events
		kept       bool     // found by a head that was kept elsewhere only
	}{
		"another event":              {change(`event = 'Nothing'`), changed, false},
		"another actor":              {change(`actor_id = member_id`), changed, false},
		"another origin":             {change(`origin = ''`), changed, false},
		"another member":             {change(`member_id = organization_id`), changed, false},
		"another document":           {change(`document_id = member_id`), changed, false},
		"another case":               {change(`case_id = member_id`), changed, false},
		"another kind of subject":    {change(`subject_kind = 'case'`), changed, false},
		"another subject":            {change(`subject_id = subject_id || ' '`), changed, false},
		"another state before":       {change(`before = '{"number": 4.0}'`), changed, false},
		"another state after":        {change(`after = '[]'`), changed, false},
		"another time":               {change(`at = at + interval '1 microsecond'`), changed, false},
		"what moves between columns": {change(`origin = origin || event, event = 'x'`), changed, false},
		"another organization":       {change(`organization_id = member_id`), []string{"removed in seal 3: 5"}, false},
		"another text":               {[]string{`UPDATE audit_events SET before = '{"reason": "was ill"}' WHERE before ? 'reason'`}, []string{"changed in seal 2: 3"}, false},
		"no text": {
			[]string{`UPDATE audit_events SET before = '{"reason": "erased"}' WHERE before ? 'reason'`, `UPDATE audit_texts SET salt = NULL`},
			[]string{"erased in seal 0: 3"},
			false,
		},
		"a text without its salt":    {[]string{`UPDATE audit_texts SET salt = NULL`}, []string{"changed in seal 2: 3"}, false},
		"a text's other digest":      {[]string{`UPDATE audit_texts SET neutral = sha256('')`}, []string{"changed in seal 2: 3"}, false},
		"a text's other commitment":  {[]string{`UPDATE audit_texts SET commitment = sha256('')`}, []string{"changed in seal 2: 3"}, false},
		"a text about somebody else": {[]string{`UPDATE audit_texts SET about = '{}'`}, []string{"changed in seal 2: 3"}, false},
		"a text's digests gone":      {[]string{`DELETE FROM audit_texts`}, []string{"changed in seal 2: 3"}, false},
		"the first event gone":       {[]string{`DELETE FROM audit_events WHERE id = 1`}, []string{"removed in seal 1: 1"}, false},
		"one gone":                   {[]string{`DELETE FROM audit_events WHERE id = ` + fifth}, []string{"removed in seal 3: 5"}, false},
		"several gone":               {[]string{`DELETE FROM audit_events WHERE id >= ` + fifth}, []string{"removed in seal 3: 5 6", "removed in seal 4: 7 8"}, false},
		"one put in a free place":    {[]string{`INSERT INTO audit_events SELECT (SELECT max(id) FROM audit_events WHERE id < f.id) + 1, f.organization_id, f.event, NULL, '', NULL, NULL, NULL, '', '', '{}', '{}', f.at FROM (SELECT * FROM audit_events ORDER BY id OFFSET 5 LIMIT 1) f`}, []string{"inserted in seal 3: +"}, false},
		"one put before all":         {[]string{`INSERT INTO audit_events SELECT 0, organization_id, event, NULL, '', NULL, NULL, NULL, '', '', '{}', '{}', at FROM audit_events WHERE id = 1`}, []string{"inserted in seal 1: +"}, false},
		"two that change places": {
			[]string{`UPDATE audit_events SET id = -1 WHERE id = 1`, `UPDATE audit_events SET id = 1 WHERE id = 2`, `UPDATE audit_events SET id = 2 WHERE id = -1`},
			[]string{"changed in seal 1: 1 2"},
			false,
		},
		"a seal's other digests": {[]string{`UPDATE audit_seals SET entries = substr(entries, 1, 40) WHERE number = 2`}, []string{"seal_changed in seal 2:", "inserted in seal 2: 4"}, false},
		"a seal's other hash":    {[]string{`UPDATE audit_seals SET hash = sha256('') WHERE number = 2`}, []string{"seal_changed in seal 2:", "seal_changed in seal 3:"}, false},
		"a seal's other time":    {[]string{`UPDATE audit_seals SET at = at + interval '1 second' WHERE number = 1`}, []string{"seal_changed in seal 1:"}, false},
		"a seal with its hash, and not the next": {
			append([]string{`UPDATE audit_seals SET at = at + interval '1 second' WHERE number = 2`}, `UPDATE audit_seals x SET hash = audit_digest(json_build_array(1, organization_id, number, encode(previous, 'hex'),
				encode(sha256(entries), 'hex'), to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))) WHERE number = 2`),
			[]string{"seal_changed in seal 3:"},
			false,
		},
		"a seal gone":             {[]string{`DELETE FROM audit_seals WHERE number = 2`}, []string{"seal_missing in seal 2:", "inserted in seal 3: 3 4"}, false},
		"a seal and its events":   {[]string{`DELETE FROM audit_seals WHERE number = 2`, `DELETE FROM audit_events WHERE id IN (3, 4)`}, []string{"seal_missing in seal 2:"}, false},
		"the first seal gone":     {[]string{`DELETE FROM audit_seals WHERE number = 1`}, []string{"seal_missing in seal 1:", "inserted in seal 2: 1 2"}, false},
		"the last seal gone":      {[]string{`DELETE FROM audit_seals WHERE number = 4`}, []string{"inserted in seal 0: 7", "inserted in seal 0: 8", "cut in seal 4:"}, false},
		"the end cut off":         {[]string{`DELETE FROM audit_seals WHERE number = 4`, `DELETE FROM audit_events WHERE id > (SELECT last_event FROM audit_seals WHERE number = 3)`}, []string{"cut in seal 4:"}, false},
		"everything but the head": {[]string{`DELETE FROM audit_seals`, `DELETE FROM audit_events`}, []string{"cut in seal 4:"}, false},
		"every seal, and the head": {
			[]string{`DELETE FROM audit_seals`, `DELETE FROM audit_heads`},
			[]string{"inserted in seal 0: 1", "inserted in seal 0: 2", "inserted in seal 0: 3", "inserted in seal 0: 4", "inserted in seal 0: 5", "inserted in seal 0: 6", "inserted in seal 0: 7", "inserted in seal 0: 8"},
			false,
		},
		"the end cut off, with the head": {
			[]string{
				`DELETE FROM audit_seals WHERE number = 4`, `DELETE FROM audit_events WHERE id > (SELECT last_event FROM audit_seals WHERE number = 3)`,
				`UPDATE audit_heads SET number = 3, hash = (SELECT hash FROM audit_seals WHERE number = 3)`,
			},
			[]string{"cut in seal 4:"},
			true,
		},
		"everything sealed anew": {
			append(change(`event = 'X'`), strings.Replace(forge, "number = 4", "number = 3", 1), fmt.Sprintf(reseal, 3),
				`UPDATE audit_heads SET hash = (SELECT hash FROM audit_seals WHERE number = 4)`),
			[]string{"rewritten in seal 4:"},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, store, ids := chained(t)
			heads := headsOf(verified(t, store))
			for _, statement := range test.statements {
				o.Exec(statement)
			}
			r := verified(t, store)
			if test.kept {
				require.Empty(t, r.Breaks, "nobody can know it from the database")
				r = verified(t, store, heads...)
			}
			require.ElementsMatch(t, test.want, told(r, ids))
		})
	}
}

// told is a report with events by their place, "+" for those that were not there.
func told(r offboarding.AuditReport, ids []int64) (all []string) {
	place := map[int64]string{}
	for i, id := range ids {
		place[id] = fmt.Sprint(i + 1)
	}
	for _, b := range r.Breaks {
		line := fmt.Sprintf("%s in seal %d:", b.Kind, b.Seal)
		for _, id := range b.EventIDs {
			at := place[id]
			if at == "" {
				at = "+"
			}
			line += " " + at
		}
		all = append(all, line)
	}
	return all
}

// Not even the application's role, which seals, says when it was.
func TestNobodyChoosesTheTimeOfASeal(t *testing.T) {
	t.Parallel()
	url := testdb.URL(t)
	owner, err := postgres.Open(url, 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, owner.Close()) })
	o := fixture.New(t, owner.DB())
	store, err := postgres.Open(testdb.AppURL(t, url), 2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	add(t, o.DB, o, `{}`)
	for at, why := range map[string]string{
		"clock_timestamp() - interval '1 hour'": "within five minutes", "clock_timestamp() + interval '1 hour'": "within five minutes", "'infinity'": "sealed at a time",
	} {
		var err error
		for err == nil { // what runs on the server may hold up the sealing for a moment
			_, err = store.DB().Exec(`SELECT seal_audit(` + at + `, 10)`)
			require.Zero(t, o.Count(`SELECT count(*) FROM audit_seals`), at)
		}
		require.ErrorContains(t, err, why)
	}
	sealed(t, store, 10)
	require.Equal(t, 1, events(verified(t, store)))
	require.Equal(t, 1, o.Count(`SELECT count(*) FROM audit_seals WHERE at > now() - interval '5 minutes'`))
}

// Who seals may be held up between looking at the events and sealing them. What others have
// sealed meanwhile stays sealed, and no event is sealed twice.
func TestSealingNeverGoesBackwards(t *testing.T) {
	t.Parallel()
	o := fixture.New(t, testdb.New(t))
	store := postgres.New(o.DB)
	const door = 1
	// The same function, which waits at a door behind its look.
	o.Exec(`DO $$
	DECLARE
		made text = pg_get_functiondef('seal_audit(timestamptz, integer)'::regprocedure);
		slow text = replace(replace(made, 'seal_audit', 'seal_slowly'), 'mine = pg_current_xact_id();',
			'PERFORM pg_advisory_lock_shared(1); PERFORM pg_advisory_unlock_shared(1); mine = pg_current_xact_id();');
	BEGIN
		ASSERT slow LIKE '%pg_advisory_lock_shared%';
		EXECUTE slow;
	END $$`)
	three := func() {
		for range 3 {
			add(t, o.DB, o, `{}`)
		}
	}
	three()
	closed, err := o.DB.Connx(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, closed.Close()) }()
	_, err = closed.ExecContext(t.Context(), `SELECT pg_advisory_lock($1)`, door)
	require.NoError(t, err)
	slow := make(chan error, 1)
	go func() {
		_, err := o.DB.Exec(`SELECT seal_slowly(clock_timestamp(), 10)`)
		slow <- err
	}()
	for waits := 0; waits == 0; {
		require.Empty(t, slow, "it does not wait")
		waits = o.Count(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	}
	three()
	sealed(t, store, 10)
	_, err = closed.ExecContext(t.Context(), `SELECT pg_advisory_unlock($1)`, door)
	require.NoError(t, err)
	require.NoError(t, <-slow)
	at := func() int { return o.Count(`SELECT sealed_id FROM audit_horizon`) }
	for n := 6; n < 9; n++ {
		before := at()
		add(t, o.DB, o, `{}`)
		for at() <= before {
			_, err := store.SealAudit(t.Context(), 10)
			require.NoError(t, err)
			require.GreaterOrEqual(t, at(), before)
		}
	}
	r := verified(t, store)
	require.Empty(t, r.Breaks)
	require.Equal(t, 9, events(r))
	require.Equal(t, 9*40, o.Count(`SELECT sum(length(entries)) FROM audit_seals`), "each event in one seal")
}

// Transactions that begin, write, and end in any order while others seal leave nothing
// out of the chain, and nothing that looks like tampering.
func TestSealingAmongTransactions(t *testing.T) { //nolint:paralleltest // its open transactions would hold up the sealing in other tests, and theirs its own
	db := testdb.New(t)
	store := postgres.New(db)
	rapid.Check(t, func(rt *rapid.T) {
		o := fixture.New(t, db)
		open := map[int]*sqlx.Tx{}
		defer func() {
			for _, tx := range open {
				_ = tx.Rollback()
			}
		}()
		begin := func(i int) *sqlx.Tx {
			if open[i] == nil {
				tx, err := o.DB.Beginx()
				require.NoError(rt, err)
				open[i] = tx
			}
			return open[i]
		}
		which := rapid.IntRange(0, 3)
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) { add(rt, begin(which.Draw(rt, "transaction")), o, `{}`) },
			"write deeper": func(rt *rapid.T) {
				tx := begin(which.Draw(rt, "transaction"))
				_, err := tx.Exec(`SAVEPOINT s`)
				require.NoError(rt, err)
				add(rt, tx, o, `{"note": "a text"}`)
				if rapid.Bool().Draw(rt, "undone") {
					_, err = tx.Exec(`ROLLBACK TO s`)
				} else {
					_, err = tx.Exec(`RELEASE s`)
				}
				require.NoError(rt, err)
			},
			"commit": func(rt *rapid.T) {
				i := which.Draw(rt, "transaction")
				require.NoError(rt, begin(i).Commit())
				delete(open, i)
			},
			"rollback": func(rt *rapid.T) {
				i := which.Draw(rt, "transaction")
				require.NoError(rt, begin(i).Rollback())
				delete(open, i)
			},
			"seal": func(rt *rapid.T) {
				_, err := store.SealAudit(rt.Context(), rapid.IntRange(1, 5).Draw(rt, "most"))
				require.NoError(rt, err)
				v := &offboarding.AuditVerifier{}
				require.NoError(rt, store.VerifyAudit(rt.Context(), o.ID, v, nil))
				require.Empty(rt, v.Report().Breaks)
			},
			"seal and crash": func(rt *rapid.T) {
				tx, err := o.DB.Beginx()
				require.NoError(rt, err)
				_, err = tx.Exec(`SELECT seal_audit(now(), 3)`)
				require.NoError(rt, err)
				require.NoError(rt, tx.Rollback())
			},
		})
		for i, tx := range open {
			require.NoError(rt, tx.Commit())
			delete(open, i)
		}
		sealed(rt, store, 4)
		v := &offboarding.AuditVerifier{}
		require.NoError(rt, store.VerifyAudit(rt.Context(), o.ID, v, nil))
		r := v.Report()
		require.Empty(rt, r.Breaks)
		require.Equal(rt, o.Count(`SELECT count(*) FROM audit_events WHERE organization_id = $1`, o.ID), events(r))
	})
}

// The same for real: writers at full speed, two who seal and one who verifies.
func TestSealingAtFullSpeed(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db)
	organizations := []*fixture.Organization{fixture.New(t, db), fixture.New(t, db)}
	const writers, each = 4, 60
	var writing, watching sync.WaitGroup
	errs := make(chan error, writers+3)
	for range writers {
		writing.Go(func() {
			for range each {
				tx, err := db.Beginx()
				if err != nil {
					errs <- err
					return
				}
				for range 1 + rand.IntN(4) {
					o := organizations[rand.IntN(2)]
					if _, err := tx.Exec(insertEvent, o.ID, o.Leaver, "x", `{"note": "a text"}`, fixture.Start); err != nil {
						errs <- err
					}
				}
				if rand.IntN(4) == 0 {
					_ = tx.Rollback()
				} else if err := tx.Commit(); err != nil {
					errs <- err
				}
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	for range 2 {
		watching.Go(func() {
			for ctx.Err() == nil {
				if _, err := store.SealAudit(context.WithoutCancel(ctx), 10); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	watching.Go(func() {
		for ctx.Err() == nil {
			v := &offboarding.AuditVerifier{}
			err := store.VerifyAudit(context.WithoutCancel(ctx), "", v, nil)
			if r := v.Report(); err == nil && !r.Whole() {
				err = fmt.Errorf("%v", r.Breaks)
			}
			if err != nil {
				errs <- err
				return
			}
		}
	})
	writing.Wait()
	stop()
	watching.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	sealed(t, store, 1000)
	r := verified(t, store)
	require.Empty(t, r.Breaks)
	require.Equal(t, organizations[0].Count(`SELECT count(*) FROM audit_events`), events(r))
}
