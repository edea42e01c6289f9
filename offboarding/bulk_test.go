package offboarding_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// What a member leaves out is the run's; a member who says what happens to the
// documents does not get the run's new owner.
func TestBulkRequestOfAMember(t *testing.T) {
	t.Parallel()
	var b offboarding.BulkRequest
	require.NoError(t, json.Unmarshal([]byte(`{"requested_by": "a", "origin": "SCRIPT,Acme,HR", "reason": "layoff", "new_owner_id": "manager",
		"archive_schedules": true, "grace_period": "3d", "effective_at": "2026-03-31", "members": [
			{"member_id": "m1"}, {"member_id": "m2", "disposition": "retain"}, {"member_id": "m3", "new_owner_id": "m9", "reason": "left"},
			{"member_id": "m4", "disposition": "transfer", "effective_at": "2026-04-30", "grace_period": "1d"},
			{"member_id": "m5", "disposition": "archive", "new_owner_id": "m9"}]}`), &b))
	want := offboarding.Request{
		MemberID: "m1", RequestedBy: "a", Origin: "SCRIPT,Acme,HR", Reason: "layoff", EffectiveAt: "2026-03-31", NewOwnerID: "manager",
		ArchiveSchedules: true, GracePeriod: "3d",
	}
	require.Equal(t, want, b.Request(0))
	want.MemberID, want.Disposition, want.NewOwnerID, want.ArchiveSchedules = "m2", offboarding.DispositionRetain, "", false
	require.Equal(t, want, b.Request(1))
	third := b.Request(2)
	require.Equal(t, []any{offboarding.DispositionTransfer, "m9", true, "left"}, []any{third.Disposition, third.NewOwnerID, third.ArchiveSchedules, third.Reason})
	fourth := b.Request(3)
	require.Equal(t, []any{"manager", "2026-04-30", "1d"}, []any{fourth.NewOwnerID, fourth.EffectiveAt, fourth.GracePeriod})
	require.Equal(t, "m9", b.Request(4).NewOwnerID, "a contradiction of the member's own is left for the rules to refuse")
	require.NotEmpty(t, offboarding.CheckRequest(b.Request(4)))
}

func TestRuleB1Form(t *testing.T) {
	t.Parallel()
	good := offboarding.BulkRequest{RequestedBy: "a", Members: make([]offboarding.BulkMember, 1)}
	require.Empty(t, offboarding.CheckBulk("run", &good))
	for field, change := range map[string]func(*offboarding.BulkRequest, *string){
		"bulk_id":      func(_ *offboarding.BulkRequest, id *string) { *id = strings.Repeat("x", 201) },
		"members":      func(b *offboarding.BulkRequest, _ *string) { b.Members = make([]offboarding.BulkMember, 10_001) },
		"rate":         func(b *offboarding.BulkRequest, _ *string) { b.Rate = -1 },
		"requested_by": func(b *offboarding.BulkRequest, _ *string) { b.RequestedBy = "" },
		"origin":       func(b *offboarding.BulkRequest, _ *string) { b.Origin = "HR" },
		"disposition":  func(b *offboarding.BulkRequest, _ *string) { b.Disposition = "burn" },
		"grace_period": func(b *offboarding.BulkRequest, _ *string) { b.GracePeriod = "soon" },
	} {
		b, id := good, "run"
		change(&b, &id)
		violations := offboarding.CheckBulk(id, &b)
		require.Len(t, violations, 1, field)
		require.Equal(t, field, violations[0].Field)
		require.Equal(t, offboarding.CodeInvalidArgument, violations[0].Code)
	}
	require.Len(t, offboarding.CheckBulk("", &offboarding.BulkRequest{Rate: 2000}), 4, "all mistakes at once")
}

func TestRuleB1Guard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		share     offboarding.BulkShare
		confirmed bool
		refused   bool
	}{
		"ten of ten":             {offboarding.BulkShare{Removed: 10, Active: 10, Percent: 20}, false, false},
		"eleven of fifty-five":   {offboarding.BulkShare{Removed: 11, Active: 55, Percent: 20}, false, false},
		"eleven of fifty-four":   {offboarding.BulkShare{Removed: 11, Active: 54, Percent: 20}, false, true},
		"confirmed":              {offboarding.BulkShare{Removed: 54, Active: 54, Percent: 20}, true, false},
		"an organization's own":  {offboarding.BulkShare{Removed: 30, Active: 54, Percent: 60}, false, false},
		"one percent of hundred": {offboarding.BulkShare{Removed: 11, Active: 1000, Percent: 1}, false, true},
	} {
		violations := offboarding.JudgeBulkLimit(c.confirmed, []offboarding.BulkShare{{Removed: 1, Active: 100, Percent: 20}, c.share})
		require.Equal(t, c.refused, len(violations) == 1, name)
	}
}

// Seed 003: SUCCESS and 0, PARTIAL_SUCCESS and 3.
func TestRuleB1Result(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]offboarding.BulkCounts{
		"SUCCESS":         {Total: 3, Started: 1, Scheduled: 1, Existing: 1},
		"PARTIAL_SUCCESS": {Total: 3, Started: 1, Refused: 1, Canceled: 1},
		"REFUSED":         {Total: 3, Refused: 1, NotStarted: 2},
		"FAILED":          {Total: 3, Refused: 2, Failed: 1},
	} {
		message, code := c.Result()
		require.Equal(t, want, message)
		require.Equal(t, map[string]int{"SUCCESS": 0, "PARTIAL_SUCCESS": 3, "REFUSED": 4, "FAILED": 1}[want], code)
	}
}
