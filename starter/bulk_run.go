package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"handover/client"
	"handover/internal/terminal"
	"handover/offboarding"
	"handover/postgres"
)

// bulkRow is what became of one row of the list.
type bulkRow struct {
	Line       int                     `json:"line"`
	Email      string                  `json:"email"`
	Outcome    offboarding.BulkOutcome `json:"outcome"`
	CaseID     string                  `json:"case_id,omitempty"`
	Phase      offboarding.Phase       `json:"phase,omitempty"`
	Code       string                  `json:"code,omitempty"`
	Message    string                  `json:"message,omitempty"`
	Violations []offboarding.Violation `json:"violations,omitempty"`

	leaver   *offboarding.Leaver // nil when the row is malformed
	memberID string              // "" for nobody
}

// reason is the case, or why there is none.
func (r bulkRow) reason() string {
	if r.Code == "" {
		return first(r.CaseID, r.Message)
	}
	return r.Code + ": " + short(r.Message, 90)
}

func (r *bulkRow) refuse(violations []offboarding.Violation) {
	r.Outcome, r.Violations = offboarding.BulkMemberRefused, violations
	r.Code, r.Message = string(violations[0].Code), violations[0].Message
}

// became takes over what the run says of the member.
func (r *bulkRow) became(m offboarding.BulkMemberRow) {
	r.Outcome, r.CaseID, r.Phase = m.Outcome, m.CaseID, m.Phase
	if len(m.Violations) > 0 {
		r.refuse(m.Violations)
	}
	if m.Error != "" {
		r.Code, r.Message = "failed", m.Error
	}
}

// bulkAnswer is the answer for scripts.
type bulkAnswer struct {
	BulkID  string      `json:"bulk_id"`
	Result  string      `json:"result"` // SUCCESS, PARTIAL_SUCCESS, REFUSED or FAILED (rule B1, seed 003)
	Summary bulkSummary `json:"summary"`
	Items   []bulkRow   `json:"items"`
}

type bulkSummary struct {
	Total    int `json:"total"`
	Accepted int `json:"accepted"`
	Refused  int `json:"refused"`
	Failed   int `json:"failed"`
	Canceled int `json:"canceled"`
	// NotStarted rows were left alone: another was refused with --all-or-nothing.
	NotStarted int `json:"not_started"`
}

func (s bulkSummary) outcome() (message string, code int) {
	return offboarding.BulkCounts{Total: s.Total, Started: s.Accepted, Refused: s.Refused, Failed: s.Failed}.Result()
}

func (s bulkSummary) exitCode() int {
	_, code := s.outcome()
	return code
}

func (s bulkSummary) result() string {
	message, _ := s.outcome()
	return message
}

// bulk is a list of leavers on its way.
type bulk struct {
	opts    *bulkOptions
	store   *postgres.Store
	cases   *client.Client
	rows    []bulkRow
	request offboarding.BulkRequest
}

// newBulk finds whom the rows name. What is wrong with a row is known then.
func newBulk(ctx context.Context, opts *bulkOptions, leavers []offboarding.Leaver, wrong []offboarding.RowError) (*bulk, error) {
	b := &bulk{opts: opts, rows: []bulkRow{}}
	for _, l := range leavers {
		b.rows = append(b.rows, bulkRow{Line: l.Line, Email: l.Email, Outcome: offboarding.BulkMemberNotStarted, leaver: &l})
	}
	for line, errs := range byLine(wrong) {
		row := bulkRow{Line: line}
		row.refuse(errs)
		row.Message = errs[0].Field + ": " + errs[0].Message
		b.rows = append(b.rows, row)
	}
	slices.SortFunc(b.rows, func(a, b bulkRow) int { return cmp.Compare(a.Line, b.Line) })
	var err error
	if b.store, err = opts.store(); err != nil {
		return nil, err
	}
	if b.cases, err = opts.cases(ctx); err != nil {
		return nil, err
	}
	return b, b.resolve(ctx)
}

func byLine(wrong []offboarding.RowError) map[int][]offboarding.Violation {
	lines := map[int][]offboarding.Violation{}
	for _, e := range wrong {
		lines[e.Line] = append(lines[e.Line], offboarding.Violation{Code: offboarding.CodeInvalidArgument, Field: e.Field, Message: e.Reason})
	}
	return lines
}

// resolve finds the members of all rows at once, and makes the run's list of those
// who were found. The flags speak for all rows, and are about the first one's
// organization.
func (b *bulk) resolve(ctx context.Context) error {
	var emails []string
	for _, row := range b.rows {
		if row.leaver != nil {
			emails = append(emails, row.Email, row.leaver.NewOwnerEmail)
		}
	}
	found, err := b.store.MembersByEmail(ctx, emails, b.opts.organization)
	if err != nil {
		return err
	}
	organization := b.opts.organization
	for i := range b.rows {
		row := &b.rows[i]
		if row.leaver == nil {
			continue
		}
		member, violations := one(found, row.Email, "", "member_id")
		plan := offboarding.BulkPlan{EffectiveAt: row.leaver.LastDay, Reason: row.leaver.Reason, Disposition: row.leaver.Disposition}
		plan.NewOwnerID = row.leaver.NewOwnerEmail
		if plan.NewOwnerID != "" && plan.NewOwnerID != offboarding.NewOwnerManager && violations == nil {
			var owner offboarding.Member
			owner, violations = one(found, plan.NewOwnerID, member.OrganizationID, "new_owner_id")
			plan.NewOwnerID = owner.ID
		}
		if violations != nil {
			row.refuse(violations)
			continue
		}
		row.memberID, organization = member.ID, first(organization, member.OrganizationID)
		b.request.Members = append(b.request.Members, offboarding.BulkMember{MemberID: member.ID, BulkPlan: plan})
	}
	n := &names{ctx: ctx, store: b.store, slug: b.opts.organization}
	flags := b.opts.request()
	b.request.RequestedBy = n.actor(b.opts.as, "requested_by", organization).ID
	b.request.BulkPlan = offboarding.BulkPlan{
		Disposition: flags.Disposition, NewOwnerID: n.newOwner(flags.NewOwnerID, organization),
		ArchiveSchedules: flags.ArchiveSchedules, GracePeriod: flags.GracePeriod,
	}
	b.request.Origin, b.request.Rate = flags.Origin, b.opts.rate
	b.request.AllOrNothing, b.request.Confirmed = b.opts.allOrNothing, b.opts.confirmed
	return n.err()
}

