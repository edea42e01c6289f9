package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// admitted opens the run of a list.
func (l *listed) admitted(t *testing.T, bulkID string) (offboarding.BulkRun, error) {
	t.Helper()
	return l.store.AdmitBulk(t.Context(), offboarding.BulkAdmitInput{
		BulkID: bulkID, WorkflowID: offboarding.BulkWorkflowID(bulkID), At: l.at, Request: l.request,
	})
}

// code is why a row was refused.
func code(row offboarding.BulkMemberRow) offboarding.Code {
	if len(row.Violations) == 0 {
		return ""
	}
	return row.Violations[0].Code
}

// Who leaves at once in the same run owns nothing any more, wherever they are on
// the list (rule N1); a manager who does is replaced by nobody.
func TestBulkNewOwnersWhoLeaveInTheSameRun(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{1, 100} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			t.Parallel()
			l := newListed(t)
			l.store = l.store.WithBatchSize(batch)
			manager := l.add(l.Maker(), offboarding.BulkPlan{})
			named := l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: manager})
			managed := l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: offboarding.NewOwnerManager, ArchiveSchedules: true})
			early := l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: l.Manager})
			l.add(l.Manager, offboarding.BulkPlan{EffectiveAt: "2026-06-01"}) // later: still eligible
			behind := l.Maker()
			l.add(l.Maker(), offboarding.BulkPlan{NewOwnerID: behind})
			l.add(behind, offboarding.BulkPlan{})
			l.Exec(`UPDATE members SET manager_id = $2 WHERE id = $1`, managed, manager)
			for _, member := range []string{named, managed, early} {
				l.Document(member, "")
			}
			rows := l.bulk(t)
			require.Equal(t, offboarding.BulkMemberStarted, rows[0].Outcome)
			require.Equal(t, offboarding.CodeNewOwnerNotEligible, code(rows[1]))
			require.Equal(t, offboarding.BulkMemberStarted, rows[2].Outcome)
			require.Equal(t, "retain  false the leaver's manager leaves in the same run; the documents are retained",
				l.Text(`SELECT disposition || ' ' || coalesce(new_owner_id::text, '') || ' ' || archive_schedules || ' ' || fallback_reason FROM cases WHERE member_id = $1`, managed))
			require.Equal(t, offboarding.BulkMemberStarted, rows[3].Outcome)
			require.Equal(t, offboarding.BulkMemberScheduled, rows[4].Outcome)
			require.Equal(t, offboarding.CodeNewOwnerNotEligible, code(rows[5]))
			require.Equal(t, offboarding.BulkMemberStarted, rows[6].Outcome)
			invariantsHold(t, l.store)
		})
	}
}

// Who is deleted while the list waits for them is nobody, as an unknown ID is (rule X1).
func TestBulkMemberWhoIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	deleted := l.add(l.Maker(), offboarding.BulkPlan{})
	l.add(newIDOf(7), offboarding.BulkPlan{})
	_, err := l.admitted(t, "run")
	require.NoError(t, err)
	l.Exec(`UPDATE members SET status = 'inactive', deactivated_at = $2 WHERE id = $1`, deleted, l.at)
	_, err = l.store.EraseMember(t.Context(), offboarding.BeginDeletionInput{
		Step:    offboarding.Step{CaseID: newID(), Name: "erase", At: l.at},
		Request: offboarding.DeletionRequest{MemberID: deleted, RequestedBy: l.Owner},
	})
	require.NoError(t, err)
	l.process(t)
	rows := l.rows(t)
	require.Equal(t, offboarding.BulkMemberRefused, rows[0].Outcome)
	require.Equal(t, rows[1].Violations, rows[0].Violations)
	require.Equal(t, offboarding.CodeMemberNotFound, code(rows[0]))
	require.Len(t, rows[0].Violations, 1)
}

func TestBulkMemberNamedTwice(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	member := l.add(l.Maker(), offboarding.BulkPlan{})
	l.add(l.Leaver, offboarding.BulkPlan{})
	l.add("external:"+l.Text(`SELECT external_id FROM members WHERE id = $1`, member), offboarding.BulkPlan{})
	l.add(member, offboarding.BulkPlan{})
	rows := l.bulk(t)
	require.Equal(t, []offboarding.BulkOutcome{"started", "started", "refused", "refused"},
		[]offboarding.BulkOutcome{rows[0].Outcome, rows[1].Outcome, rows[2].Outcome, rows[3].Outcome})
	require.Equal(t, "the member is on the list already, at place 1", rows[2].Violations[0].Message)
	require.Equal(t, 1, l.Count(`SELECT count(*) FROM cases WHERE member_id = $1`, member))
}

