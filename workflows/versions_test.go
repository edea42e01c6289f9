package workflows_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	cases "handover/client"
	"handover/offboarding"
)

// Each change that a version guards is in the corpus as it is now: what cases that are
// begun today leave in their histories has to replay, too.
func TestEachVersionIsInTheCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	guards := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`workflow\.GetVersion\(ctx, "([^"]+)", [^,]+, (\d+)\)`).FindAllStringSubmatch(string(text), -1) {
			guards[m[1]], err = strconv.Atoi(m[2])
			require.NoError(t, err)
		}
	}
	require.NotEmpty(t, guards)
	taken := map[string]int{}
	recorded, err := filepath.Glob(filepath.Join(corpus, "*.json*"))
	require.NoError(t, err)
	for _, file := range recorded {
		for _, event := range readHistory(t, file).Events {
			marker := event.GetMarkerRecordedEventAttributes()
			if event.GetEventType() != enums.EVENT_TYPE_MARKER_RECORDED || marker.GetMarkerName() != "Version" {
				continue
			}
			var id string
			var version int
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(marker.Details["change-id"], &id))
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(marker.Details["version"], &version))
			taken[id] = max(taken[id], version)
		}
	}
	for id, version := range guards {
		require.Equal(t, version, taken[id], "no history has %q; go test -run TestRecordHistories ./workflows -record", id)
	}
}

func init() {
	recorded["signed"] = func(t *testing.T, _ *stand, _ string) *live {
		g := newGuarded(t)
		offered := documents(g.Organization, g.Leaver, 2)
		c := g.offboard(g.Leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		require.NoError(t, cases.Signal(t.Context(), g.gateway, c.id, offboarding.ClaimRequest{DocumentID: offered[0], MemberID: g.Manager}))
		_, err := g.gateway.Claim(t.Context(), c.id, offboarding.ClaimRequest{DocumentID: offered[1], MemberID: g.Manager})
		require.NoError(t, err)
		return c.ends(offboarding.PhaseCompleted)
	}
	recorded["judged-after-continuing"] = recorded["continued-as-new"]
	recorded["list-that-continued"] = func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 1)
		other := s.Maker()
		documents(s.Organization, other, 1)
		_, err := cases.New(s.client).StartBulk(s.t.Context(), "continues", offboarding.BulkRequest{
			RequestedBy: s.Admin, Confirmed: true, Rate: 1, Members: []offboarding.BulkMember{{MemberID: leaver}, {MemberID: other}},
		})
		require.NoError(s.t, err)
		c := s.live(offboarding.BulkWorkflowID("continues"))
		for range 5 { // what nobody hears makes the history long
			c.signal(offboarding.MessageCancel, make([]byte, 1<<20))
		}
		c.closes(offboarding.BulkSuccess)
		return c
	}
	recorded["reactivation-in-trouble"] = func(t *testing.T, _ *stand, _ string) *live {
		s := newStand(t)
		documents(s.Organization, s.Leaver, 1)
		s.start(s.Leaver, func(r *offboarding.Request) { r.NewOwnerID = s.Manager }).ends(offboarding.PhaseCompleted)
		s.Exec(`ALTER TABLE schedules RENAME TO schedules_away`)
		require.NoError(t, cases.New(s.client).ReactivateAsync(t.Context(), offboarding.ReactivationRequest{MemberID: s.Leaver, RequestedBy: s.Admin, ReturnDocuments: true}))
		require.Eventually(t, func() bool { return s.Text(`SELECT trouble_step FROM cases`) != "" }, time.Minute, 20*time.Millisecond)
		s.Exec(`ALTER TABLE schedules_away RENAME TO schedules`)
		c := s.live(offboarding.ReactivationWorkflowID(s.Leaver))
		require.NoError(t, s.client.GetWorkflow(t.Context(), c.id, "").Get(t.Context(), nil))
		return c
	}
	recorded["archived-again"] = func(t *testing.T, _ *stand, _ string) *live {
		s := newStand(t)
		_, err := s.store.PlaceHold(t.Context(), offboarding.Hold{DocumentID: documents(s.Organization, s.Leaver, 2)[0], Reason: "matter 12"}, s.Owner, time.Now())
		require.NoError(t, err)
		c := s.start(s.Leaver, func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive })
		c.reaches(phase(offboarding.PhaseGrace))
		s.Exec(`CREATE FUNCTION fill_seats() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN UPDATE organizations SET seat_limit = (SELECT count(*) FROM members WHERE status = ''active''); RETURN NULL; END'`)
		s.Exec(`CREATE TRIGGER fill_seats AFTER UPDATE ON documents EXECUTE FUNCTION fill_seats()`) // while the case restores
		_, err = c.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
		require.Equal(t, offboarding.CodeSeatLimitExceeded, codeOf(err))
		c.reaches(func(s offboarding.Status) bool { return s.Documents.Archived == 1 })
		return c
	}
	recorded["revoking-open"] = func(t *testing.T, _ *stand, _ string) *live {
		s := newStand(t)
		s.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
		s.SSOSession(s.Leaver, 0)
		c := s.start(s.Leaver, nil)
		c.reaches(func(s offboarding.Status) bool { return s.SessionsEndAt != nil })
		return c
	}
	stuck := func(t *testing.T, do func(*stand) *live) *live {
		s := newStand(t)
		documents(s.Organization, s.Leaver, 1)
		c := do(s)
		c.reaches(func(s offboarding.Status) bool { return s.Trouble != nil })
		return c
	}
	recorded["transferring-open"] = func(t *testing.T, _ *stand, _ string) *live {
		return stuck(t, func(s *stand) *live {
			s.Exec(`ALTER TABLE folders RENAME TO folders_away`)
			return s.start(s.Leaver, func(r *offboarding.Request) { r.NewOwnerID = s.Manager })
		})
	}
	recorded["reactivated-open"] = func(t *testing.T, _ *stand, _ string) *live {
		return stuck(t, func(s *stand) *live {
			c := s.start(s.Leaver, nil)
			c.reaches(phase(offboarding.PhaseGrace))
			s.Exec(`ALTER TABLE grants RENAME TO grants_away`)
			c.signal(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin})
			return c
		})
	}
}
