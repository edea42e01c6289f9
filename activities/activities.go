// Package activities does the work of the workflows: each activity is one
// transaction, or a batch that resumes from its heartbeat. All are idempotent by
// case and step: running one again changes nothing and answers the same.
package activities

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.temporal.io/sdk/temporal"

	"handover/offboarding"
)

// Activities holds what the activities need. Its methods are registered with
// the worker under their own names.
type Activities struct {
	store    Store
	cases    Cases
	notifier Notifier
	log      *slog.Logger
	keys     offboarding.Keyring // nil where nothing has to be signed
}

// New returns the activities on a store, a way to reach cases, and a notifier.
func New(store Store, cases Cases, notifier Notifier, log *slog.Logger) *Activities {
	return &Activities{store: store, cases: cases, notifier: notifier, log: log}
}

// Store keeps organizations, members, documents and cases. Each method is one
// transaction. Errors are *offboarding.Refusal where a rule says no; everything
// else is worth another try.
type Store interface {
	Admit(context.Context, offboarding.AdmitInput) (offboarding.Admission, error)
	Revoke(context.Context, offboarding.RevokeInput) (offboarding.Revoked, error)
	CheckSessions(context.Context, offboarding.Step) (offboarding.SessionsChecked, error)
	Deactivate(context.Context, offboarding.Step) (offboarding.Deactivated, error)
	ArchiveMember(context.Context, offboarding.Step) (archived bool, err error)
	FallBack(context.Context, offboarding.Step) (offboarding.Plan, error)
	Advance(context.Context, offboarding.AdvanceInput) (offboarding.Advanced, error)
	Settle(context.Context, offboarding.SettleInput) (offboarding.Settled, error)
	Fail(context.Context, offboarding.FailInput) error

	Claim(context.Context, offboarding.ClaimInput) (offboarding.Outcome, error)
	Decide(context.Context, offboarding.DecideInput) (offboarding.Outcome, error)
	AuthorizeTransfer(context.Context, offboarding.AuthorizeTransferInput) (offboarding.TransferAuthorized, error)
	ExtendGrace(context.Context, offboarding.ExtendGraceInput) (offboarding.Outcome, error)
	Reschedule(context.Context, offboarding.RescheduleInput) (offboarding.Outcome, error)
	Cancel(context.Context, offboarding.CancelInput) (offboarding.Outcome, error)
	AuthorizeReactivation(context.Context, offboarding.ReactivateInput) (actorID string, err error)
	ReactivateMember(context.Context, offboarding.ReactivateInput) (offboarding.Outcome, error)
	CloseReactivated(context.Context, offboarding.Step) error
	CheckReactivation(context.Context, offboarding.BeginReactivationInput) error
	BeginReactivation(context.Context, offboarding.BeginReactivationInput) (offboarding.ReactivationBegun, error)
	// Sent sends a message to a case, and keeps what it came to as a step of nobody's case.
	Sent(context.Context, offboarding.Step, func() (offboarding.ReactivateSent, error)) (offboarding.ReactivateSent, error)
	BeginDeletion(context.Context, offboarding.BeginDeletionInput) (offboarding.DeletionBegun, error)
	// StillToDelete refuses where the member has come back since a deletion was asked for.
	StillToDelete(ctx context.Context, deletionID, memberID string) error
	EraseMember(context.Context, offboarding.BeginDeletionInput) (offboarding.Erased, error)

	// The sweeps do one batch after the cursor and say how far they came in it.
	TransferBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error)
	ArchiveBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error)
	LockBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error)
	RestoreBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error)
	ReturnBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error)
	GrantBatch(ctx context.Context, in offboarding.SweepInput, cursor string) (offboarding.Sweep, error)

	Remind(context.Context, offboarding.ReminderInput) (offboarding.Reminded, error)
	Escalate(context.Context, offboarding.Step) (offboarding.Escalated, error)
	// UnsentNotices lists notices of a case in the order of their keys, after the cursor.
	UnsentNotices(ctx context.Context, caseID, cursor string, limit int) ([]offboarding.Notice, error)
	MarkSent(ctx context.Context, keys []string, at time.Time) error
	RecordTrouble(context.Context, offboarding.TroubleInput) error

	// UseSignature keeps that something signed was sent under an ID, and answers what it
	// was handled as, this time or the first.
	UseSignature(ctx context.Context, id string, sent offboarding.Sent) (handledAs string, err error)
	// Begun reports whether the start has been heard of a workflow whose case, or whose
	// steps where it has none, go by this ID.
	Begun(ctx context.Context, caseID string) (bool, error)

	BulkStore
}

// Cases reaches the workflows of cases: for work on many members at once, which
// would make a workflow's own history too long.
type Cases interface {
	// StartCase starts a member's case, or finds it running, and waits for nothing.
	StartCase(context.Context, offboarding.Request) error
	// OffboardCase starts a member's case, or finds it running, and answers as soon as
	// the member is inactive, or the case waits; the same updateID acts once.
	OffboardCase(ctx context.Context, updateID string, r offboarding.Request) (offboarding.Status, error)
	// ReactivateCase sends reactivate to an open case; the same updateID acts once.
	ReactivateCase(ctx context.Context, workflowID, updateID string, m offboarding.Reactivate) (offboarding.Outcome, error)

	Runs
}

// answer turns a refusal into an application error that is not retried and has
// the rule's code as its type; every other error is retried, its text cleaned by
// the store.
func answer[T any](result T, err error) (T, error) {
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		return result, RefusalError(refusal)
	}
	return result, err
}

// RefusalError is the Temporal form of a refusal.
func RefusalError(refusal *offboarding.Refusal) error {
	return temporal.NewApplicationErrorWithOptions(refusal.Error(), string(refusal.Code()), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{*refusal},
	})
}

// RefusalFrom finds the refusal in an error that came through Temporal, nil when
// there is none.
func RefusalFrom(err error) *offboarding.Refusal {
	var refusal *offboarding.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !app.NonRetryable() {
		return nil
	}
	var detail offboarding.Refusal
	if app.HasDetails() && app.Details(&detail) == nil && len(detail.Violations) > 0 {
		return &detail
	}
	return nil
}
