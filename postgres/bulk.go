package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
)

// bulkRow is a member of a run's list that has not been processed.
type bulkRow struct {
	Position  int    `db:"position"`
	Reference string `db:"reference"`
	MemberID  string `db:"member_id"` // "" for nobody
	Request   string `db:"request"`   // JSON
	start     offboarding.Request
}

// bulkDone is what became of a member, as bulk_members keeps it.
type bulkDone struct {
	Position   int                     `json:"position"`
	Result     offboarding.BulkOutcome `json:"result"`
	CaseID     string                  `json:"case_id,omitempty"`
	ToStart    bool                    `json:"to_start"`
	Violations []offboarding.Violation `json:"violations,omitempty"`
	Error      string                  `json:"error"`
}

// selectBulkRun counts the members of each run by what became of them. A case that
// has closed needs nobody who takes it over.
const selectBulkRun = `SELECT r.id, r.workflow_id, r.organization_id, r.requested_by, r.all_or_nothing, r.rate, r.phase, r.created_at,
	r.access_gone_at, r.canceled_at, r.closed_at, r.origin, n.total AS "counts.total", n.pending AS "counts.pending",
	n.started AS "counts.started", n.scheduled AS "counts.scheduled", n.existing AS "counts.existing", n.refused AS "counts.refused",
	n.failed AS "counts.failed", n.canceled AS "counts.canceled", n.not_started AS "counts.not_started", n.cases AS "counts.cases",
	n.unstarted AS "counts.unstarted", n.running AS "counts.running"
	FROM bulk_runs r JOIN LATERAL (
	SELECT count(*) AS total, count(*) FILTER (WHERE b.result = 'pending') AS pending, count(*) FILTER (WHERE b.result = 'started') AS started,
		count(*) FILTER (WHERE b.result = 'scheduled') AS scheduled, count(*) FILTER (WHERE b.result = 'existing') AS existing,
		count(*) FILTER (WHERE b.result = 'refused') AS refused, count(*) FILTER (WHERE b.result = 'failed') AS failed,
		count(*) FILTER (WHERE b.result = 'canceled') AS canceled, count(*) FILTER (WHERE b.result = 'not_started') AS not_started,
		count(*) FILTER (WHERE b.to_start) AS cases,
		count(*) FILTER (WHERE b.to_start AND b.running_at IS NULL AND c.closed_at IS NULL AND b.started_at IS NULL) AS unstarted,
		count(*) FILTER (WHERE b.to_start AND (b.running_at IS NOT NULL OR c.closed_at IS NOT NULL)) AS running
	FROM bulk_members b LEFT JOIN LATERAL (SELECT closed_at FROM cases WHERE b.to_start AND b.running_at IS NULL AND id = b.case_id LIMIT 1) c ON true
	WHERE b.bulk_id = r.id) n ON true`

// bulkRun is a run as its steps see it.
type bulkRun struct {
	offboarding.BulkRun
	Origin string `db:"origin"`
}

// selectRun counts nothing.
const (
	selectRun = `SELECT id, workflow_id, organization_id, requested_by, all_or_nothing, rate, phase, created_at, access_gone_at, canceled_at,
	closed_at, origin FROM bulk_runs WHERE id = $1`
	lockRun    = selectRun + ` FOR NO KEY UPDATE`
	countedRun = selectBulkRun + ` WHERE r.id = $1`
)

// run reads a run; a query that locks it keeps everybody else from working on it.
func (t *tx) run(id, query string) (bulkRun, error) {
	var r bulkRun
	found, err := t.find(&r, query, id)
	if err == nil && !found {
		err = offboarding.Refuse("B1", offboarding.CodeCaseNotFound, "bulk_id", "there is no such run")
	}
	utc(bulkTimes(&r.BulkRun))
	return r, err
}

func bulkTimes(r *offboarding.BulkRun) []*time.Time {
	return []*time.Time{&r.CreatedAt, r.AccessGoneAt, r.CanceledAt, r.ClosedAt}
}

// errRunOpened says that another start opened the run meanwhile.
const errRunOpened = sentinel("the run was opened meanwhile")

