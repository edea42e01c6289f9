package activities

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"handover/offboarding"
)

// Notifier tells people. It may be handed the same notice more than once and
// deduplicates by its key. What cannot reach its recipient at all is not an error:
// an error is tried again until there is none or the case has closed.
type Notifier interface {
	Notify(context.Context, offboarding.Notice) error
}

const (
	noticeBatch   = 100              // handed over between two marks
	noticeTimeout = 10 * time.Second // for one notice, shorter than the heartbeat timeout
	// After so many failures in a row the notifier is taken to be out of order.
	failuresInARow = 10
)

// SendNotices hands the notices of a case that have not been sent to the notifier
// and marks those that it took. A notice that it does not take holds up no other;
// another attempt goes on with what is not marked.
func (a *Activities) SendNotices(ctx context.Context, in offboarding.Step) (int, error) {
	sent, failed, inARow := 0, 0, 0
	for cursor := ""; ; {
		batch, err := a.store.UnsentNotices(ctx, in.CaseID, cursor, noticeBatch)
		if err != nil {
			return sent, err
		}
		taken := make([]string, 0, len(batch))
		for _, notice := range batch {
			if ctx.Err() != nil || inARow == failuresInARow {
				break
			}
			if a.notify(ctx, notice) != nil {
				failed++
				inARow++
			} else {
				taken = append(taken, notice.Key)
				inARow = 0
			}
			activity.RecordHeartbeat(ctx, sent+len(taken))
		}
		// Also those that were taken while the worker was told to stop.
		if err := a.store.MarkSent(context.WithoutCancel(ctx), taken, in.At); err != nil {
			return sent, err
		}
		sent += len(taken)
		switch {
		case ctx.Err() != nil:
			return sent, ctx.Err()
		case inARow == failuresInARow || len(batch) < noticeBatch && failed > 0:
			return sent, notTaken(failed, sent)
		case len(batch) < noticeBatch:
			return sent, nil
		}
		cursor = batch[len(batch)-1].Key
	}
}

// notTaken does not say why: the text of a notifier's error may hold an address.
func notTaken(failed, sent int) error {
	return temporal.NewApplicationError(fmt.Sprintf("the notifier did not take %d of %d notices", failed, failed+sent), "notifier")
}

func (a *Activities) notify(ctx context.Context, notice offboarding.Notice) error {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	return a.notifier.Notify(ctx, notice)
}

// Notify hands over the one notice of a reminder that an earlier build recorded.
func (a *Activities) Notify(ctx context.Context, notice offboarding.Notice) error {
	addressed, ok := notice.Addressed()
	if ok && a.notify(ctx, addressed) != nil {
		return notTaken(1, 0)
	}
	return nil
}

// LogNotifier writes notices to the log, IDs only: for set-ups that have no
// other way to reach people, and a place to collect them from.
type LogNotifier struct{ Log *slog.Logger }

// Notify writes one line.
func (n LogNotifier) Notify(ctx context.Context, notice offboarding.Notice) error {
	about := []any{
		"key", notice.Key, "kind", notice.Kind, "organization_id", notice.OrganizationID, "case_id", notice.CaseID,
		"member_id", notice.MemberID, "recipient_id", notice.RecipientID, "reason", notice.Reason,
		"documents", notice.Documents, "grace_ends_at", notice.GraceEndsAt,
	}
	if notice.RequestID != "" {
		about = append(about, "request_id", notice.RequestID, "document_id", notice.DocumentID,
			"requester_id", notice.RequesterID, "requested_at", notice.RequestedAt)
	}
	n.Log.InfoContext(ctx, "notice", about...)
	return nil
}
