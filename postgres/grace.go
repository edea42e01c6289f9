package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"handover/offboarding"
)

// AuthorizeTransfer judges a transfer-documents and changes nothing.
func (s *Store) AuthorizeTransfer(
	ctx context.Context, in offboarding.AuthorizeTransferInput,
) (offboarding.TransferAuthorized, error) {
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.TransferAuthorized, error) {
		var out offboarding.TransferAuthorized
		m := in.Message
		var f offboarding.TransferFacts
		var err error
		if f.Admin, err = t.actor(m.AdminID, c.OrganizationID, "admin_id"); err != nil {
			return out, err
		}
		if f.Leaver, err = t.memberByID(c.MemberID, selectMember); err != nil {
			return out, err
		}
		if f.NewOwner, err = t.newOwner(m.NewOwnerID, c, f); err != nil {
			return out, err
		}
		if f.NotOwned, err = t.notOwned(c, m.DocumentIDs); err != nil {
			return out, err
		}
		if err := offboarding.JudgeTransfer(f); err != nil {
			return out, err
		}
		return offboarding.TransferAuthorized{AdminID: f.Admin.Member.ID, NewOwnerID: f.NewOwner.ID}, nil
	})
}

// newOwner is whom a transfer names: the admin where nobody is named, the
// leaver's manager for "manager" (rule N2).
func (t *tx) newOwner(ref string, c *caseRow, f offboarding.TransferFacts) (*offboarding.Member, error) {
	switch ref {
	case "":
		return f.Admin.Member, nil
	case offboarding.NewOwnerManager:
		return t.memberByID(f.Leaver.ManagerID, selectMember)
	}
	return t.member(ref, c.OrganizationID, "new_owner_id")
}

// notOwned counts those of the documents that the leaver does not own.
func (t *tx) notOwned(c *caseRow, ids []string) (int, error) {
	distinct := map[string]bool{}
	for _, id := range ids {
		if uuid.Validate(id) != nil || len(id) != 36 {
			return len(ids), nil
		}
		distinct[strings.ToLower(id)] = true
	}
	if len(ids) == 0 {
		return 0, nil
	}
	var owned int
	err := t.get(&owned, `SELECT count(*) FROM documents WHERE owner_id = $1 AND id = ANY ($2::uuid[])`, c.MemberID, pq.Array(ids))
	return len(distinct) - owned, err
}

// ExtendGrace moves the end of the grace period later.
func (s *Store) ExtendGrace(ctx context.Context, in offboarding.ExtendGraceInput) (offboarding.Outcome, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		none := offboarding.Outcome{}
		f, err := t.actingOn(c, in.Message.AdminID)
		if err != nil {
			return none, err
		}
		if err := f.refusal(offboarding.JudgeAdmin(f.Actor)); err != nil {
			return none, err
		}
		if c.Phase != offboarding.PhaseGrace {
			return none, wrongPhase(c)
		}
		until, err := offboarding.ParseUntil(in.Message.Until, f.zone, in.At)
		if err != nil {
			return none, err
		}
		if !until.After(*c.GraceEndsAt) {
			return none, offboarding.Refuse("", offboarding.CodeInvalidArgument, "until", "until must be later than the grace's present end")
		}
		if _, err := t.exec(startGrace, c.ID, until); err != nil {
			return none, err
		}
		return offboarding.Outcome{Outcome: offboarding.OutcomeExtended, At: &until}, t.audit(c, in.At, change{
			event: offboarding.EventExtendGrace, actor: f.Member.ID,
			before: state{"grace_ends_at": c.GraceEndsAt.UTC()}, after: state{"grace_ends_at": until},
		})
	})
}

// Reschedule moves the effective time of a case that still waits for it.
func (s *Store) Reschedule(ctx context.Context, in offboarding.RescheduleInput) (offboarding.Outcome, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		none := offboarding.Outcome{}
		f, err := t.actingOn(c, in.Message.AdminID)
		if err != nil {
			return none, err
		}
		if err := f.refusal(offboarding.JudgeAuthority(f.Actor, f.leaver)); err != nil {
			return none, err
		}
		if c.Phase != offboarding.PhaseScheduled {
			return none, wrongPhase(c)
		}
		at, err := offboarding.EffectiveTime(in.Message.EffectiveAt, f.zone, in.At)
		if err != nil {
			return none, err
		}
		if _, err := t.exec(`UPDATE cases SET effective_at = $2 WHERE id = $1`, c.ID, at); err != nil {
			return none, err
		}
		return offboarding.Outcome{Outcome: offboarding.OutcomeRescheduled, At: &at}, t.audit(c, in.At, change{
			event: offboarding.EventRescheduleOffboarding, actor: f.Member.ID,
			before: state{"effective_at": c.EffectiveAt.UTC()}, after: state{"effective_at": at},
		})
	})
}

