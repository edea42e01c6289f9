package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"handover/internal/crowd"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// What forgets to narrow to an organization sees what is of those that the request is
// about, and nothing without any.
func TestBehindTheWallNothingIsForgotten(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	o, other := fixture.New(t, db), fixture.New(t, db)
	document, theirs := o.Document(o.Leaver, ""), other.Document(other.Leaver, "")
	store := fixture.Behind(t, db)
	within := postgres.Within(t.Context(), o.ID)

	for name, ctx := range map[string]context.Context{"within": within, "without": t.Context()} {
		page, err := store.Members(ctx, offboarding.MemberFilter{AnyStatus: true})
		require.NoError(t, err)
		want := 0
		if name == "within" {
			want = o.Count(`SELECT count(*) FROM members WHERE organization_id = $1`, o.ID)
		}
		require.Len(t, page.Items, want, name)
		for _, m := range page.Items {
			require.Equal(t, o.ID, m.OrganizationID)
		}
		require.Equal(t, want, *page.Total)
	}
	_, err := store.FindMember(within, o.Leaver)
	require.NoError(t, err)
	_, err = store.FindDocument(within, document)
	require.NoError(t, err)
	found, err := store.Organization(within, "") // the only one that there is
	require.NoError(t, err)
	require.Equal(t, o.ID, found.ID)
	email := other.Text(`SELECT email FROM members WHERE id = $1`, other.Leaver)
	for _, ref := range []string{other.Leaver, email, "external:" + other.Text(`SELECT external_id FROM members WHERE id = $1`, other.Leaver)} {
		m, err := store.FindMember(within, ref)
		if err == nil { // two go by the address, one in each
			require.Equal(t, o.ID, m.OrganizationID, ref)
			continue
		}
		refused(t, offboarding.CodeMemberNotFound, err)
	}
	_, err = store.FindDocument(within, theirs)
	refused(t, offboarding.CodeNoAccess, err)
	_, err = store.PlaceHold(within, offboarding.Hold{MemberID: other.Leaver, Reason: "x"}, o.Admin, fixture.Start)
	refused(t, offboarding.CodeMemberNotFound, err)

	// Those who look from above see what is below.
	o.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, other.ID, o.ID)
	page, err := store.Members(postgres.Within(t.Context(), o.ID, other.ID), offboarding.MemberFilter{AnyStatus: true})
	require.NoError(t, err)
	require.Len(t, page.Items, o.Count(`SELECT count(*) FROM members`))
}

// Whoever acts from above is named below, and nothing else of them is seen.
func TestNamesOfThoseAbove(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	above, o, stranger := fixture.New(t, db), fixture.New(t, db), fixture.New(t, db)
	above.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, above.ID)
	above.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, o.ID, above.ID)
	name := above.Text(`SELECT display_name FROM members WHERE id = $1`, above.Admin)
	store, plain := fixture.Behind(t, db), postgres.New(db)
	hold, err := store.PlaceHold(postgres.Within(t.Context(), above.ID, o.ID), offboarding.Hold{MemberID: o.Leaver, Reason: "matter"}, above.Admin, fixture.Start)
	require.NoError(t, err)

	within := postgres.Within(t.Context(), o.ID)
	row, err := store.FindHold(within, hold)
	require.NoError(t, err)
	require.Equal(t, name, row.PlacedByName)
	events, err := store.AuditEvents(within, offboarding.AuditFilter{})
	require.NoError(t, err)
	require.Len(t, events.Items, 1)
	require.Equal(t, name, events.Items[0].ActorName)
	whole, err := plain.FindHold(t.Context(), hold)
	require.NoError(t, err)
	require.Equal(t, whole, row, "as without a wall")
	_, err = store.FindMember(within, above.Admin)
	refused(t, offboarding.CodeMemberNotFound, err)
	o.Exec(`UPDATE legal_holds SET placed_by = $1`, stranger.Admin) // which no rule lets be
	row, err = store.FindHold(within, hold)
	require.NoError(t, err)
	require.Empty(t, row.PlacedByName)
}

