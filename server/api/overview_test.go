package api_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
)

func TestOverview(t *testing.T) {
	t.Parallel()
	s := newStandWithoutWorker(t)
	below := fixture.New(t, s.DB)
	s.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, below.ID, s.ID)
	s.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, s.ID)
	below.Documents(below.Leaver, 3)
	offboard(t, s.store, below.Leaver, below.Admin)

	var all, own, there offboarding.Overview
	began := time.Now()
	s.as(s.Admin).get(t, "/v1/overview").into(t, 200, &all)
	require.False(t, all.At.Before(began.UTC().Truncate(time.Second)))
	require.Equal(t, 1, all.Weeks[offboarding.OverviewWeeks-1].Offboarded)
	s.as(s.Admin).get(t, "/v1/overview?organization="+s.ID).into(t, 200, &own)
	require.Zero(t, own.Weeks[offboarding.OverviewWeeks-1].Offboarded)
	s.as(below.Admin).get(t, "/v1/overview").into(t, 200, &there)
	all.At = there.At
	require.Equal(t, there, all)
	p := s.as(below.Admin).get(t, "/v1/overview?organization="+s.ID).want(t, 400, offboarding.CodeInvalidArgument)
	require.Equal(t, "organization", p.Errors[0].Field)
}
