package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"handover/offboarding"
)

// caseRow is a case as the steps see it, locked until the transaction ends.
type caseRow struct {
	ID               string                  `db:"id"`
	WorkflowID       string                  `db:"workflow_id"`
	OrganizationID   string                  `db:"organization_id"`
	WorkspaceID      string                  `db:"workspace_id"` // of a removal, "" for the whole organization
	MemberID         string                  `db:"member_id"`
	RequestedBy      string                  `db:"requested_by"`
	Provider         string                  `db:"provider"`
	Origin           string                  `db:"origin"`
	Phase            offboarding.Phase       `db:"phase"`
	Disposition      offboarding.Disposition `db:"disposition"`
	NewOwnerID       string                  `db:"new_owner_id"`
	FallbackReason   string                  `db:"fallback_reason"`
	ArchiveSchedules bool                    `db:"archive_schedules"`
	GraceSeconds     int64                   `db:"grace_period_seconds"`
	EffectiveAt      time.Time               `db:"effective_at"`
	RevokedAt        *time.Time              `db:"revoked_at"`
	SessionsEndAt    *time.Time              `db:"sessions_end_at"`
	DeactivatedAt    *time.Time              `db:"deactivated_at"`
	GraceEndsAt      *time.Time              `db:"grace_ends_at"`
	ClosedAt         *time.Time              `db:"closed_at"`
	Reactivation     string                  `db:"reactivation"` // JSON, "" for none
	Stored           sql.NullString          `db:"stored"`       // outcome of the step, where it was done before
}

func (c *caseRow) plan() offboarding.Plan {
	return offboarding.Plan{
		Disposition: c.Disposition, NewOwnerID: c.NewOwnerID, ArchiveSchedules: c.ArchiveSchedules,
		EffectiveAt: c.EffectiveAt.UTC(), GracePeriod: time.Duration(c.GraceSeconds) * time.Second, FallbackReason: c.FallbackReason,
	}
}

const caseColumns = `c.id, c.workflow_id, c.organization_id, coalesce(c.workspace_id::text, '') AS workspace_id, c.member_id, c.requested_by, c.origin, c.phase, c.disposition,
	coalesce(c.new_owner_id::text, '') AS new_owner_id, c.fallback_reason, c.archive_schedules, c.grace_period_seconds,
	c.effective_at, c.provider, c.revoked_at, c.sessions_end_at, c.deactivated_at, c.grace_ends_at, c.closed_at, coalesce(c.reactivation::text, '') AS reactivation`

const selectCaseOfStep = `SELECT ` + caseColumns + `,
	(SELECT s.outcome FROM case_steps s WHERE s.case_id = c.id AND s.step = $2) AS stored
	FROM cases c WHERE c.id = $1`

// How a case is locked by who changes it, and by who works on what it is about.
const (
	forCaseChange = ` FOR NO KEY UPDATE OF c`
	forCaseWork   = ` FOR SHARE OF c`
)

// stored is what a step came to: an answer or a refusal.
type stored struct {
	OK      json.RawMessage      `json:"ok,omitempty"`
	Refusal *offboarding.Refusal `json:"refusal,omitempty"`
}

// changing runs a step that changes the case itself; nothing else works on the
// case meanwhile.
func changing[T any](ctx context.Context, s *Store, step offboarding.Step, fn func(*tx, *caseRow) (T, error)) (T, error) {
	return once(ctx, s, step, forCaseChange, fn)
}

// working runs a step that changes documents or requests; others may do so at
// the same time, but the case keeps its phase meanwhile.
func working[T any](ctx context.Context, s *Store, step offboarding.Step, fn func(*tx, *caseRow) (T, error)) (T, error) {
	return once(ctx, s, step, forCaseWork, fn)
}

// once runs a step in one transaction together with the record that it was
// done. A step done before, a refusal too, is answered from that record.
func once[T any](
	ctx context.Context, s *Store, step offboarding.Step, lock string, fn func(*tx, *caseRow) (T, error),
) (T, error) {
	return kept(ctx, s, step, func(t *tx) (string, func() (T, error), error) { return loaded(t, step, lock, fn) })
}