// Cancel ends a case that still waits for its effective time.
func (s *Store) Cancel(ctx context.Context, in offboarding.CancelInput) (offboarding.Outcome, error) {
	return changing(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Outcome, error) {
		none := offboarding.Outcome{}
		f, err := t.actingOn(c, in.Message.AdminID)
		if err != nil {
			return none, err
		}
		if err := f.refusal(offboarding.JudgeAuthority(f.Actor, f.leaver)); err != nil {
			return none, err
		}
		if c.Phase != offboarding.PhaseScheduled {
			return none, wrongPhase(c)
		}
		after := state{"phase": offboarding.PhaseCanceled, "reason": in.Message.Reason}
		const update = `UPDATE cases SET phase = 'canceled', closed_at = $2 WHERE id = $1`
		if _, err := t.exec(update, c.ID, in.At); err != nil {
			return none, err
		}
		return offboarding.Outcome{Outcome: offboarding.OutcomeCanceled}, t.audit(c, in.At, change{
			event: offboarding.EventCancelOffboarding, actor: f.Member.ID, before: state{"phase": c.Phase}, after: after,
		})
	})
}

// acting is an admin who sends a message to a case.
type acting struct {
	offboarding.Actor
	leaver *offboarding.Member
	zone   string // in which the message's dates are meant (rule L1)
}

func (t *tx) actingOn(c *caseRow, adminRef string) (acting, error) {
	var a acting
	var err error
	if a.Actor, err = t.actor(adminRef, c.OrganizationID, "admin_id"); err != nil {
		return a, err
	}
	if a.leaver, err = t.memberByID(c.MemberID, selectMember); err != nil {
		return a, err
	}
	if a.zone = a.leaver.TimeZone; a.zone == "" {
		err = t.get(&a.zone, `SELECT time_zone FROM organizations WHERE id = $1`, c.OrganizationID)
	}
	return a, err
}

func (a acting) refusal(violations []offboarding.Violation) error {
	for i := range violations {
		violations[i].Field = "admin_id"
	}
	return offboarding.RefusalOf(violations)
}

// Remind records a reminder and says what to tell whom.
func (s *Store) Remind(ctx context.Context, in offboarding.ReminderInput) (offboarding.Notice, error) {
	return working(ctx, s, in.Step, func(t *tx, c *caseRow) (offboarding.Notice, error) {
		n := offboarding.Notice{
			Key: c.ID + "/" + in.Name, Kind: offboarding.EventRemindGraceEnding, OrganizationID: c.OrganizationID,
			CaseID: c.ID, MemberID: c.MemberID, GraceEndsAt: in.GraceEndsAt,
		}
		if err := t.get(&n.ManagerID, `SELECT coalesce(manager_id::text, '') FROM members WHERE id = $1`, c.MemberID); err != nil {
			return n, err
		}
		if err := t.get(&n.Unowned, countUnowned, c.MemberID); err != nil {
			return n, err
		}
		return n, t.audit(c, in.At, change{event: offboarding.EventRemindGraceEnding, after: state{
			"hours_before": int(in.Lead / time.Hour), "grace_ends_at": in.GraceEndsAt, "unowned": n.Unowned,
		}})
	})
}

const updateTrouble = `UPDATE cases SET trouble_step = $2, trouble_attempt = $3, trouble_error = $4, trouble_since = $5 WHERE id = $1`

// RecordTrouble shows in the lists that a case cannot go on, or with nil that it
// does again. It is no change of the case and has no event.
func (s *Store) RecordTrouble(ctx context.Context, in offboarding.TroubleInput) error {
	return s.inTx(ctx, "record trouble", func(t *tx) error {
		var trouble offboarding.Trouble
		var since *time.Time
		if in.Trouble != nil {
			trouble, since = *in.Trouble, &in.Trouble.Since
		}
		_, err := t.exec(updateTrouble, in.CaseID, trouble.Step, trouble.Attempt, trouble.LastError, since)
		return err
	})
}
