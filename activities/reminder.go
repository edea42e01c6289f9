package activities

import (
	"context"
	"log/slog"

	"handover/offboarding"
)

// Remind records a reminder in the audit and answers with what to tell whom.
func (a *Activities) Remind(ctx context.Context, in offboarding.ReminderInput) (offboarding.Notice, error) {
	return answer(a.store.Remind(ctx, in))
}

// Notify hands a notice to the notifier.
func (a *Activities) Notify(ctx context.Context, notice offboarding.Notice) error {
	return a.notifier.Notify(ctx, notice)
}

// LogNotifier writes notices to the log, IDs only: for set-ups that have no
// other way to reach people, and a place to collect them from.
type LogNotifier struct{ Log *slog.Logger }

// Notify writes one line.
func (n LogNotifier) Notify(ctx context.Context, notice offboarding.Notice) error {
	n.Log.InfoContext(ctx, "notice",
		"key", notice.Key, "kind", notice.Kind, "organization_id", notice.OrganizationID, "case_id", notice.CaseID,
		"member_id", notice.MemberID, "manager_id", notice.ManagerID, "unowned", notice.Unowned, "grace_ends_at", notice.GraceEndsAt)
	return nil
}