// Many requests of two organizations share a few connections, and some of them break off:
// none sees what another was about.
func TestConnectionsForgetWhatTheyWereAbout(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	organizations := []*fixture.Organization{fixture.New(t, db), fixture.New(t, db)}
	for _, o := range organizations {
		o.Provisioned("okta", o.Leaver)
	}
	pool := testdb.Server(t, db)
	pool.SetMaxOpenConns(3)
	store := postgres.New(pool).Behind()

	// do is what one request does, and whether it went well.
	do := func(ctx context.Context, o *fixture.Organization, other *fixture.Organization, kind int) error {
		within := postgres.Within(ctx, o.ID)
		p := offboarding.Provisioner{OrganizationID: o.ID, Provider: "okta"}
		write := func(do func()) error {
			_, _, err := store.WriteAccount(within, p, o.Leaver, func(a offboarding.Account) (offboarding.Account, error) {
				do()
				return a, nil
			}, fixture.Start)
			return err
		}
		switch kind {
		case 0: // it has gone away
			gone, cancel := context.WithCancel(within)
			_, _, _ = store.WriteAccount(gone, p, o.Leaver, func(a offboarding.Account) (offboarding.Account, error) {
				cancel()
				return a, nil
			}, fixture.Start)
		case 1: // it panics
			func() {
				defer func() { _ = recover() }()
				_ = write(func() { panic("a bug") })
			}()
		case 2: // it is refused
			if _, err := store.FindMember(within, other.Leaver); offboarding.CodeOf(err) != offboarding.CodeMemberNotFound {
				return fmt.Errorf("another's member is found: %w", err)
			}
		case 3: // it says nothing
			if page, err := store.Members(ctx, offboarding.MemberFilter{AnyStatus: true}); err != nil || len(page.Items) > 0 {
				return fmt.Errorf("it sees %d members: %w", len(page.Items), err)
			}
		}
		if found, err := store.Organization(within, ""); err != nil || found.ID != o.ID {
			return fmt.Errorf("it sees %s: %w", found.ID, err)
		}
		return nil
	}
	g, ctx := errgroup.WithContext(t.Context())
	for n := range 8 {
		g.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for range 60 {
				who := random.IntN(2)
				if err := do(ctx, organizations[who], organizations[1-who], random.IntN(6)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	var held []*sqlx.Conn // at once, so that each is asked
	for range 3 {
		conn, err := pool.Connx(t.Context())
		require.NoError(t, err)
		held = append(held, conn)
	}
	for _, conn := range held {
		var said string
		require.NoError(t, conn.GetContext(t.Context(), &said, `SELECT coalesce(current_setting('handover.wall', true), '') || count(*) FROM members`))
		require.Equal(t, "0", said, "nothing stays with a connection")
		require.NoError(t, conn.Close())
	}
}

// Behind the wall everything is found by an index, too, and nothing reads more than in
// front of it.
func TestThePlansBehindTheWall(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	db.SetMaxOpenConns(1) // whose figures are told before others are taken
	o, c := beside(t, db)
	o.Exec(`UPDATE organizations SET identity_provider = 'okta', provisioning_admin_id = $2 WHERE id = $1`, c.Organization, c.Admin)
	one := map[string]string{}
	for _, table := range []string{"ownership_requests", "legal_holds"} {
		one[table] = o.Text(`SELECT max(id::text) FROM `+table+` WHERE organization_id = $1`, c.Organization)
	}
	walled := testdb.Server(t, db)
	rounds := func(pool *sqlx.DB, store *postgres.Store, do func(*usage)) *reading {
		pool.SetMaxOpenConns(1)
		_, err := pool.Exec(`SET plan_cache_mode = force_generic_plan`) // as after many executions
		require.NoError(t, err)
		r := &reading{t: t, db: pool, by: map[string][]string{}, indexes: map[string]int{}, tables: map[string]int{}}
		for round := range 3 {
			r.counts = round == 2
			l := newLeavingOn(t, o, store)
			_, err = db.Exec(`SELECT pg_stat_force_next_flush()`) // what making them has read is told now, and not while others count
			require.NoError(t, err)
			do(&usage{leaving: l, reading: r, crowd: c, round: round, one: one, ctx: postgres.Within(t.Context(), c.Organization)})
		}
		return r
	}
	front := rounds(db, postgres.New(db), (*usage).asked)
	behind := rounds(walled, postgres.New(walled).Behind(), func(u *usage) {
		u.asked()
		u.walled()
	})
	for i, in := range front.read {
		require.Equal(t, in.method, behind.read[i].method)
		assert.LessOrEqual(t, behind.read[i].n, 2*in.n+few, "%s, the %d. statement", in.method, i)
	}
	assert.Contains(t, behind.by["members_email_key"], "FindMember")
	assert.Contains(t, behind.by["members_search_idx"], "Members")
	assert.Contains(t, behind.by["members_user_name_key"], "Accounts")
}

// asked is what the server is asked for.
func (u *usage) asked() {
	u.shown()
	ctx, s, c, now, reach := u.ctx, u.store, u.crowd, time.Now(), []string{u.crowd.Organization}
	member, largest, document := c.ID("MEMBER", 7), c.ID("MEMBER", crowd.Largest), c.ID("DOCUMENT", 500)
	got(u, "MemberDetail", func() (any, error) { return s.MemberDetail(ctx, largest) })
	got(u, "Successors", func() (any, error) { return s.Successors(ctx, largest, "", "", 0) })
	got(u, "Preview", func() (any, error) {
		return s.Preview(ctx, offboarding.Request{MemberID: member, RequestedBy: c.Admin}, now)
	})
	got(u, "PreviewDeletion", func() (any, error) {
		return s.PreviewDeletion(ctx, offboarding.DeletionRequest{MemberID: member, RequestedBy: c.Admin}, now)
	})
	got(u, "ReadDocument", func() (any, error) { return s.ReadDocument(ctx, document, c.Admin, true, reach...) })
	got(u, "FindCaseOfDocument", func() (any, error) { return s.FindCaseOfDocument(ctx, document, now) })
	got(u, "FindRequest", func() (any, error) { return s.FindRequest(ctx, u.one["ownership_requests"], reach...) })
	got(u, "FindHold", func() (any, error) { return s.FindHold(ctx, u.one["legal_holds"], reach...) })
	got(u, "Deliveries", func() (any, error) {
		return s.Deliveries(ctx, offboarding.DeliveryFilter{WebhookID: c.ID("WEBHOOK", 1)})
	})
	got(u, "ScimTokens", func() (any, error) {
		return s.ScimTokens(ctx, offboarding.ScimTokenFilter{OrganizationID: c.Organization})
	})
	got(u, "Organizations", func() (any, error) { return s.Organizations(ctx, reach) })
	got(u, "Accounts", func() (any, error) {
		found, _, err := s.Accounts(ctx, offboarding.ProvisionFilter{OrganizationID: c.Organization, Limit: 10})
		return found, err
	})
	got(u, "Groups", func() (any, error) {
		found, _, err := s.Groups(ctx, offboarding.ProvisionFilter{OrganizationID: c.Organization, Limit: 10})
		return found, err
	})
}

// walled is whom the server looks for.
func (u *usage) walled() {
	ctx, s, c := u.ctx, u.store, u.crowd
	got(u, "FindMember", func() (any, error) { return s.FindMember(ctx, "email:person7@acme.example", c.Organization) })
	got(u, "Members", func() (any, error) {
		return s.Members(ctx, offboarding.MemberFilter{Search: "person 77", Reach: []string{c.Organization}})
	})
	p := offboarding.Provisioner{OrganizationID: c.Organization, Provider: "okta"}
	for _, field := range []string{"userName", "emails.value", "externalId"} {
		got(u, "Accounts", func() (any, error) {
			found, _, err := s.Accounts(ctx, offboarding.ProvisionFilter{
				OrganizationID: c.Organization, Limit: 10, Condition: &offboarding.Condition{Field: field, Op: "eq", Value: "person7@acme.example"},
			})
			return found, err
		})
	}
	account := offboarding.Account{
		UserName: "new" + strconv.Itoa(u.round) + "@acme.example", Active: true, ProviderID: strconv.Itoa(u.round), ManagerID: "person7@acme.example",
		Profile: offboarding.Profile{DisplayName: "New", Emails: []offboarding.Address{{Email: "new" + strconv.Itoa(u.round) + "@acme.example", Primary: true}}},
	}
	got(u, "CreateAccount", func() (any, error) {
		made, _, err := s.CreateAccount(ctx, p, account, time.Now())
		return made, err
	})
	got(u, "MembersByEmail", func() (any, error) {
		return s.MembersByEmail(ctx, []string{"person7@acme.example", "person8@acme.example"}, c.Organization)
	})
	got(u, "PreviewBulk", func() (any, error) {
		return s.PreviewBulk(ctx, offboarding.BulkRequest{RequestedBy: c.Admin, Members: []offboarding.BulkMember{{MemberID: "external:emp-7"}}}, time.Now())
	})
	got(u, "FindBulkRun", func() (any, error) { return s.FindBulkRun(ctx, "run-1-1", c.Organization) })
}
