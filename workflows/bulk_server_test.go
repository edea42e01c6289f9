package workflows_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	cases "handover/client"
	"handover/offboarding"
)

// bulk starts a run of a list on the server.
func (s *stand) bulk(change func(*offboarding.BulkRequest), members ...string) *live {
	s.t.Helper()
	r := offboarding.BulkRequest{RequestedBy: s.Admin, Confirmed: true}
	for _, member := range members {
		r.Members = append(r.Members, offboarding.BulkMember{MemberID: member})
	}
	if change != nil {
		change(&r)
	}
	id := uuid.NewString()
	_, err := cases.New(s.client).StartBulk(s.t.Context(), id, r)
	require.NoError(s.t, err)
	return &live{stand: s, id: offboarding.BulkWorkflowID(id)}
}

// closes waits for the end of a run.
func (c *live) closes(message string) offboarding.BulkResult {
	c.t.Helper()
	result, err := cases.New(c.client).BulkResult(c.t.Context(), offboarding.BulkID(c.id))
	require.NoError(c.t, err)
	require.Equal(c.t, message, result.Message, "%+v", result.Counts)
	return result
}

// The runs whose histories are recorded.
func recordBulk(_ *testing.T, s *stand, leaver string) *live {
	documents(s.Organization, leaver, 1)
	isp := s.Maker()
	s.Exec(`UPDATE members SET email = $2 WHERE id = $1`, isp, uuid.NewString()+"@gmail.com")
	c := s.bulk(func(r *offboarding.BulkRequest) {
		r.Members[1].EffectiveAt = time.Now().Add(10 * day).Format(time.RFC3339)
	}, leaver, s.Maker(), s.Maker(), isp)
	c.closes(offboarding.BulkPartialSuccess)
	return c
}

func recordBulkRefused(_ *testing.T, s *stand, leaver string) *live {
	c := s.bulk(func(r *offboarding.BulkRequest) { r.AllOrNothing = true }, leaver, uuid.NewString())
	c.closes(offboarding.BulkRefused)
	return c
}

func recordBulkMessages(t *testing.T, s *stand, leaver string) *live {
	documents(s.Organization, leaver, 1)
	s.breakTable("sessions") // the list waits, so that it can be canceled
	c := s.bulk(nil, leaver, s.Maker())
	client := cases.New(s.client)
	require.Eventually(t, func() bool {
		status, err := client.BulkStatus(t.Context(), offboarding.BulkID(c.id))
		return err == nil && status.Trouble != nil
	}, time.Minute, 20*time.Millisecond)
	c.signal(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Manager})
	_, err := client.CancelBulk(t.Context(), offboarding.BulkID(c.id), offboarding.Cancel{AdminID: s.Admin})
	require.NoError(t, err)
	s.repairTable("sessions")
	c.closes(offboarding.BulkFailed)
	return c
}

// recordTakenOver is a case that a run has opened.
func recordTakenOver(_ *testing.T, s *stand, leaver string) *live {
	documents(s.Organization, leaver, 2)
	s.bulk(func(r *offboarding.BulkRequest) { r.NewOwnerID = s.Manager }, leaver).closes(offboarding.BulkSuccess)
	return (&live{stand: s, id: offboarding.WorkflowID(leaver)}).ends(offboarding.PhaseCompleted)
}

func (s *stand) breakTable(table string) {
	s.Exec(`ALTER TABLE ` + table + ` RENAME TO ` + table + `_away`)
}

func (s *stand) repairTable(table string) {
	s.Exec(`ALTER TABLE ` + table + `_away RENAME TO ` + table)
}

// The same ID again is answered with the run there is; one that was refused whole
// may be started again; a list that Temporal would not take is refused before.
func TestBulkIDsOnAServer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	client := cases.New(s.client)
	var members []offboarding.BulkMember
	for range 12 {
		members = append(members, offboarding.BulkMember{MemberID: s.Maker()})
	}
	r := offboarding.BulkRequest{RequestedBy: s.Admin, Members: members}
	_, err := client.StartBulk(t.Context(), "one", r)
	require.NoError(t, err)
	_, err = client.BulkResult(t.Context(), "one")
	require.Equal(t, offboarding.CodeBulkLimitExceeded, offboarding.CodeOf(err))
	r.Confirmed = true
	first, err := client.StartBulk(t.Context(), "one", r)
	require.NoError(t, err)
	result, err := client.BulkResult(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, 12, result.Counts.Started)
	r.Members = []offboarding.BulkMember{{MemberID: s.Manager}}
	again, err := client.StartBulk(t.Context(), "one", r)
	require.NoError(t, err)
	require.Equal(t, first.RunID, again.RunID)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, s.Manager))

	r.Members = members
	r.Reason = ""
	for i := range r.Members {
		r.Members[i].Reason = longText(200_000)
	}
	_, err = client.StartBulk(t.Context(), "two", r)
	require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(err))
}

// Starts that take longer than the engine waits for a sign of life are not begun anew.
func TestBulkStartsGoOnForLong(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	members := make([]string, 6)
	for i := range members {
		members[i] = s.Maker()
		documents(s.Organization, members[i], 1)
	}
	c := s.bulk(func(r *offboarding.BulkRequest) { r.Rate = 2 }, members...)
	c.closes(offboarding.BulkSuccess)
	var starts int
	for _, h := range c.histories() {
		for _, e := range h.GetEvents() {
			if a := e.GetActivityTaskStartedEventAttributes(); a != nil {
				starts++
				require.Equal(t, int32(1), a.GetAttempt(), "%v", a.GetLastFailure())
			}
		}
	}
	require.Positive(t, starts)
}

func longText(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'x'
	}
	return string(text)
}

// The largest input that is let through is one that the server takes.
func TestLargestBulkInputOnAServer(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := offboarding.BulkRequest{RequestedBy: s.Manager} // is refused whole: only the size is tried
	for range offboarding.MaxBulkMembers {
		r.Members = append(r.Members, offboarding.BulkMember{MemberID: uuid.NewString(), BulkPlan: offboarding.BulkPlan{Reason: longText(137)}})
	}
	r.Reason = longText(3000)
	client := cases.New(s.client)
	for {
		_, err := client.StartBulk(t.Context(), "large", r)
		if err == nil {
			break
		}
		require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(err), "%v", err)
		r.Members = r.Members[:len(r.Members)-1]
	}
	require.Greater(t, len(r.Members), 9000)
	_, err := client.BulkResult(t.Context(), "large")
	require.Equal(t, offboarding.CodeInvalidArgument, offboarding.CodeOf(err), "the reason is too long, and the actor nobody")
}