const insertRun = `INSERT INTO bulk_runs (id, workflow_id, organization_id, requested_by, origin, all_or_nothing, rate, phase, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

// AdmitBulk judges a run and writes it with its whole list, or answers with the
// run that has that ID already. What is wrong with a member is kept with the
// member.
func (s *Store) AdmitBulk(ctx context.Context, in offboarding.BulkAdmitInput) (offboarding.BulkRun, error) {
	var out bulkRun
	in.At = in.At.Truncate(time.Microsecond)
	admit := func() error {
		return s.inTx(ctx, "admit a bulk run", func(t *tx) (err error) {
			if err = t.admitBulk(in); err == nil && in.CaseID != "" {
				_, err = t.exec(insertTaken, in.CaseID, in.At)
			}
			if err == nil {
				out, err = t.run(in.BulkID, countedRun)
			}
			return err
		})
	}
	err := admit()
	if errors.Is(err, errRunOpened) {
		err = admit() // finds it now
	}
	if err != nil && !in.Before {
		err = s.staysRefused(ctx, offboarding.Step{CaseID: in.CaseID, Name: stepRefused, At: in.At}, in.Sent, err)
	}
	return out.BulkRun, err
}

func (t *tx) admitBulk(in offboarding.BulkAdmitInput) error {
	r := &in.Request
	actor, err := t.bulkActor(r)
	if err != nil {
		return err
	}
	var run bulkRun
	if found, err := t.find(&run, selectRun, in.BulkID); err != nil {
		return err
	} else if found {
		if actor == nil || actor.OrganizationID != run.OrganizationID || run.WorkflowID != in.WorkflowID {
			return offboarding.Refuse("B1", offboarding.CodeInvalidArgument, "bulk_id", "another run has that ID")
		}
		return nil
	}
	if in.Before {
		return t.before(in.CaseID)
	}
	violations := offboarding.CheckBulk(in.BulkID, r)
	violations = append(violations, offboarding.JudgeAdmin(offboarding.Actor{Member: actor, Reach: offboarding.ReachOwn})...)
	if len(violations) > 0 {
		return offboarding.RefusalOf(violations)
	}
	list, err := t.resolve(actor, r, in.At)
	if err != nil {
		return err
	}
	limit, err := t.judgeLimit(r.Confirmed, list)
	if err != nil {
		return err
	}
	if err := offboarding.RefusalOf(limit); err != nil {
		return err
	}
	phase, rate := offboarding.BulkRevoking, r.Rate
	if r.AllOrNothing {
		phase = offboarding.BulkJudging
	}
	if rate == 0 {
		rate = offboarding.DefaultBulkRate
	}
	_, err = t.exec(insertRun, in.BulkID, in.WorkflowID, actor.OrganizationID, actor.ID, r.Origin, r.AllOrNothing, rate, phase, in.At)
	if violates(err, "bulk_runs_pkey") {
		return errRunOpened
	}
	if err != nil {
		return err
	}
	if err := t.writeList(in.BulkID, list); err != nil {
		return err
	}
	run, err = t.run(in.BulkID, selectRun)
	if err != nil {
		return err
	}
	return t.auditBulk(run, in.At, offboarding.EventStartBulk, actor.ID, run.Origin, state{}, state{
		"phase": phase, "members": len(list), "all_or_nothing": r.AllOrNothing, "confirmed": r.Confirmed,
	})
}

func (t *tx) auditBulk(r bulkRun, at time.Time, event, actor, origin string, before, after state) error {
	return t.auditOf(r.OrganizationID, origin, at, change{
		event: event, actor: actor, kind: offboarding.SubjectBulk, subject: r.ID, before: before, after: after,
	})
}

// bulkActor finds who asks for a run. An external ID is looked up where the
// members are that the list names by ID, where they are all of one organization.
func (t *tx) bulkActor(r *offboarding.BulkRequest) (*offboarding.Member, error) {
	if !strings.HasPrefix(r.RequestedBy, externalPrefix) {
		return t.member(r.RequestedBy, "", "requested_by")
	}
	var ids, organizations []string
	for _, m := range r.Members {
		if isID(m.MemberID) {
			ids = append(ids, m.MemberID)
		}
	}
	const query = `SELECT DISTINCT organization_id FROM members WHERE id = ANY ($1::uuid[]) LIMIT 2`
	if err := t.list(&organizations, query, uuidArray(ids)); err != nil {
		return nil, err
	}
	if len(organizations) == 1 {
		actor, err := t.actor(r.RequestedBy, organizations[0], "requested_by")
		return actor.Member, err
	}
	return t.member(r.RequestedBy, "", "requested_by")
}

const (
	markRun = `UPDATE bulk_runs SET phase = $2, access_gone_at = coalesce(access_gone_at, CASE WHEN $2 IN ('starting', 'completed') THEN $3::timestamptz END),
	closed_at = CASE WHEN $2 = 'completed' THEN $3::timestamptz END WHERE id = $1`
	endBulkTrouble = `UPDATE bulk_runs SET trouble_step = '', trouble_attempt = 0, trouble_error = '', trouble_since = NULL WHERE id = $1 AND trouble_step <> ''`
	markCanceled   = `UPDATE bulk_runs SET canceled_at = $2 WHERE id = $1`
	cancelPending  = `UPDATE bulk_members SET result = 'canceled', request = NULL WHERE bulk_id = $1 AND result = 'pending'`
)

// CancelBulk takes off the list who has not been processed. A signed update is judged
// once: the same one again, whatever the list looks like by then, is what the first was.
func (s *Store) CancelBulk(ctx context.Context, in offboarding.BulkCancelInput) (offboarding.BulkRun, error) {
	if !in.Sent.Signed() || in.Sent.Kind != offboarding.KindUpdate {
		return s.bulkStep(ctx, "cancel a bulk run", in.BulkStep, func(t *tx, run bulkRun) error { return t.cancelBulk(in, run) })
	}
	_, err := outside(ctx, s, signedStep(in.Sent.ID, *in.Sent), func(t *tx) (struct{}, error) {
		run, err := t.run(in.BulkID, lockRun)
		if err == nil {
			err = t.keepSigned(*in.Sent)
		}
		if err == nil {
			err = t.cancelBulk(in, run)
		}
		return struct{}{}, err
	})
	if err != nil {
		return offboarding.BulkRun{}, err
	}
	return s.BulkRun(ctx, in.BulkID)
}

func (t *tx) cancelBulk(in offboarding.BulkCancelInput, run bulkRun) error {
	actor, err := t.actor(in.Message.AdminID, run.OrganizationID, "admin_id")
	if err != nil {
		return err
	}
	a := acting{Actor: actor}
	if err := a.refusal(offboarding.JudgeAdmin(actor)); err != nil {
		return err
	}
	if run.CanceledAt != nil {
		return nil // a cancel that comes again
	}
	canceled, err := t.exec(cancelPending, run.ID)
	if err != nil {
		return err
	}
	if canceled == 0 {
		return offboarding.Refuse("B1", offboarding.CodeWrongPhase, "", "everybody on the list has been processed")
	}
	if _, err := t.exec(markCanceled, run.ID, in.At); err != nil {
		return err
	}
	return t.auditBulk(run, in.At, offboarding.EventCancelBulk, actor.Member.ID, in.Message.Origin, state{"phase": run.Phase},
		state{"canceled": canceled, "reason": in.Message.Reason})
}

// AdvanceBulk moves a run on whose members have all been processed.
func (s *Store) AdvanceBulk(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	return s.bulkStep(ctx, "advance a bulk run", in, func(t *tx, run bulkRun) error {
		if run.Phase != offboarding.BulkRevoking {
			return nil
		}
		_, err := t.exec(markRun, run.ID, offboarding.BulkStarting, in.At)
		return err
	})
}

// CompleteBulk closes a run that has nothing left to do.
func (s *Store) CompleteBulk(ctx context.Context, in offboarding.BulkStep) (offboarding.BulkRun, error) {
	return s.bulkStep(ctx, "complete a bulk run", in, func(t *tx, run bulkRun) error {
		if run.ClosedAt != nil {
			return nil
		}
		counted, err := t.run(run.ID, countedRun)
		if err != nil {
			return err
		}
		if _, err := t.exec(markRun, run.ID, offboarding.BulkCompleted, in.At); err != nil {
			return err
		}
		if _, err := t.exec(endBulkTrouble, run.ID); err != nil {
			return err
		}
		message, _ := counted.Counts.Result()
		return t.auditBulk(run, in.At, offboarding.EventCompleteBulk, run.RequestedBy, run.Origin, state{"phase": run.Phase},
			state{"phase": offboarding.BulkCompleted, "result": message, "counts": counted.Counts})
	})
}

// BulkRun is how far a run is.
func (s *Store) BulkRun(ctx context.Context, bulkID string) (offboarding.BulkRun, error) {
	var out bulkRun
	err := s.inTx(ctx, "look at a bulk run", func(t *tx) (err error) {
		out, err = t.run(bulkID, countedRun)
		return err
	})
	return out.BulkRun, err
}

// bulkStep runs a step of a run in one transaction; no other step is done meanwhile,
// and a batch only where it says nothing about the step. It answers with the run as it
// is then.
func (s *Store) bulkStep(ctx context.Context, op string, in offboarding.BulkStep, fn func(*tx, bulkRun) error) (offboarding.BulkRun, error) {
	var out bulkRun
	err := s.inTx(ctx, op, func(t *tx) error {
		run, err := t.run(in.BulkID, lockRun)
		if err == nil {
			err = fn(t, run)
		}
		if err == nil {
			out, err = t.run(in.BulkID, countedRun)
		}
		return err
	})
	return out.BulkRun, err
}

const updateBulkTrouble = `UPDATE bulk_runs SET trouble_step = $2, trouble_attempt = $3, trouble_error = $4, trouble_since = $5
	WHERE id = $1 AND (closed_at IS NULL OR $2 = '')`

// RecordBulkTrouble shows in the list of runs that one cannot go on, or with nil
// that it does again.
func (s *Store) RecordBulkTrouble(ctx context.Context, in offboarding.BulkTroubleInput) error {
	return s.recordTrouble(ctx, updateBulkTrouble, in.BulkID, in.Trouble)
}

// bulkCaseID is the ID of the case that a run opens for a member, the same however
// often it is made.
func bulkCaseID(bulkID, memberID string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("handover:"+offboarding.BulkWorkflowID(bulkID)+":"+memberID)).String()
}

// read fills in the starts that the rows ask for.
func read(rows []bulkRow) error {
	for i := range rows {
		if err := json.Unmarshal([]byte(rows[i].Request), &rows[i].start); err != nil {
			return err
		}
	}
	return nil
}
