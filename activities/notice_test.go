package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/activities"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// mailbox is a notifier that keeps the keys, and fails as a test says.
type mailbox struct {
	keys map[string]int
	fail func(handed int, n offboarding.Notice) error
}

func (m *mailbox) Notify(_ context.Context, n offboarding.Notice) error {
	handed := len(m.keys)
	if m.fail != nil {
		if err := m.fail(handed, n); err != nil {
			return err
		}
	}
	m.keys[n.Key]++
	return nil
}

// forgetful is a store whose marks are lost for a while.
type forgetful struct {
	*postgres.Store
	lost int
}

func (f *forgetful) MarkSent(ctx context.Context, keys []string, at time.Time) error {
	if f.lost > 0 {
		f.lost--
		return errCut
	}
	return f.Store.MarkSent(ctx, keys, at)
}

// reminded is a case with a reminder to 250 editors and the manager, unsent.
func reminded(t *testing.T, store *forgetful, box *mailbox) (*fixture.Organization, func() error) {
	t.Helper()
	db := testdb.New(t)
	o := fixture.New(t, db)
	document := o.Document(o.Leaver, "")
	for range 250 {
		o.Grant(document, o.Maker(), offboarding.GrantEdit)
	}
	store.Store = postgres.New(db)
	step := inactive(t, o, store.Store, offboarding.DispositionRetain)
	ends := fixture.Start.Add(time.Hour)
	_, err := store.Settle(t.Context(), offboarding.SettleInput{Step: step("settle"), GraceEndsAt: &ends})
	require.NoError(t, err)
	r, err := store.Remind(t.Context(), offboarding.ReminderInput{Step: step("remind/1"), Lead: time.Hour, GraceEndsAt: ends})
	require.NoError(t, err)
	require.Equal(t, 251, r.Notices)
	log := slog.New(slog.DiscardHandler)
	acts := activities.New(store, nil, box, log)
	return o, func() error {
		_, err := newEnvironment(acts).ExecuteActivity(acts.SendNotices, step("notify"))
		return err
	}
}

const (
	countNotices = `SELECT count(*) FROM notices`
	countSent    = `SELECT count(*) FROM notices WHERE sent_at IS NOT NULL`
)

// A mark that is lost after the notifier has taken a batch means that this batch,
// and no more, is handed over again under the same keys.
func TestALostMarkHandsOneBatchOverAgain(t *testing.T) {
	t.Parallel()
	box := &mailbox{keys: map[string]int{}}
	o, send := reminded(t, &forgetful{lost: 1}, box)
	err := send()
	require.ErrorContains(t, err, errCut.Error())
	require.Len(t, box.keys, 100)
	require.Zero(t, o.Count(countSent))
	err = send()
	require.NoError(t, err)
	twice := 0
	for _, n := range box.keys {
		if n > 1 {
			twice++
		}
	}
	require.Len(t, box.keys, 251)
	require.Equal(t, 100, twice)
	require.Equal(t, 251, o.Count(countNotices))
	require.Equal(t, 251, o.Count(countSent))
	err = send()
	require.NoError(t, err)
	require.Len(t, box.keys, 251)
}

// A notifier that is out of order is asked ten times and left alone; what it took
// before is marked. The error holds nothing of what it says.
func TestANotifierOutOfOrderIsLeftAlone(t *testing.T) {
	t.Parallel()
	asked := 0
	box := &mailbox{keys: map[string]int{}, fail: func(handed int, _ offboarding.Notice) error {
		if handed < 130 {
			return nil
		}
		asked++
		return errors.New("no route to ann@acme.example")
	}}
	o, send := reminded(t, &forgetful{}, box)
	err := send()
	require.ErrorContains(t, err, "the notifier did not take 10 of 140 notices")
	require.NotContains(t, err.Error(), "ann@")
	require.Equal(t, 10, asked)
	require.Equal(t, 130, o.Count(countSent))
	box.fail = nil
	err = send()
	require.NoError(t, err)
	require.Equal(t, 251, o.Count(countSent))
	for key, n := range box.keys {
		require.Equal(t, 1, n, key)
	}
}

// A notice in the history of an earlier build goes to the manager, or to nobody.
func TestNoticesOfEarlierBuilds(t *testing.T) {
	t.Parallel()
	var handed []offboarding.Notice
	box := &mailbox{keys: map[string]int{}, fail: func(_ int, n offboarding.Notice) error {
		handed = append(handed, n)
		return nil
	}}
	log := slog.New(slog.DiscardHandler)
	acts := activities.New(nil, nil, box, log)
	earlier := offboarding.Notice{Key: "case/remind/1", Kind: "RemindGraceEnding", CaseID: "case", ManagerID: "manager", Unowned: 3}
	nobody := earlier
	nobody.ManagerID = ""
	for _, n := range []offboarding.Notice{earlier, nobody} {
		_, err := newEnvironment(acts).ExecuteActivity(acts.Notify, n)
		require.NoError(t, err)
	}
	require.Equal(t, []offboarding.Notice{{
		Key: "case/remind/1", Kind: "RemindGraceEnding", CaseID: "case", RecipientID: "manager", Reason: offboarding.NoticeManager, Documents: 3,
	}}, handed)
}