// A case whose leaver has come back offboards nobody: the row must not pass for one
// who is leaving.
func TestBulkMemberWhoIsComingBack(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	back := newLeavingOn(t, l.Organization, l.store).of(l.add(l.Maker(), offboarding.BulkPlan{}))
	back.Document(back.member, "")
	back.inGrace()
	_, err := l.store.ReactivateMember(t.Context(), offboarding.ReactivateInput{
		Step: back.step("reactivate"), Message: offboarding.Reactivate{AdminID: l.Owner},
	})
	require.NoError(t, err)
	l.at = back.at.Add(time.Hour)
	rows := l.bulk(t)
	require.Equal(t, offboarding.BulkMemberRefused, rows[0].Outcome)
	require.Equal(t, offboarding.CodeTryAgain, code(rows[0]))
	require.Equal(t, "active", l.Text(`SELECT status FROM members WHERE id = $1`, back.member))
}

// The guard counts active members of the list, by organization, and says both
// numbers.
func TestBulkGuard(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.request.Confirmed = false
	for range 11 {
		l.add(l.Maker(), offboarding.BulkPlan{})
	}
	_, err := l.admitted(t, "run")
	refused(t, offboarding.CodeBulkLimitExceeded, err)
	require.Contains(t, err.Error(), "the list names 11 of 15 active members, and more than 10 have to be confirmed")
	require.Zero(t, l.Count(`SELECT count(*) FROM bulk_runs`), "a refused run has left nothing")

	l.Exec(`UPDATE organizations SET bulk_limit_percent = 80 WHERE id = $1`, l.ID)
	run, err := l.admitted(t, "run")
	require.NoError(t, err)
	require.Equal(t, 11, run.Counts.Pending)

	// Ten may always be removed.
	l.Exec(`UPDATE organizations SET bulk_limit_percent = 1 WHERE id = $1`, l.ID)
	l.request.Members = l.request.Members[:10]
	_, err = l.admitted(t, "ten")
	require.NoError(t, err)
}

// An ID belongs to whoever used it first: another tenant learns nothing of the run.
func TestBulkIDOfAnotherTenant(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.add(l.Maker(), offboarding.BulkPlan{})
	_, err := l.admitted(t, "run")
	require.NoError(t, err)
	stranger := fixture.New(t, l.DB)
	l.request = offboarding.BulkRequest{RequestedBy: stranger.Owner, Members: []offboarding.BulkMember{{MemberID: stranger.Leaver}}}
	_, err = l.admitted(t, "run")
	refused(t, offboarding.CodeInvalidArgument, err)
}