// loaded is what kept asks for of a step of a case, which it loads and locks.
func loaded[T any](t *tx, step offboarding.Step, lock string, fn func(*tx, *caseRow) (T, error)) (string, func() (T, error), error) {
	var c caseRow
	found, err := t.find(&c, selectCaseOfStep+lock, step.CaseID, step.Name)
	if err == nil && !found {
		err = offboarding.Refuse("", offboarding.CodeCaseNotFound, "case_id", "there is no such case")
	}
	return c.Stored.String, func() (T, error) { return fn(t, &c) }, err
}

// outside runs a step that belongs to no case, or not to one yet; step.CaseID is
// the ID of the workflow whose step it is.
func outside[T any](ctx context.Context, s *Store, step offboarding.Step, fn func(*tx) (T, error)) (T, error) {
	return kept(ctx, s, step, func(t *tx) (string, func() (T, error), error) {
		var outcome string
		_, err := t.find(&outcome, selectOutcome, step.CaseID, step.Name)
		return outcome, func() (T, error) { return fn(t) }, err
	})
}

// kept does what once says; load answers with the record of the step, "" where it
// has not been done, and with what does it.
func kept[T any](
	ctx context.Context, s *Store, step offboarding.Step, load func(*tx) (record string, do func() (T, error), err error),
) (T, error) {
	var out T
	recorded := false
	err := s.inTx(ctx, step.Name, func(t *tx) error {
		record, do, err := load(t)
		if err != nil {
			return err
		}
		if record != "" {
			recorded = true
			return decode(record, &out)
		}
		if out, err = do(); err != nil {
			return err
		}
		return t.record(step, stored{OK: mustJSON(out)})
	})
	var refusal *offboarding.Refusal
	if !recorded && errors.As(err, &refusal) && refusal.Code() != offboarding.CodeCaseNotFound {
		recordErr := s.inTx(ctx, step.Name, func(t *tx) error { return t.record(step, stored{Refusal: refusal}) })
		if recordErr != nil {
			err = recordErr
		}
	}
	if errors.Is(err, errStepDone) {
		// Another run of the same step was faster. What it came to is the answer,
		// and not what this run made of the state that it left.
		out = *new(T)
		err = s.inTx(ctx, step.Name, func(t *tx) error {
			var outcome string
			if err := t.get(&outcome, selectOutcome, step.CaseID, step.Name); err != nil {
				return err
			}
			return decode(outcome, &out)
		})
	}
	return out, err
}

// Sent sends a message whose answer is a step that belongs to no case. Who has died before
// that was kept sends it again: it acts once by its ID.
func (s *Store) Sent(
	ctx context.Context, step offboarding.Step, send func() (offboarding.ReactivateSent, error),
) (offboarding.ReactivateSent, error) {
	var out offboarding.ReactivateSent
	if step.CaseID == "" { // asked for by an older build
		return send()
	}
	var outcome string
	if found, err := s.find(ctx, &outcome, selectOutcome, step.CaseID, step.Name); err != nil {
		return out, clean(step.Name, err)
	} else if found {
		return out, decode(outcome, &out)
	}
	out, err := send()
	if out.Gone || err != nil && offboarding.CodeOf(err) == "" {
		return out, err
	}
	return outside(ctx, s, step, func(*tx) (offboarding.ReactivateSent, error) { return out, err })
}

const (
	selectOutcome = `SELECT outcome FROM case_steps WHERE case_id = $1 AND step = $2`
	insertStep    = `INSERT INTO case_steps (case_id, step, outcome, at) VALUES ($1, $2, $3, $4)`
)

// errStepDone says that the step was recorded by another run meanwhile.
const errStepDone = sentinel("the step was done meanwhile")

func (t *tx) record(step offboarding.Step, outcome stored) error {
	_, err := t.exec(insertStep, step.CaseID, step.Name, string(mustJSON(outcome)), step.At)
	if violates(err, "case_steps_pkey") {
		return errStepDone
	}
	return err
}

func decode[T any](text string, out *T) error {
	var s stored
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("the record of a step cannot be read: %w", err)
	}
	if s.Refusal != nil {
		return s.Refusal
	}
	return json.Unmarshal(s.OK, out)
}

// mustJSON marshals what is made of our own plain types, which cannot fail.
func mustJSON(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
