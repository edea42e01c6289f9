package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// A table that is away is what a database in trouble looks like to every step
// that needs it; the cases stay readable, so that the lists can show it.
func TestCaseThatCannotGoOnSaysSoUntilItDoes(t *testing.T) {
	t.Parallel()
	for step, c := range map[string]struct {
		table   string
		broken  time.Duration // when
		arrange func(*offboarding.Request)
		act     func(*scene, string)
	}{
		"revoke":     {"credentials", day, func(r *offboarding.Request) { r.EffectiveAt = at(2 * day) }, nil},
		"deactivate": {"sessions", day, func(r *offboarding.Request) { r.EffectiveAt = at(2 * day) }, nil},
		"remind":     {"documents", 3 * day, nil, nil},
		"end-grace":  {"audit_events", 6*day + time.Hour, nil, nil},
		"claim-request": {"grants", day, nil, func(s *scene, document string) {
			s.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: s.Manager})
		}},
		"extend-grace": {"audit_events", day, nil, func(s *scene, _ string) {
			s.signal(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: at(8 * day)})
		}},
		"transfer-documents": {"documents", day, nil, func(s *scene, document string) {
			s.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, DocumentIDs: []string{document}})
		}},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			if step == "deactivate" {
				step = "revoke" // both revoke; the first of them meets it
			}
			s := newScene(t)
			s.Credential(s.Leaver)
			document := s.Document(s.Leaver, "")
			s.Document(s.Leaver, "")
			s.Grant(document, s.Manager, offboarding.GrantEdit)
			s.lasting(12 * day)
			s.after(c.broken, func() {
				s.breakTable(c.table)
				if c.act != nil {
					c.act(s, document)
				}
			})
			var first *offboarding.Trouble
			s.after(c.broken+30*time.Hour, func() {
				first = s.status().Trouble
				require.NotNil(t, first)
				require.Equal(t, step, first.Step)
				// The suite times out retries of local activities, whose clock is behind the
				// machine's; TestStatusOnAServerSaysWhatFails sees the error itself.
				require.Regexp(t, `^(timed out|.+: database error 42P01 \(undefined_table\))$`, first.LastError)
			})
			s.after(c.broken+31*time.Hour, func() {
				trouble := s.status().Trouble
				require.Greater(t, trouble.Attempt, first.Attempt)
				require.Equal(t, first.Since, trouble.Since)
				require.Equal(t, trouble.LastError, s.Text(`SELECT trouble_error FROM cases`))
				require.Equal(t, step, s.Text(`SELECT trouble_step FROM cases`))
				require.Equal(t, trouble.Attempt, s.Count(`SELECT trouble_attempt FROM cases`))
				s.repairTable(c.table)
			})
			cleared := false
			s.after(c.broken+32*time.Hour, func() {
				cleared = true
				require.Nil(t, s.status().Trouble)
				require.Equal(t, "0", s.Text(`SELECT trouble_attempt FROM cases WHERE trouble_error = '' AND trouble_since IS NULL`))
			})
			s.run(c.arrange)
			require.True(t, cleared)
			require.Empty(t, s.status().RefusedMessages)
			require.Equal(t, s.Count(`SELECT count(DISTINCT (event, subject_id, after)) FROM audit_events`),
				s.Count(`SELECT count(*) FROM audit_events`), "nothing is done twice")
		})
	}
}