// A row that the database refuses fails alone, whatever is around it.
func TestBulkRowThatFails(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{1, 7, 100} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			t.Parallel()
			l := newListed(t)
			l.store = l.store.WithBatchSize(batch)
			var bad []string
			for i := range 20 {
				member := l.add(l.Maker(), offboarding.BulkPlan{})
				l.Session(member)
				if i == 4 || i == 5 || i == 19 {
					bad = append(bad, member)
				}
			}
			l.Exec(fmt.Sprintf(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no: %%', NEW.id; END $$;
				CREATE TRIGGER fails BEFORE UPDATE ON members FOR EACH ROW WHEN (NEW.id IN ('%s', '%s', '%s')) EXECUTE FUNCTION fail()`, bad[0], bad[1], bad[2]))
			rows := l.bulk(t)
			for _, row := range rows {
				if !slices.Contains(bad, row.MemberID) {
					require.Equal(t, offboarding.BulkMemberStarted, row.Outcome)
					continue
				}
				require.Equal(t, offboarding.BulkMemberFailed, row.Outcome)
				require.Equal(t, "offboard members: database error P0001 (raise_exception)", row.Error)
			}
			require.Equal(t, 17, l.Count(`SELECT count(*) FROM audit_events WHERE event = 'RevokeSessions'`))
			invariantsHold(t, l.store)
		})
	}
}

// A failure that is no row's own fails nobody.
func TestBulkTroubleFailsNobody(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.add(l.Maker(), offboarding.BulkPlan{})
	_, err := l.admitted(t, "run")
	require.NoError(t, err)
	l.Exec(`ALTER TABLE sessions RENAME TO sessions_away`)
	_, err = l.store.OffboardBatch(t.Context(), offboarding.BulkStep{BulkID: "run", At: l.at}, 0)
	var failed *postgres.Error
	require.True(t, errors.As(err, &failed))
	require.Equal(t, "42P01", failed.State)
	l.Exec(`ALTER TABLE sessions_away RENAME TO sessions`)
	require.Equal(t, 1, l.process(t).Counts.Started)
}

// Judging everybody first knows, as the run itself does, that the first of two
// last owners leaves the second one as the last.
func TestBulkAllOrNothingJudgesTwoLastOwners(t *testing.T) {
	t.Parallel()
	l := newListed(t)
	l.store = l.store.WithBatchSize(1)
	l.request.AllOrNothing = true
	l.add(l.Owner, offboarding.BulkPlan{})
	l.add(l.Member(offboarding.RoleOwner, offboarding.AccountMaker), offboarding.BulkPlan{})
	l.add(l.Maker(), offboarding.BulkPlan{})
	_, err := l.admitted(t, "run")
	require.NoError(t, err)
	run, err := l.store.JudgeBulk(t.Context(), offboarding.BulkStep{BulkID: "run", At: l.at})
	require.NoError(t, err)
	require.Equal(t, offboarding.BulkCounts{Total: 3, Refused: 1, NotStarted: 2}, run.Counts)
	require.Equal(t, offboarding.CodeLastOwner, code(l.rows(t)[1]))
}

// Runs and single starts that name the same members at the same moment: each
// member has one case, and nobody waits for anybody who waits for them.
func TestBulkRunsAndSingleStartsRace(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store := postgres.New(db).WithBatchSize(5)
	for range rounds {
		o := fixture.New(t, db)
		other := o.Member(offboarding.RoleOwner, offboarding.AccountMaker)
		members := []string{other}
		for range 12 {
			members = append(members, o.Maker())
		}
		bulk := func(id string, members []string) call {
			return func(ctx context.Context) (any, error) {
				r := offboarding.BulkRequest{RequestedBy: o.Owner, Confirmed: true}
				for _, m := range members {
					r.Members = append(r.Members, offboarding.BulkMember{MemberID: m})
				}
				if _, err := store.AdmitBulk(ctx, offboarding.BulkAdmitInput{BulkID: id + o.ID, WorkflowID: id, At: fixture.Start, Request: r}); err != nil {
					return nil, err
				}
				for after := 0; ; {
					var err error
					after, err = store.OffboardBatch(ctx, offboarding.BulkStep{BulkID: id + o.ID, At: fixture.Start}, after)
					if err != nil || after == 0 {
						return after, err
					}
				}
			}
		}
		single := func(ctx context.Context) (any, error) {
			for _, m := range members[:4] {
				in := offboarding.AdmitInput{CaseID: newID(), WorkflowID: "single/" + m, At: fixture.Start, Request: offboarding.Request{MemberID: m, RequestedBy: o.Owner}}
				if _, err := store.Admit(ctx, in); err != nil && offboarding.CodeOf(err) == "" {
					return nil, err
				}
			}
			return nil, nil
		}
		reversed := slices.Clone(members)
		slices.Reverse(reversed)
		errs := make([]error, 3)
		atOnce(
			func() { errs[0] = persistent(t, bulk("a", members)) },
			func() { errs[1] = persistent(t, bulk("b", reversed)) },
			func() { errs[2] = persistent(t, single) },
		)
		require.NoError(t, errors.Join(errs...))
		require.Equal(t, len(members), o.Count(`SELECT count(DISTINCT member_id) FROM cases WHERE organization_id = $1`, o.ID))
		require.Zero(t, o.Count(`SELECT count(*) FROM (SELECT 1 FROM cases WHERE organization_id = $1 AND phase <> 'scheduled' GROUP BY member_id HAVING count(*) > 1) twice`, o.ID))
	}
	invariantsHold(t, store)
}
