package workflows_test

import (
	"flag"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	cases "handover/client"
	"handover/internal/fixture"
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

var measure = flag.Int("measure", 0, "offboard so many leavers in bulk, and say how long it took")

// TestMeasureBulk says what 10,000 leavers take:
//
//	go test -run TestMeasureBulk ./workflows -measure 10000 -v
func TestMeasureBulk(t *testing.T) {
	if *measure == 0 {
		t.Skip("measures only with -measure")
	}
	s := newStand(t)
	members := make([]string, *measure)
	for i := range members {
		members[i] = uuid.Must(uuid.NewV7()).String()
		s.Exec(`INSERT INTO members (id, organization_id, external_id, email, display_name, role, account_type, status, managed_by, time_zone, created_at)
			VALUES ($1, $2, $3, $3 || '@acme.example', 'Member', 'contributor', 'maker', 'active', '', '', $4)`, members[i], s.ID, "x"+members[i], fixture.Start)
	}
	s.Exec(`INSERT INTO credentials (id, organization_id, member_id, kind, name, status, created_at)
		SELECT gen_random_uuid(), organization_id, id, 'api', 'key', 'active', created_at FROM members WHERE external_id LIKE 'x%'`)
	s.Exec(`INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at)
		SELECT gen_random_uuid(), organization_id, id, false, 'active', created_at FROM members WHERE external_id LIKE 'x%'`)
	s.Exec(`INSERT INTO documents (id, organization_id, external_id, title, kind, owner_id, access, created_at, updated_at)
		SELECT gen_random_uuid(), organization_id, 'd' || external_id, 'Document', 'document', id, 'editable', created_at, created_at
		FROM members WHERE external_id LIKE 'x%' AND hashtext(id::text) % 10 = 0`)
	began := time.Now()
	c := s.bulk(func(r *offboarding.BulkRequest) { r.Rate = 200 }, members...)
	gone := time.Duration(0)
	for {
		if n := s.Count(`SELECT count(*) FROM members WHERE status = 'active' AND external_id LIKE 'x%'`); n == 0 {
			gone = time.Since(began)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	result := c.closes(offboarding.BulkSuccess)
	events, bytes := 0, 0
	for _, h := range c.histories() {
		events += len(h.Events)
		bytes += proto.Size(h)
	}
	t.Logf("%d leavers: nobody has access after %.1f s, %d cases run after %.1f s; history %d events, %d bytes",
		*measure, gone.Seconds(), result.Counts.Cases, time.Since(began).Seconds(), events, bytes)
	single := time.Now()
	const some = 200
	for range some {
		member := s.Maker()
		s.Credential(member)
		s.Session(member)
		_, err := cases.New(s.client).StartAndAwait(t.Context(), offboarding.Request{MemberID: member, RequestedBy: s.Admin})
		require.NoError(t, err)
	}
	t.Logf("one by one: %.1f members a second", some/time.Since(single).Seconds())
}
