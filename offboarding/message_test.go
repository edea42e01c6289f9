package offboarding_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestMessagesCheckTheirForm(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", offboarding.MaxNote+1)
	tests := map[string]struct {
		message interface {
			Check() []offboarding.Violation
		}
		want []string
	}{
		"claim":           {&offboarding.ClaimRequest{DocumentID: "d", MemberID: "m", Note: long[1:]}, nil},
		"claim only":      {&offboarding.ClaimRequest{DocumentID: "d", MemberID: "m", As: "claim"}, nil},
		"request only":    {&offboarding.ClaimRequest{DocumentID: "d", MemberID: "m", As: "request"}, nil},
		"neither of them": {&offboarding.ClaimRequest{DocumentID: "d", MemberID: "m", As: "Claim"}, []string{"C1 invalid_argument as"}},
		"empty claim":     {&offboarding.ClaimRequest{Note: long}, []string{"invalid_argument document_id", "invalid_argument member_id", "invalid_argument note"}},
		"NUL in a claim":  {&offboarding.ClaimRequest{DocumentID: "\x00", MemberID: "external:\x00", Note: "\xff"}, []string{"invalid_argument document_id", "invalid_argument member_id", "invalid_argument note"}},
		"approval":        {&offboarding.AdminApproval{RequestID: "r", AdminID: "a", Decision: "approve", NewOwnerID: "n"}, nil},
		"rejection":       {&offboarding.AdminApproval{RequestID: "r", AdminID: "a", Decision: "reject", NewOwnerID: "n"}, []string{"C3 invalid_argument new_owner_id"}},
		"empty decision":  {&offboarding.AdminApproval{NewOwnerID: "\x00", Note: long}, []string{"invalid_argument request_id", "invalid_argument admin_id", "C3 invalid_argument decision", "invalid_argument new_owner_id", "invalid_argument note"}},
		"transfer of all": {&offboarding.TransferDocuments{AdminID: "a"}, nil},
		"empty transfer":  {&offboarding.TransferDocuments{NewOwnerID: "\x00", DocumentIDs: []string{"d", "", ""}}, []string{"invalid_argument admin_id", "invalid_argument new_owner_id", "invalid_argument document_ids"}},
		"long transfer":   {&offboarding.TransferDocuments{AdminID: "a", DocumentIDs: strings.Split(strings.Repeat("d,", offboarding.MaxDocumentsNamed)+"d", ",")}, []string{"invalid_argument document_ids"}},
		"extension":       {&offboarding.ExtendGrace{AdminID: "a", Until: "2026-04-01"}, nil},
		"empty extension": {&offboarding.ExtendGrace{}, []string{"invalid_argument admin_id", "invalid_argument until"}},
		"reschedule":      {&offboarding.Reschedule{AdminID: "a", EffectiveAt: "2026-04-01"}, nil},
		"no reschedule":   {&offboarding.Reschedule{}, []string{"invalid_argument admin_id", "invalid_argument effective_at"}},
		"cancel":          {&offboarding.Cancel{AdminID: "a"}, nil},
		"empty cancel":    {&offboarding.Cancel{Reason: long}, []string{"invalid_argument admin_id", "invalid_argument reason"}},
		"reactivate":      {&offboarding.Reactivate{AdminID: "a"}, nil},
		"by nobody":       {&offboarding.Reactivate{}, []string{"invalid_argument admin_id"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, brokenBy(tt.message.Check()))
		})
	}
}