// one is the member with that address; organizationID narrows, "" is any.
func one(found map[string][]offboarding.Member, email, organizationID, field string) (offboarding.Member, []offboarding.Violation) {
	var members []offboarding.Member
	for _, m := range found[strings.ToLower(email)] {
		if organizationID == "" || m.OrganizationID == organizationID {
			members = append(members, m)
		}
	}
	switch len(members) {
	case 0:
		return offboarding.Member{}, offboarding.Refuse("E1", offboarding.CodeMemberNotFound, field, "there is no such member").Violations
	case 1:
		return members[0], nil
	}
	return offboarding.Member{}, offboarding.Refuse("E1", offboarding.CodeAmbiguousMember, field,
		"members of several organizations go by that name; name the organization").Violations
}

// run starts the run, waits until it has closed, and reads what became of each row.
func (b *bulk) run(ctx context.Context) error {
	if len(b.request.Members) == 0 {
		return nil
	}
	if b.opts.bulkID == "" {
		b.opts.bulkID = uuid.Must(uuid.NewV7()).String()
	}
	start, stop := context.WithTimeout(ctx, b.opts.timeout)
	_, err := b.cases.StartBulk(start, b.opts.bulkID, b.request)
	stop()
	if err == nil {
		err = b.wait(ctx)
	}
	var refusal *offboarding.Refusal
	if err != nil && !errors.As(err, &refusal) {
		return &plainError{raw: err, text: fmt.Sprintf("%s\nThe run goes on by itself once it can; the same command with --bulk-id %s picks it up.",
			safeText(err), b.opts.bulkID)}
	}
	if err == nil {
		err = b.read(ctx)
	}
	return err
}

// errNoProgress says that the run does not get any further.
var errNoProgress = errors.New("the run does not get any further")

// wait waits until the run has closed, and shows how far it is. It gives up when
// the run does not answer, or is in trouble, for as long as --timeout says.
func (b *bulk) wait(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	closed := make(chan error, 1)
	go func() {
		_, err := b.cases.BulkResult(ctx, b.opts.bulkID)
		closed <- err
	}()
	bar := terminal.NewBar(b.opts.err, "offboarding")
	defer bar.Done()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	answered := time.Now()
	var seen offboarding.BulkCounts
	for {
		select {
		case err := <-closed:
			return err
		case <-ticker.C:
		}
		once, done := context.WithTimeout(ctx, 5*time.Second)
		status, err := b.cases.BulkStatus(once, b.opts.bulkID)
		done()
		switch {
		case err == nil && (status.Trouble == nil || status.Counts != seen):
			answered, seen = time.Now(), status.Counts
			bar.Set(seen.Total-seen.Pending+seen.Running, seen.Total+seen.Cases)
		case time.Since(answered) > b.opts.timeout:
			if err == nil {
				err = fmt.Errorf("%w: %s: %s", errNoProgress, status.Trouble.Step, status.Trouble.LastError)
			}
			return err
		}
	}
}

// read reads what became of the members, page by page.
func (b *bulk) read(ctx context.Context) error {
	became := map[string]offboarding.BulkMemberRow{}
	err := eachBulkMember(ctx, b.store, b.opts.bulkID, offboarding.BulkFilter{}, func(m offboarding.BulkMemberRow) {
		became[m.MemberID] = m
	})
	for i := range b.rows {
		row := &b.rows[i]
		m, ok := became[row.memberID]
		switch {
		case row.memberID == "":
		case ok:
			row.became(m)
		default:
			row.Message = "not on the list of this run"
		}
	}
	return err
}

// eachBulkMember reads the members of a run.
func eachBulkMember(ctx context.Context, store *postgres.Store, bulkID string, f offboarding.BulkFilter, do func(offboarding.BulkMemberRow)) error {
	f.Limit = offboarding.MaxLimit
	for {
		page, err := store.BulkMembers(ctx, bulkID, f)
		if err != nil {
			return err
		}
		for _, m := range page.Items {
			do(m)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return nil
		}
	}
}

func (b *bulk) summarize() bulkSummary {
	s := bulkSummary{Total: len(b.rows)}
	for _, row := range b.rows {
		switch row.Outcome {
		case offboarding.BulkMemberStarted, offboarding.BulkMemberScheduled, offboarding.BulkMemberExisting:
			s.Accepted++
		case offboarding.BulkMemberRefused:
			s.Refused++
		case offboarding.BulkMemberFailed:
			s.Failed++
		case offboarding.BulkMemberCanceled:
			s.Canceled++
		case offboarding.BulkMemberPending, offboarding.BulkMemberNotStarted:
			s.NotStarted++
		}
	}
	return s
}
