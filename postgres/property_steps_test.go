package postgres_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"handover/offboarding"
)

// action is something that may happen next; the heavier, the more often.
type action struct {
	name   string
	weight int
	do     func(*world)
	can    func(*world) bool
}

// rapid draws the first ones more often.
var actions = []action{
	{"go on", 6, (*world).goOn, func(w *world) bool { return len(w.cases(w.due)) > 0 }},
	{"start", 3, (*world).start, func(w *world) bool { return len(w.free()) > 0 && len(w.cases(func(*driver) bool { return true })) < 3 }},
	{"claim", 7, (*world).claim, inPhase(offboarding.PhaseGrace, offboarding.PhaseReadOnly)},
	{"wait", 4, (*world).wait, func(w *world) bool { return len(w.cases(w.waits)) > 0 }},
	{"decide", 6, (*world).decide, (*world).undecided},
	{"reactivate", 2, (*world).reactivate, inPhase(offboarding.PhaseGrace, offboarding.PhaseReadOnly, offboarding.PhaseTransferring)},
	{"rehire", 2, (*world).rehire, func(w *world) bool { return len(w.gone()) > 0 }},
	{"rehire many", 1, (*world).rehireMany, func(w *world) bool { return len(w.gone()) > 0 }},
	{"leave the workspace", 2, (*world).leaveWorkspace, func(w *world) bool { return len(w.cases(func(d *driver) bool { return d.removal })) < 2 }},
	{"delete", 1, (*world).remove, always},
	{"transfer", 3, (*world).transfer, inPhase(offboarding.PhaseGrace, offboarding.PhaseReadOnly, offboarding.PhaseTransferring)},
	{"extend", 2, (*world).extend, inPhase(offboarding.PhaseGrace)},
	{"hold", 2, (*world).hold, func(w *world) bool { return len(w.m.holds) < 2 }},
	{"settings", 1, (*world).settings, always},
	{"pass on", 2, (*world).passOn, func(w *world) bool { return len(w.moved()) > 0 }},
	{"sign in", 1, (*world).signIn, always},
	{"check the sessions", 4, (*world).checkSessions, func(w *world) bool { return len(w.cases(sessionsWait)) > 0 }},
	{"hire", 1, (*world).hire, (*world).seatFree},
	{"repeat", 1, (*world).repeat, func(w *world) bool { return len(w.repeatable()) > 0 }},
	{"look again", 1, (*world).lookAgain, func(w *world) bool { return len(w.cases(w.parked)) > 0 }},
	{"reschedule", 1, (*world).reschedule, inPhase(offboarding.PhaseScheduled)},
	{"cancel", 1, (*world).cancel, inPhase(offboarding.PhaseScheduled)},
	{"provider asks", 2, (*world).providerAsks, (*world).provisions},
	{"archive the member", 1, (*world).archiveMember, func(w *world) bool { return len(w.archivable()) > 0 }},
	{"remind", 1, (*world).remind, inPhase(offboarding.PhaseGrace)},
	{"escalate", 2, (*world).escalate, (*world).undecided},
	{"list", 2, (*world).list, func(w *world) bool { return len(w.free()) > 0 && len(w.cases(func(*driver) bool { return true })) < 3 }},
	{"lift", 1, (*world).lift, func(w *world) bool { return len(w.m.holds) > 0 }},
	{"anything", 1, (*world).anything, func(w *world) bool { return len(w.asked()) > 0 }},
}

func always(*world) bool { return true }

func inPhase(phases ...offboarding.Phase) func(*world) bool {
	return func(w *world) bool {
		return slices.ContainsFunc(w.asked(), func(d *driver) bool { return slices.Contains(phases, d.phase) })
	}
}

// next does one of the actions that are possible.
func (w *world) next(t *rapid.T) {
	w.T = t
	w.m.now = w.m.now.Add(time.Minute)
	var possible []action
	for _, a := range actions {
		if a.can(w) {
			possible = append(possible, slices.Repeat([]action{a}, a.weight)...)
		}
	}
	pick(w, "action", possible).do(w)
}

// anything sends a message that the case's phase need not allow.
func (w *world) anything() {
	messages := []func(*world){(*world).claim, (*world).reactivate, (*world).extend, (*world).transfer, (*world).reschedule, (*world).cancel}
	if len(w.m.requests) > 0 {
		messages = append(messages, (*world).decide)
	}
	w.rude = true
	messages[rapid.IntRange(0, len(messages)-1).Draw(w.T, "message")](w)
	w.rude = false
}

// pick draws the index of one.
func pick[T any](w *world, label string, among []T) T {
	w.Helper()
	return among[rapid.IntRange(0, len(among)-1).Draw(w.T, label)]
}

// mostly draws from the likely ones, and now and then from all.
func mostly[T any](w *world, label string, likely, all []T) T {
	w.Helper()
	if len(likely) == 0 || rapid.IntRange(0, 6).Draw(w.T, label+" of all") == 6 {
		return pick(w, label, all)
	}
	return pick(w, label, likely)
}

// who are the members of whom something holds, by name.
func (w *world) who(holds func(*modelMember) bool) []string {
	var names []string
	for name, m := range w.m.members {
		if holds(m) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *world) everybody() []string { return w.who(func(m *modelMember) bool { return !m.deleted }) }

// anybody are those too who have been deleted.
func (w *world) anybody() []string { return w.who(func(*modelMember) bool { return true }) }

func (w *world) admin() string { return w.adminOn(false) }

func (w *world) adminOn(removal bool) string {
	return mostly(w, "admin", w.who(func(m *modelMember) bool { return w.m.adminOn(m.name, removal) }), w.everybody())
}

// newOwner is a new owner by the words of a request, "" for nobody in particular.
func (w *world) newOwner(leaver string) string {
	likely := append(w.who(func(m *modelMember) bool { return w.m.eligibleOwner(m.name, leaver) }), "", offboarding.NewOwnerManager)
	return mostly(w, "new owner", likely, w.anybody())
}

// ref is a member, as a request names them.
func (w *world) ref(name string) string {
	if name == offboarding.NewOwnerManager {
		return name
	}
	return w.ids[name]
}

func (w *world) refs(names []string) []string {
	var ids []string
	for _, name := range names {
		ids = append(ids, w.ids[name])
	}
	return ids
}

// cases are the open cases of which something holds.
func (w *world) cases(holds func(*driver) bool) []*driver {
	var open []*driver
	for _, d := range w.drivers {
		if !d.closed && holds(d) {
			open = append(open, d)
		}
	}
	return open
}

func (w *world) documentNames(holds func(*modelDocument) bool) []string {
	var names []string
	for _, d := range w.m.documentsWhere(holds) {
		names = append(names, d.name)
	}
	return names
}

func (w *world) step(d *driver, name string) offboarding.Step {
	w.stepOf = d.modelCase
	return offboarding.Step{CaseID: w.ids[d.name], Name: name, At: w.m.now}
}

// message names the step of a message.
func (w *world) message(d *driver) offboarding.Step {
	d.n++
	return w.step(d, fmt.Sprintf("update/%d", d.n))
}

// free are those who can be offboarded without a doubt, those with documents first.
func (w *world) free() []string {
	free := w.who(func(m *modelMember) bool {
		return m.active && w.m.openCase(m.name) == nil && m.role == offboarding.RoleContributor && !m.outside
	})
	slices.SortStableFunc(free, func(a, b string) int { return min(len(w.m.owned(b)), 1) - min(len(w.m.owned(a)), 1) })
	return free
}

func (w *world) start() {
	leaver := mostly(w, "leaver", w.free(), w.anybody())
	if leaving := w.cases(func(d *driver) bool { return !d.removal }); len(leaving) > 0 && rapid.IntRange(0, 5).Draw(w.T, "again") == 5 {
		leaver = leaving[0].leaver
	}
	w.admit(start{leaver: leaver, by: w.admin()})
}

// leaveWorkspace asks for a removal from the workspace.
func (w *world) leaveWorkspace() {
	members := w.who(func(m *modelMember) bool {
		return m.active && m.team != offboarding.WorkspaceNone && w.m.open(m.name, true) == nil
	})
	w.admit(start{leaver: mostly(w, "leaver", members, w.anybody()), by: w.adminOn(true), removal: true})
}

// provides is the identity provider on whose behalf something is asked, "" for none.
func (w *world) provides(member string) string {
	provider := w.m.members[member].managedBy
	if provider == "" {
		provider = offboarding.IdentityProviderEntra
	}
	return mostly(w, "provider", []string{w.m.members[member].managedBy}, []string{"", provider})
}

// someAdmin is who asks, and on whose behalf; a provider names nobody, mostly.
func (w *world) someAdmin(member string, removal bool) (admin, provider string) {
	if provider = w.provides(member); provider != "" {
		return mostly(w, "named", []string{""}, append(w.anybody(), "")), provider
	}
	return w.adminOn(removal), ""
}

func (w *world) provisions() bool { return offboarding.Provisions(w.m.provider) }

// providerAsks is a start on behalf of an identity provider, of those whom it manages,
// mostly, or of their place in the workspace.
func (w *world) providerAsks() {
	s := start{removal: rapid.IntRange(0, 3).Draw(w.T, "removal") == 3}
	s.provider = mostly(w, "provider", []string{w.m.provider}, offboarding.Provisioners)
	s.leaver = mostly(w, "leaver", w.who(func(m *modelMember) bool { return m.active && m.managedBy != "" }), w.everybody())
	s.by = mostly(w, "named", []string{""}, append(w.anybody(), ""))
	w.admit(s)
}

// list offboards several at once, in batches of two, as a run does.
func (w *world) list() {
	admin, allOrNothing := w.admin(), rapid.IntRange(0, 3).Draw(w.T, "all or nothing") == 3
	var rows []start
	in := offboarding.BulkRequest{RequestedBy: w.ids[admin], AllOrNothing: allOrNothing}
	for range rapid.IntRange(1, 3).Draw(w.T, "rows") {
		s := start{leaver: mostly(w, "leaver", w.free(), w.anybody()), by: admin, grace: grace}
		s.disposition = pick(w, "disposition", []offboarding.Disposition{"retain", "transfer", "archive", ""})
		if s.disposition == offboarding.DispositionTransfer {
			s.newOwner = w.newOwner(s.leaver)
		}
		s.archiveSchedules = rapid.IntRange(0, 9).Draw(w.T, "archive schedules") == 9
		m := offboarding.BulkMember{MemberID: w.ids[s.leaver], BulkPlan: offboarding.BulkPlan{
			Disposition: s.disposition, NewOwnerID: w.ref(s.newOwner), ArchiveSchedules: s.archiveSchedules, GracePeriod: s.grace.String(),
		}}
		if rapid.IntRange(0, 4).Draw(w.T, "ahead") == 4 {
			s.effectiveAt = w.m.now.Add(48 * time.Hour)
			m.EffectiveAt = s.effectiveAt.Format(time.RFC3339)
		}
		rows, in.Members = append(rows, s), append(in.Members, m)
	}
	bulkID, atOnce := newID(), rapid.Bool().Draw(w.T, "at once")
	first := len(w.drivers)
	run := func() string {
		members, message, err := w.bulk(bulkID, in)
		if err != nil {
			return w.refusal(err)
		}
		for i, m := range members {
			switch m.Outcome {
			case offboarding.BulkMemberRefused:
				message[i+1] = w.refusal(&offboarding.Refusal{Violations: m.Violations})
			case offboarding.BulkMemberExisting:
				message[i+1] = "existing " + w.nameOf(m.CaseID)
			case offboarding.BulkMemberStarted, offboarding.BulkMemberScheduled:
				first++
				name := fmt.Sprintf("case%d", first)
				w.ids[name] = m.CaseID
				message[i+1] = string(m.Outcome) + " " + name
			}
		}
		return message[0] + " " + strings.Join(message[1:], "; ")
	}
	var opened []*modelCase
	w.doOnce("list", fmt.Sprintf("of %d by %s, all or nothing %v", len(rows), admin, allOrNothing), run, func() (answer string) {
		answer, opened = w.m.list(rows, allOrNothing)
		return answer
	})
	for _, c := range opened {
		d := &driver{modelCase: c, waited: c.effectiveAt.After(w.m.now)}
		w.drivers = append(w.drivers, d)
		if !c.closed {
			w.takeOver(d, atOnce)
		}
	}
}

// bulk does all steps of a list, and answers with its result and what became of each.
func (w *world) bulk(bulkID string, r offboarding.BulkRequest) (members []offboarding.BulkMemberRow, message []string, err error) {
	step := offboarding.BulkStep{BulkID: bulkID, At: w.m.now}
	in := offboarding.BulkAdmitInput{BulkID: bulkID, WorkflowID: offboarding.BulkWorkflowID(bulkID), At: w.m.now, Request: r}
	if _, err = w.store.AdmitBulk(w.Context(), in); err != nil {
		return nil, nil, err
	}
	if _, err = w.store.JudgeBulk(w.Context(), step); err != nil {
		return nil, nil, err
	}
	for after, more := 0, true; more; more = after > 0 {
		if after, err = w.store.OffboardBatch(w.Context(), step, after); err != nil {
			return nil, nil, err
		}
	}
	if _, err = w.store.AdvanceBulk(w.Context(), step); err != nil {
		return nil, nil, err
	}
	run, err := w.store.CompleteBulk(w.Context(), step)
	if err != nil {
		return nil, nil, err
	}
	page, err := w.store.BulkMembers(w.Context(), bulkID, offboarding.BulkFilter{Limit: 100})
	result, _ := run.Counts.Result()
	message = []string{result}
	for _, m := range page.Items {
		message = append(message, string(m.Outcome))
	}
	return page.Items, message, err
}

// takeOver is a workflow that goes on with a case of a list.
func (w *world) takeOver(d *driver, atOnce bool) {
	member := w.ids[d.leaver]
	in := offboarding.AdmitInput{
		CaseID: newID(), WorkflowID: offboarding.WorkflowID(member), At: w.m.now, AtOnce: atOnce,
		Request: offboarding.Request{MemberID: member, RequestedBy: w.ids[d.by], CaseID: w.ids[d.name]},
	}
	w.doOnce("take over", d.name, said(w, w.store.Admit, in, func(a offboarding.Admission) string {
		return fmt.Sprintf("%s, resumed %v", a.Phase, a.Resumed)
	}), func() string {
		if atOnce && d.phase == offboarding.PhaseDeactivated && d.disposition == offboarding.DispositionRetain && w.m.unowned(d.modelCase) > 0 {
			w.m.settle(d.modelCase, d.deactivatedAt.Add(d.grace))
		}
		return fmt.Sprintf("%s, resumed true", d.phase)
	})
}

func (w *world) admit(s start) {
	s.disposition = pick(w, "disposition", []offboarding.Disposition{"retain", "retain", "transfer", "archive", ""})
	if s.disposition == offboarding.DispositionTransfer || rapid.IntRange(0, 9).Draw(w.T, "with a new owner") == 9 {
		s.newOwner = w.newOwner(s.leaver)
	}
	s.archiveSchedules = s.disposition == offboarding.DispositionTransfer && rapid.Bool().Draw(w.T, "archive schedules")
	if rapid.IntRange(0, 3).Draw(w.T, "ahead") == 3 {
		s.effectiveAt = w.m.now.Add(48 * time.Hour)
	}
	s.grace = pick(w, "grace", []time.Duration{grace, 24 * time.Hour, 0})
	r := offboarding.Request{
		MemberID: w.ids[s.leaver], RequestedBy: w.ids[s.by], Provider: s.provider, Disposition: s.disposition, NewOwnerID: w.ref(s.newOwner),
		ArchiveSchedules: s.archiveSchedules, GracePeriod: s.grace.String(),
	}
	kind := "admit"
	if s.removal {
		kind, r.WorkspaceID = "removal", w.workspace
	}
	if s.provider != "" {
		kind = "provider asks"
	}
	if !s.effectiveAt.IsZero() {
		r.EffectiveAt = s.effectiveAt.Format(time.RFC3339)
	}
	id, opened := newID(), (*modelCase)(nil)
	in := offboarding.AdmitInput{CaseID: id, WorkflowID: "offboarding/" + id, At: w.m.now, Request: r, AtOnce: rapid.Bool().Draw(w.T, "at once")}
	nameOf := func(id string) string {
		for name, other := range w.ids {
			if other == id {
				return name
			}
		}
		return ""
	}
	run := said(w, w.store.Admit, in, func(a offboarding.Admission) string {
		if a.Existing {
			return "existing " + nameOf(a.CaseID)
		}
		return fmt.Sprintf("opened case%d to %s %s", len(w.drivers)+1, a.Plan.Disposition, nameOf(a.Plan.NewOwnerID)) + archiveText(a.ArchiveAt)
	})
	what := fmt.Sprintf("%s by %s %s, %s %s, schedules archived %v, at %s",
		s.leaver, s.provider, s.by, s.disposition, s.newOwner, s.archiveSchedules, r.EffectiveAt)
	w.do(kind, what, run, func() (answer string) {
		if answer, opened = w.m.admit(s); opened != nil {
			w.ids[opened.name] = id
			if in.AtOnce && !s.removal && !opened.effectiveAt.After(w.m.now) && w.m.members[s.leaver].role != offboarding.RoleOwner &&
				w.m.sessions == offboarding.SSORevoke {
				w.m.revoke(opened, false)
				w.m.deactivate(opened)
				answer += archiveText(w.m.archiveAt(opened))
				if opened.disposition == offboarding.DispositionRetain && w.m.unowned(opened) > 0 {
					w.m.settle(opened, opened.deactivatedAt.Add(opened.grace))
				}
			}
		}
		return answer
	})
	w.past = w.past[:len(w.past)-1] // an admission later is another start
	if opened != nil {
		w.drivers = append(w.drivers, &driver{modelCase: opened, waited: opened.effectiveAt.After(w.m.now)})
	}
}

// deadline is the time for which a case waits, and whether it waits for one.
func (d *driver) deadline() (time.Time, bool) {
	switch d.phase {
	case offboarding.PhaseScheduled:
		return d.effectiveAt, true
	case offboarding.PhaseRevoking:
		return d.sessionsEnd, sessionsWait(d)
	case offboarding.PhaseGrace:
		return d.graceEnds, true
	}
	return time.Time{}, false
}

// due reports whether the workflow would do something now.
func (w *world) due(d *driver) bool {
	at, waits := d.deadline()
	switch {
	case len(d.transfers) > 0 || d.reactivation != nil || d.unarchived:
		return true
	case d.phase == offboarding.PhaseGrace && w.m.unowned(d.modelCase) == 0:
		return true
	case waits:
		return !w.m.now.Before(at)
	case d.phase == offboarding.PhaseReadOnly:
		return !d.locked || w.m.unowned(d.modelCase) == 0
	}
	return true
}

func (w *world) waits(d *driver) bool {
	_, waits := d.deadline()
	return waits && !w.due(d)
}

// wait lets the time come for which a case waits.
func (w *world) wait() {
	d := pick(w, "case", w.cases(w.waits))
	w.m.now, _ = d.deadline()
	w.goOnWith(d)
}

// goOn does the next steps of a case.
func (w *world) goOn() {
	d := pick(w, "case", w.cases(w.due))
	for range pick(w, "steps", []int{9, 1, 2, 3}) {
		if d.closed || !w.due(d) {
			return
		}
		w.goOnWith(d)
		w.m.now = w.m.now.Add(time.Second)
	}
}

func (w *world) goOnWith(d *driver) {
	c := d.modelCase
	switch {
	case len(d.transfers) > 0:
		w.transferOn(d)
	case d.reactivation != nil:
		w.reactivateOn(d)
	case d.unarchived:
		w.dispose(d)
		d.unarchived = !d.disposed
	case c.phase == offboarding.PhaseScheduled:
		in := offboarding.RevokeInput{Step: w.step(d, "revoke"), SecondLook: d.waited}
		w.orFail(d, w.do("revoke", c.name, said(w, w.store.Revoke, in, func(r offboarding.Revoked) string {
			waits := ""
			if r.SessionsEndAt != nil {
				d.sessionsEnd = *r.SessionsEndAt
				waits = "waits until " + d.sessionsEnd.UTC().Format(time.DateTime) + ", "
			}
			return waits + fmt.Sprintf("revoked %d, to %s %s", r.Credentials+r.Sessions, r.Plan.Disposition, w.nameOf(r.Plan.NewOwnerID))
		}), func() string { return w.m.revoke(c, d.waited) }))
	case c.phase == offboarding.PhaseRevoking:
		w.orFail(d, w.do("deactivate", c.name, said(w, w.store.Deactivate, w.step(d, "deactivate"), func(out offboarding.Deactivated) string {
			return fmt.Sprintf("deactivated, %d documents, %d unowned", out.Documents, out.Unowned) + archiveText(out.ArchiveAt)
		}), func() string { return w.m.deactivate(c) }))
	case c.phase == offboarding.PhaseDeactivated && c.disposition != offboarding.DispositionRetain:
		w.advance(d, offboarding.PhaseTransferring)
	case c.phase == offboarding.PhaseTransferring && !d.disposed && c.disposition != offboarding.DispositionRetain:
		w.dispose(d)
	case c.phase == offboarding.PhaseDeactivated, c.phase == offboarding.PhaseTransferring:
		w.settle(d, c.deactivatedAt.Add(c.grace))
	case c.phase == offboarding.PhaseGrace && w.m.unowned(c) > 0:
		w.endGrace(d)
	case c.phase == offboarding.PhaseReadOnly && !d.locked:
		if _, done := w.batch(d, "lock", fmt.Sprintf("lock/%d", d.restores), w.store.LockBatch, offboarding.SweepInput{}, &d.cursor,
			func(in func(*modelDocument) bool) string { return w.m.lockBatch(c, in) }); done {
			d.locked = true
		}
	default:
		w.settle(d, time.Time{})
	}
}

// sessionsWait reports whether the deactivation waits for sessions by SSO (rule S1).
func sessionsWait(d *driver) bool {
	return d.phase == offboarding.PhaseRevoking && !d.sessionsEnd.IsZero()
}

// checkSessions looks at the sessions that a deactivation waits for, which come nearer to
// their end, or end, now and then.
func (w *world) checkSessions() {
	d := pick(w, "case", w.cases(sessionsWait))
	w.m.now = w.m.now.Add(pick(w, "later", []time.Duration{0, time.Minute, time.Hour}))
	if rapid.IntRange(0, 2).Draw(w.T, "end") == 2 {
		w.tell("the sessions of %s end", d.leaver)
		w.o.Exec(`UPDATE sessions SET expires_at = $2 WHERE member_id = $1 AND sso AND status = 'active'`, w.ids[d.leaver], w.m.now)
		for i := range w.m.members[d.leaver].sso {
			w.m.members[d.leaver].sso[i].ends = w.m.now
		}
	}
	d.n++
	in := w.step(d, fmt.Sprintf("sessions/%d", d.n))
	answer := w.do("check the sessions", d.name, said(w, w.store.CheckSessions, in, func(out offboarding.SessionsChecked) string {
		return fmt.Sprintf("%d waiting, %d revoked", out.Waiting, out.Credentials+out.Sessions)
	}), func() string { return w.m.checkSessions(d.modelCase) })
	if strings.HasPrefix(answer, "0 waiting") {
		d.sessionsEnd = time.Time{} // the account is next
	}
}

// nameOf is the model's name for an ID.
func (w *world) nameOf(id string) string {
	for name, other := range w.ids {
		if other == id {
			return name
		}
	}
	return ""
}

// orFail ends a case whose step was refused.
func (w *world) orFail(d *driver, answer string) {
	if !wasRefused(answer) {
		return
	}
	in := offboarding.FailInput{Step: w.step(d, "fail"), Refusal: *offboarding.Refuse("", offboarding.CodeLastOwner, "", "")}
	w.do("fail", d.name, w.only("failed", func(ctx context.Context) error { return w.store.Fail(ctx, in) }), func() string {
		w.m.fail(d.modelCase)
		return "failed"
	})
}

// only is a step that answers with an error alone.
func (w *world) only(answer string, run func(context.Context) error) func() string {
	return func() string {
		if err := run(w.Context()); err != nil {
			return w.refusal(err)
		}
		return answer
	}
}

func (w *world) advance(d *driver, phase offboarding.Phase) {
	in := offboarding.AdvanceInput{Step: w.step(d, "to "+string(phase)), Phase: phase}
	w.do("advance", d.name, w.only(string(phase), func(ctx context.Context) error { _, err := w.store.Advance(ctx, in); return err }), func() string {
		w.m.advance(d.modelCase, phase)
		return string(phase)
	})
}

// endGrace ends the grace, by itself or with all that comes then. Whether one batch is
// enough is seen in the answer.
func (w *world) endGrace(d *driver) {
	in := offboarding.AdvanceInput{
		Step: w.step(d, "end-grace"), Phase: offboarding.PhaseReadOnly, AtOnce: rapid.Bool().Draw(w.T, "at once"),
	}
	locked := false
	w.do("end the grace", d.name, said(w, w.store.Advance, in, func(out offboarding.Advanced) string {
		if locked = out.Settled != nil; locked {
			return "locked: " + settledText(*out.Settled)
		}
		return string(in.Phase)
	}), func() string {
		w.m.advance(d.modelCase, in.Phase)
		if !locked {
			return string(in.Phase)
		}
		w.m.lockBatch(d.modelCase, func(*modelDocument) bool { return true })
		return "locked: " + w.m.settle(d.modelCase, time.Time{})
	})
	d.locked = locked
}

func settledText(s offboarding.Settled) string {
	return fmt.Sprintf("%s, %d unowned, %d pending", s.Phase, s.Unowned, s.PendingCount)
}

func (w *world) settle(d *driver, graceEnds time.Time) {
	d.n++
	in := offboarding.SettleInput{Step: w.step(d, fmt.Sprintf("settle/%d", d.n))}
	if !graceEnds.IsZero() {
		in.GraceEndsAt = &graceEnds
	}
	w.do("settle", d.name, said(w, w.store.Settle, in, settledText), func() string { return w.m.settle(d.modelCase, graceEnds) })
}

// batch does one batch of a sweep. Which documents belong to it is for the sweep to
// say: those up to its cursor. What becomes of them is for the model.
func (w *world) batch(
	d *driver, kind, name string, do batch, in offboarding.SweepInput, cursor *string, predict func(func(*modelDocument) bool) string,
) (answer string, done bool) {
	in.Step = w.step(d, name)
	after := *cursor
	var s offboarding.Sweep
	run := func() string {
		var err error
		if s, err = do(w.Context(), in, after); err != nil {
			return w.refusal(err)
		}
		return sweptText(s.Documents, s.Schedules)
	}
	answer = w.do(kind, d.name+" "+w.nameOf(in.NewOwnerID), run, func() string {
		return predict(func(doc *modelDocument) bool {
			id := w.ids[doc.name]
			named := len(in.DocumentIDs) == 0 || slices.Contains(in.DocumentIDs, id)
			return named && id > after && id <= s.Cursor
		})
	})
	*cursor, done = s.Cursor, s.Done || wasRefused(answer)
	if done {
		*cursor = ""
	}
	return answer, done
}

// dispose does the next batch of what the plan says.
func (w *world) dispose(d *driver) {
	c := d.modelCase
	if c.disposition == offboarding.DispositionArchive {
		_, d.disposed = w.batch(d, "archive", fmt.Sprintf("archive/%d", d.restores), w.store.ArchiveBatch, offboarding.SweepInput{}, &d.cursor,
			func(in func(*modelDocument) bool) string { return w.m.archiveBatch(c, in) })
		return
	}
	in := offboarding.SweepInput{NewOwnerID: w.ids[c.newOwner], ArchiveSchedules: c.archiveSchedules}
	answer, done := w.batch(d, "transfer", "transfer/"+c.newOwner, w.store.TransferBatch, in, &d.cursor,
		func(in func(*modelDocument) bool) string {
			return w.m.transferBatch(c, c.newOwner, c.by, c.archiveSchedules, in)
		})
	if !wasRefused(answer) {
		d.disposed = done
		return
	}
	w.do("fall back", d.name, said(w, w.store.FallBack, w.step(d, "fall-back/"+c.newOwner), func(p offboarding.Plan) string {
		return string(p.Disposition) + " " + w.nameOf(p.NewOwnerID)
	}), func() string {
		w.m.fallBack(c)
		return string(c.disposition) + " " + c.newOwner
	})
}

// undecided reports whether a request waits in a case that can be asked.
func (w *world) undecided() bool {
	return slices.ContainsFunc(w.asked(), func(d *driver) bool {
		return len(w.m.pending(func(r *modelRequest) bool { return r.of == d.modelCase })) > 0
	})
}

// asked are the cases to which a message can be sent: its workflow lets none in
// while it carries out a reactivation.
func (w *world) asked() []*driver {
	return w.cases(func(d *driver) bool { return d.reactivation == nil })
}

// someCase is a case in one of the phases, if there is one.
func (w *world) someCase(phases ...offboarding.Phase) *driver {
	asked := w.asked()
	likely := slices.DeleteFunc(slices.Clone(asked), func(d *driver) bool { return !slices.Contains(phases, d.phase) })
	if w.rude || len(likely) == 0 {
		likely = asked
	}
	return pick(w, "case", likely)
}

// anyCase is someCase, or one that has closed where messages go to cases in any phase.
func (w *world) anyCase(phase offboarding.Phase) *driver {
	closed := slices.DeleteFunc(slices.Clone(w.drivers), func(d *driver) bool { return !d.closed || w.m.members[d.leaver].deleted })
	if w.rude && len(closed) > 0 && rapid.Bool().Draw(w.T, "closed") {
		return pick(w, "closed case", closed)
	}
	return w.someCase(phase)
}

func (w *world) claim() {
	d := w.someCase(offboarding.PhaseGrace, offboarding.PhaseReadOnly)
	unowned := w.documentNames(func(doc *modelDocument) bool {
		return w.m.concerns(d.modelCase, doc) && doc.access != offboarding.AccessArchived
	})
	document := mostly(w, "document", unowned, w.documentNames(func(*modelDocument) bool { return true }))
	granted := w.who(func(m *modelMember) bool { return m.active && w.m.grant(document, m.name) != "" })
	slices.SortStableFunc(granted, func(a, b string) int { return eagerness(w, document, b) - eagerness(w, document, a) })
	member := mostly(w, "member", granted, w.anybody())
	request := fmt.Sprintf("r%d", len(w.m.requests)+1)
	in := offboarding.ClaimInput{Step: w.message(d), Message: offboarding.ClaimRequest{DocumentID: w.ids[document], MemberID: w.ids[member]}}
	w.do("claim", d.name+" "+document+" "+member, said(w, w.store.Claim, in, func(out offboarding.Outcome) string {
		switch {
		case out.RequestID != "":
			w.ids[request] = out.RequestID
			return out.Outcome
		case out.Documents == 0:
			return out.Outcome
		}
		return fmt.Sprintf("%s, %d superseded", out.Outcome, len(out.Superseded))
	}), func() string { return w.m.claim(d.modelCase, document, member, request) })
}

// eagerness puts those who can edit before those who can only look.
func eagerness(w *world, document, member string) int {
	if w.m.grant(document, member) == offboarding.GrantEdit {
		return 1
	}
	return 0
}

func (w *world) decide() {
	r := mostly(w, "request", w.m.pending(func(*modelRequest) bool { return true }), w.m.requests)
	d := mostly(w, "case", w.cases(func(d *driver) bool { return d.modelCase == r.of && d.reactivation == nil }), w.asked())
	approve, newOwner := rapid.IntRange(0, 3).Draw(w.T, "approve") > 0, ""
	if rapid.IntRange(0, 2).Draw(w.T, "for another") == 2 {
		newOwner = w.newOwner(d.leaver)
	}
	if newOwner == offboarding.NewOwnerManager {
		newOwner = "" // not a word of this message
	}
	admin := w.adminOn(d.removal)
	m := offboarding.AdminApproval{
		RequestID: w.ids[r.name], AdminID: w.ids[admin], NewOwnerID: w.ids[newOwner],
		Decision: map[bool]string{true: offboarding.DecisionApprove, false: offboarding.DecisionReject}[approve],
	}
	in := offboarding.DecideInput{Step: w.message(d), Message: m}
	w.do("decide", fmt.Sprintf("%s %s %s by %s for %s", d.name, r.name, m.Decision, admin, newOwner),
		said(w, w.store.Decide, in, func(out offboarding.Outcome) string {
			if out.Outcome == offboarding.OutcomeRejected {
				return out.Outcome
			}
			return fmt.Sprintf("%s, %d superseded", out.Outcome, len(out.Superseded))
		}), func() string { return w.m.decide(d.modelCase, r, admin, approve, newOwner) })
}

func (w *world) remind() {
	d := w.someCase(offboarding.PhaseGrace)
	d.n++
	in := offboarding.ReminderInput{Step: w.step(d, fmt.Sprintf("remind/%d", d.n)), Lead: 24 * time.Hour, GraceEndsAt: d.graceEnds}
	w.do("remind", d.name, said(w, w.store.Remind, in, func(out offboarding.Reminded) string {
		return fmt.Sprintf("%d told of %d", out.Notices, out.Unowned)
	}), func() string { return w.m.remind(d.modelCase) })
}

// escalate takes requests to the owners, mostly when their time has come.
func (w *world) escalate() {
	d := pick(w, "case", w.cases(func(d *driver) bool {
		return d.reactivation == nil && len(w.m.pending(func(r *modelRequest) bool { return r.of == d.modelCase })) > 0
	}))
	if left := w.m.undecided(d.modelCase); len(left) > 0 && rapid.Bool().Draw(w.T, "due") {
		if due := left[0].made.Add(48 * time.Hour); due.After(w.m.now) {
			w.m.now = due
		}
	}
	d.n++
	in := w.step(d, fmt.Sprintf("escalate/%d", d.n))
	w.do("escalate", d.name, said(w, w.store.Escalate, in, func(out offboarding.Escalated) string {
		next := "none"
		if out.NextAt != nil {
			next = out.NextAt.UTC().Format(time.DateTime)
		}
		return fmt.Sprintf("%d, %d told, next %s", out.Requests, out.Notices, next)
	}), func() string { return w.m.escalate(d.modelCase) })
}

// transfer authorizes a transfer; its batches follow as the case goes on.
func (w *world) transfer() {
	d := w.someCase(offboarding.PhaseGrace, offboarding.PhaseReadOnly, offboarding.PhaseTransferring)
	admin, newOwner := w.adminOn(d.removal), w.newOwner(d.leaver)
	owned := w.documentNames(func(doc *modelDocument) bool { return w.m.concerns(d.modelCase, doc) })
	var documents []string
	for range rapid.IntRange(0, 2).Draw(w.T, "named") {
		documents = append(documents, mostly(w, "document", owned, w.documentNames(func(*modelDocument) bool { return true })))
	}
	step := w.message(d)
	in := offboarding.AuthorizeTransferInput{Step: step, Message: offboarding.TransferDocuments{
		AdminID: w.ids[admin], NewOwnerID: w.ref(newOwner), DocumentIDs: w.refs(documents),
	}}
	to := ""
	answer := w.do("authorize transfer", fmt.Sprintf("%s by %s to %s of %v", d.name, admin, newOwner, documents),
		said(w, w.store.AuthorizeTransfer, in, func(out offboarding.TransferAuthorized) string { return "to " + w.nameOf(out.NewOwnerID) }),
		func() (answer string) {
			answer, to = w.m.authorizeTransfer(d.modelCase, admin, newOwner, documents)
			return answer
		})
	if !wasRefused(answer) {
		d.transfers = append(d.transfers, &messageSweep{name: step.Name + "/sweep", admin: admin, newOwner: to, documents: documents})
	}
}

func (w *world) transferOn(d *driver) {
	s := d.transfers[0]
	in := offboarding.SweepInput{ActorID: w.ids[s.admin], NewOwnerID: w.ids[s.newOwner], DocumentIDs: w.refs(s.documents)}
	_, done := w.batch(d, "transfer message", s.name, w.store.TransferBatch, in, &s.cursor,
		func(in func(*modelDocument) bool) string {
			return w.m.transferBatch(d.modelCase, s.newOwner, s.admin, false, in)
		})
	if done {
		d.transfers = d.transfers[1:]
	}
}

func outcome(out offboarding.Outcome) string { return out.Outcome }

func (w *world) extend() {
	d, admin := w.anyCase(offboarding.PhaseGrace), w.admin()
	until := w.m.now.Add(pick(w, "by", []time.Duration{30 * 24 * time.Hour, 60 * 24 * time.Hour, 90 * 24 * time.Hour, time.Hour, -time.Hour})).Truncate(time.Second)
	in := offboarding.ExtendGraceInput{Step: w.message(d), Message: offboarding.ExtendGrace{AdminID: w.ids[admin], Until: until.Format(time.RFC3339)}}
	w.do("extend", d.name+" by "+admin+" until "+until.Format("02 15:04"), said(w, w.store.ExtendGrace, in, outcome),
		func() string { return w.m.extend(d.modelCase, admin, until) })
}

func (w *world) reschedule() {
	d := w.anyCase(offboarding.PhaseScheduled)
	admin, provider := w.someAdmin(d.leaver, d.removal)
	at := w.m.now.Add(pick(w, "by", []time.Duration{24 * time.Hour, 72 * time.Hour, -time.Hour})).Truncate(time.Second)
	in := offboarding.RescheduleInput{Step: w.message(d), Message: offboarding.Reschedule{
		AdminID: w.ids[admin], Provider: provider, EffectiveAt: at.Format(time.RFC3339),
	}}
	answer := w.do("reschedule", d.name+" by "+provider+" "+admin+" to "+at.Format("02 15:04"), said(w, w.store.Reschedule, in, outcome),
		func() string { return w.m.reschedule(d.modelCase, admin, provider, at) })
	d.waited = d.waited || !wasRefused(answer) && at.After(w.m.now)
}

func (w *world) cancel() {
	d := w.anyCase(offboarding.PhaseScheduled)
	admin, provider := w.someAdmin(d.leaver, d.removal)
	in := offboarding.CancelInput{Step: w.message(d), Message: offboarding.Cancel{AdminID: w.ids[admin], Provider: provider}}
	w.do("cancel", d.name+" by "+provider+" "+admin, said(w, w.store.Cancel, in, outcome),
		func() string { return w.m.cancel(d.modelCase, admin, provider) })
}

// reactivate asks for a reactivation; it is carried out as the case goes on.
func (w *world) reactivate() {
	d := w.someCase(offboarding.PhaseGrace, offboarding.PhaseReadOnly, offboarding.PhaseTransferring)
	admin, provider := w.someAdmin(d.leaver, d.removal)
	for len(d.transfers) > 0 || d.cursor != "" { // it waits for what is under way
		w.goOnWith(d)
	}
	step := w.message(d)
	r := &underWay{
		id: step.Name, admin: w.m.asker(admin, provider), provider: provider, returnDocuments: rapid.Bool().Draw(w.T, "return"), stage: "restore",
	}
	in := offboarding.ReactivateInput{Step: step, Message: offboarding.Reactivate{
		AdminID: w.ids[admin], Provider: provider, ReturnDocuments: r.returnDocuments,
	}}
	kind := "authorize reactivation"
	if provider != "" {
		kind = "provider reactivates"
	}
	answer := w.do(kind, fmt.Sprintf("%s by %s %s, return %v", d.name, provider, admin, r.returnDocuments),
		said(w, w.store.AuthorizeReactivation, in, func(id string) string { return "allowed to " + w.nameOf(id) }), func() string {
			if broken := w.m.judgeReactivation(d.modelCase, admin, provider); len(broken) > 0 {
				return broken.String()
			}
			return "allowed to " + r.admin
		})
	if !wasRefused(answer) {
		d.reactivation = r
	}
}

// gone are those whose case has closed and left them inactive.
func (w *world) gone() []string {
	return w.who(func(m *modelMember) bool { return !m.active && !m.deleted && w.m.openCase(m.name) == nil })
}

// rehire asks for the reactivation of a member, without knowing the case.
func (w *world) rehire() {
	admins := w.who(func(m *modelMember) bool { return w.m.admin(m.name) })
	settled := w.who(func(m *modelMember) bool {
		open := w.m.openCase(m.name)
		return open == nil || open.phase != offboarding.PhaseReactivated
	})
	member := mostly(w, "member", w.gone(), settled)
	admin, provider := pick(w, "admin", append(admins, w.gone()...)), ""
	if !w.m.members[member].deleted && w.m.members[member].managedBy != "" {
		admin, provider = w.someAdmin(member, false)
	}
	if w.m.members[member].active && len(w.m.asking(admin, provider, member, false)) > 0 {
		admin, provider = admins[0], "" // of one who has come back before, nobody else is told
	}
	if w.m.members[member].active && len(w.m.asking(admin, provider, member, false)) > 0 {
		return
	}
	w.beginReactivation("rehire", member, offboarding.ReactivationRequest{MemberID: w.ids[member]}, admin, provider)
}

// rehireMany asks for the reactivation of several, and for each where all are allowed
// together.
func (w *world) rehireMany() {
	var members []string
	for range rapid.IntRange(1, 3).Draw(w.T, "members") {
		members = append(members, mostly(w, "member", w.gone(), w.who(func(m *modelMember) bool {
			return m.deleted || !m.active && w.m.openCase(m.name) == nil
		})))
	}
	admin := w.admin()
	in := offboarding.BeginReactivationInput{
		Step:    offboarding.Step{CaseID: newID(), Name: "check", At: w.m.now},
		Request: offboarding.ReactivationRequest{MemberIDs: w.refs(members), RequestedBy: w.ids[admin]},
	}
	answer := w.do("rehire many", fmt.Sprintf("%v by %s", members, admin), w.only("judged", func(ctx context.Context) error {
		return w.store.CheckReactivation(ctx, in)
	}), func() string { return w.m.judgeMany(members) })
	if wasRefused(answer) {
		return
	}
	for _, member := range members {
		w.beginReactivation("rehire one of many", member, offboarding.ReactivationRequest{}, admin, "")
	}
}

func (w *world) beginReactivation(kind, member string, r offboarding.ReactivationRequest, admin, provider string) {
	r.RequestedBy, r.Provider, r.ReturnDocuments = w.ids[admin], provider, rapid.Bool().Draw(w.T, "return")
	id := newID()
	in := offboarding.BeginReactivationInput{
		Step: offboarding.Step{CaseID: id, Name: "begin", At: w.m.now}, ID: "reactivation/" + id, MemberID: w.ids[member],
		WorkflowID: offboarding.ReactivationWorkflowID(w.ids[member]), Messages: "update/reactivation/" + id,
		Request: r,
	}
	var reopened *modelCase
	w.do(kind, fmt.Sprintf("%s by %s %s, return %v", member, provider, admin, r.ReturnDocuments),
		said(w, w.store.BeginReactivation, in, func(b offboarding.ReactivationBegun) string {
			switch {
			case b.OpenCase != "":
				return "to the open " + w.nameOf(b.CaseID)
			case b.Reactivation != nil:
				return "reopens " + w.nameOf(b.CaseID)
			}
			return "active"
		}), func() (answer string) {
			answer, reopened = w.m.rehire(member, admin, provider)
			return answer
		})
	for _, d := range w.drivers {
		if d.modelCase == reopened {
			d.reactivation = &underWay{id: in.ID, admin: w.m.asker(admin, provider), provider: provider, returnDocuments: r.ReturnDocuments, stage: "restore"}
		}
	}
}

// remove deletes somebody who is not active, mostly; who is, is offboarded first.
func (w *world) remove() {
	left := w.who(func(m *modelMember) bool { return !m.active && !m.deleted })
	for _, d := range w.cases(func(d *driver) bool { return !d.removal && w.m.members[d.leaver].active }) {
		left = append(left, d.leaver) // on their way out, or back
	}
	member := mostly(w, "member", left, w.anybody())
	admin, provider := w.someAdmin(member, false)
	id := newID()
	in := offboarding.BeginDeletionInput{
		Step:    offboarding.Step{CaseID: id, Name: "begin", At: w.m.now},
		Request: offboarding.DeletionRequest{MemberID: w.ids[member], RequestedBy: w.ids[admin], Provider: provider},
	}
	w.do("delete", member+" by "+provider+" "+admin, func() string {
		begun, err := w.store.BeginDeletion(w.Context(), in)
		switch {
		case err != nil:
			return w.refusal(err)
		case begun.Offboard:
			return "offboards first"
		case begun.Wait:
			return "waits"
		}
		erase := in
		erase.Name = "erase"
		out, err := w.store.EraseMember(w.Context(), erase)
		if err != nil {
			return w.refusal(err)
		}
		return fmt.Sprintf("deleted, %d documents stay", out.Documents)
	}, func() string { return w.m.remove(member, admin, provider) })
}

func (w *world) reactivateOn(d *driver) {
	c, r := d.modelCase, d.reactivation
	in := offboarding.SweepInput{ActorID: w.ids[r.admin]}
	switch r.stage {
	case "restore":
		_, done := w.batch(d, "restore", r.id+"/restore", w.store.RestoreBatch, in, &d.cursor,
			func(in func(*modelDocument) bool) string { return w.m.restoreBatch(c, r.admin, in) })
		switch {
		case done && !c.reopened:
			r.stage = "member"
		case done && r.returnDocuments: // the member is active already
			r.stage = "return"
		case done:
			r.stage = "grant"
		}
	case "member":
		in := offboarding.ReactivateInput{Step: w.step(d, r.id+"/member"), ID: r.id, Message: offboarding.Reactivate{
			AdminID: w.ids[r.admin], Provider: r.provider, ReturnDocuments: r.returnDocuments,
		}}
		answer := w.do("reactivate", c.leaver, said(w, w.store.ReactivateMember, in, outcome), func() string { return w.m.reactivate(c, r.admin, r.provider) })
		switch {
		case wasRefused(answer): // as the workflow: what was unlocked is locked again
			d.reactivation, d.locked = nil, false
			d.restores++
			d.disposed = d.disposed && c.disposition != offboarding.DispositionArchive
			d.unarchived = c.disposition == offboarding.DispositionArchive && (c.phase == offboarding.PhaseGrace || c.phase == offboarding.PhaseReadOnly)
		case r.returnDocuments:
			r.stage = "return"
		default:
			r.stage = "grant"
		}
	case "return":
		_, done := w.batch(d, "return", r.id+"/return", w.store.ReturnBatch, in, &d.cursor,
			func(in func(*modelDocument) bool) string { return w.m.returnBatch(c, r.admin, in) })
		if done {
			r.stage = "grant"
		}
	case "grant":
		in.Step = w.step(d, r.id+"/grant")
		w.do("grant", d.name, func() string {
			granted := 0
			for cursor, done := "", false; !done; {
				s, err := w.store.GrantBatch(w.Context(), in, cursor)
				if err != nil {
					return w.refusal(err)
				}
				granted, cursor, done = granted+s.Documents, s.Cursor, s.Done
			}
			return fmt.Sprintf("%d granted", granted)
		}, func() string { return w.m.grantEdit(c, r.admin) })
		r.stage = "close"
	case "close":
		step := w.step(d, r.id+"/close")
		w.do("close", d.name, w.only("closed", func(ctx context.Context) error { return w.store.CloseReactivated(ctx, step) }), func() string {
			w.m.closeReactivated(c)
			return "closed"
		})
		d.reactivation = nil
	}
}

// archivable are the cases that have left somebody inactive whom Entra manages, closed
// ones too.
func (w *world) archivable() []*driver {
	var found []*driver
	for _, d := range w.drivers {
		who := w.m.members[d.leaver]
		if d.inactive() && !d.removal && !who.deleted && who.managedBy == offboarding.IdentityProviderEntra {
			found = append(found, d)
		}
	}
	return found
}

// archiveMember archives a leaver, now and then before the time has come.
func (w *world) archiveMember() {
	d := pick(w, "case", w.archivable())
	if at := w.m.archiveAt(d.modelCase); at != nil && at.After(w.m.now) && rapid.IntRange(0, 3).Draw(w.T, "early") < 3 {
		w.m.now = *at
	}
	d.n++
	in := w.step(d, fmt.Sprintf("archive-member/%d", d.n))
	w.do("archive the member", d.leaver+" of "+d.name, said(w, w.store.ArchiveMember, in, func(archived bool) string {
		return map[bool]string{true: "archived", false: "not archived"}[archived]
	}), func() string { return w.m.archiveMember(d.modelCase) })
}

// lookAgain counts afresh what a case that waits still waits for.
func (w *world) lookAgain() {
	w.settle(pick(w, "case", w.cases(w.parked)), time.Time{})
}

func (w *world) parked(d *driver) bool {
	parked := d.phase == offboarding.PhaseGrace || d.phase == offboarding.PhaseReadOnly && d.locked
	return parked && d.reactivation == nil && len(d.transfers) == 0
}

// repeatable are steps of the past, but for those of a deleted member's cases, whose
// records are gone.
func (w *world) repeatable() []pastStep {
	return slices.DeleteFunc(slices.Clone(w.past), func(p pastStep) bool { return p.of != nil && w.m.members[p.of.leaver].deleted })
}

// repeat runs a step of the past: it answers as it did, and changes nothing.
func (w *world) repeat() {
	p := pick(w, "step", w.repeatable())
	if again := p.run(); again != p.answer {
		w.fail("%s, run again later, came to:\n  %s\nand at first to:\n  %s", p.what, again, p.answer)
	}
	w.tell("again: %s", p.what)
	w.tally["repeat: of the past"]++
	w.matches()
}

// moved are documents that a case has given to somebody who is there and has them.
func (w *world) moved() []*modelDocument {
	return w.m.documentsWhere(func(d *modelDocument) bool {
		return d.movedBy != nil && d.owner == d.movedTo && w.m.members[d.owner].active && !w.m.held(d) && !w.m.members[d.movedBy.leaver].deleted
	})
}

// passOn lets an owner give away what a case gave them: as the platform does, which
// writes an event of its own.
func (w *world) passOn() {
	d := pick(w, "document", w.moved())
	to := pick(w, "to", w.who(func(m *modelMember) bool { return w.m.eligibleOwner(m.name, d.owner) && m.name != d.movedBy.leaver }))
	from := w.ids[d.owner]
	w.doOnce("pass on", d.name+" to "+to, func() string {
		w.o.Exec(`UPDATE documents d SET owner_id = $2, folder_id = (SELECT id FROM folders f WHERE f.id = d.folder_id AND f.owner_id IS NULL) WHERE id = $1`,
			w.ids[d.name], w.ids[to])
		w.o.Exec(`INSERT INTO audit_events (organization_id, event, actor_id, origin, member_id, document_id, subject_kind, subject_id, before, after, at)
			VALUES ($1, 'TransferDocs', $2::uuid, '', $2, $3::uuid, 'document', $3, jsonb_build_object('owner_id', $2::uuid), jsonb_build_object('owner_id', $4::uuid), $5)`,
			w.o.ID, from, w.ids[d.name], w.ids[to], w.m.now)
		return "passed on"
	}, func() string { return w.m.passOn(d, to) })
}

// hold puts a legal hold on what is unowned, mostly, or on a member.
func (w *world) hold() {
	on := ""
	if rapid.IntRange(0, 2).Draw(w.T, "on a member") == 2 {
		on = mostly(w, "member", w.who(func(m *modelMember) bool { return !m.active }), w.everybody())
	} else {
		all := w.documentNames(func(*modelDocument) bool { return true })
		on = mostly(w, "document", w.documentNames(func(d *modelDocument) bool { return !w.m.members[d.owner].active }), all)
	}
	admin := w.admin()
	w.holds++
	name := fmt.Sprintf("hold%d", w.holds)
	h := offboarding.Hold{Reason: "a matter", DocumentID: w.ids[w.m.documentOr(on)]}
	if h.DocumentID == "" {
		h.MemberID = w.ids[on]
	}
	w.doOnce("hold", on+" by "+admin, func() string {
		id, err := w.store.PlaceHold(w.Context(), h, w.ids[admin], w.m.now)
		if err != nil {
			return w.refusal(err)
		}
		w.ids[name] = id
		return "placed"
	}, func() string { return w.m.placeHold(name, on, admin) })
}

func (w *world) lift() {
	h, admin := pick(w, "hold", w.m.holds), w.admin()
	w.doOnce("lift", h.on+" by "+admin, func() string {
		if err := w.store.LiftHold(w.Context(), w.ids[h.name], w.ids[admin], "", w.m.now); err != nil {
			return w.refusal(err)
		}
		return "lifted"
	}, func() string { return w.m.liftHold(h, admin) })
}

// settings changes what the organization allows.
func (w *world) settings() {
	active, all := w.m.activeMembers(), w.m.settings()
	changes := map[string]string{}
	for range rapid.IntRange(1, 2).Draw(w.T, "settings") {
		switch name := pick(w, "setting", slices.Sorted(maps.Keys(all))); name {
		case "claim_policy":
			changes[name] = string(pick(w, "policy", []offboarding.ClaimPolicy{offboarding.PolicySelfServe, offboarding.PolicyApproval}))
		case "default_disposition":
			changes[name] = string(pick(w, "default", []offboarding.Disposition{"retain", "transfer", "archive"}))
		case "sso_sessions":
			changes[name] = string(pick(w, "sessions", []offboarding.SSOSessions{offboarding.SSOWait, offboarding.SSORevoke}))
		case "seat_limit":
			changes[name] = strconv.Itoa(pick(w, "seats", []int{0, active, active + 1, active - 1}))
		case "provisioning_admin":
			changes[name] = mostly(w, "provisioning", w.who(func(m *modelMember) bool { return w.m.admin(m.name) }), append(w.anybody(), ""))
		}
	}
	admin := w.admin()
	in := offboarding.SettingsChange{OrganizationID: w.o.ID, AdminID: w.ids[admin], Changes: maps.Clone(changes), At: w.m.now}
	if name, ok := changes["provisioning_admin"]; ok {
		in.Changes["provisioning_admin"] = w.ids[name]
	}
	w.doOnce("settings", fmt.Sprintf("%v by %s", changes, admin), func() string {
		_, changed, err := w.store.ChangeSettings(w.Context(), in)
		if err != nil {
			return w.refusal(err)
		}
		names := []string{}
		for _, c := range changed {
			names = append(names, c.Name)
		}
		slices.Sort(names)
		return fmt.Sprintf("changed %v", names)
	}, func() string { return w.m.changeSettings(admin, changes) })
}

func (w *world) seatFree() bool {
	return len(w.m.members) < 13 && (w.m.seats == 0 || w.m.activeMembers() < w.m.seats)
}

// hire takes a seat.
func (w *world) hire() {
	name := fmt.Sprintf("new%d", len(w.m.members))
	w.tell("hire %s", name)
	w.member(name, "", offboarding.RoleContributor, offboarding.AccountMaker, "boss")
	w.matches()
}

// signIn makes a credential and two sessions of somebody active, one by SSO.
func (w *world) signIn() {
	signed := w.cases(sessionsWait) // who goes on working
	name := mostly(w, "member", w.free(), w.who(func(m *modelMember) bool { return m.active }))
	if len(signed) > 0 && rapid.Bool().Draw(w.T, "who leaves") {
		name = signed[0].leaver
	}
	lasts := pick(w, "lasts", []time.Duration{0, 10 * time.Minute, 2 * time.Hour, 30 * time.Hour})
	w.tell("sign in %s for %s", name, lasts)
	w.o.Credential(w.ids[name])
	w.o.Session(w.ids[name])
	w.m.members[name].live += 2
	w.signInBySSO(name, lasts)
	w.matches()
}

// signInBySSO makes a session that lasts so long, 0 for ever.
func (w *world) signInBySSO(name string, lasts time.Duration) {
	s := modelSession{made: w.m.now}
	var ends *time.Time
	if lasts > 0 {
		s.ends = s.made.Add(lasts)
		ends = &s.ends
	}
	w.o.Exec(`INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at, expires_at) VALUES ($1, $2, $3, true, 'active', $4, $5)`,
		newID(), w.o.ID, w.ids[name], s.made, ends)
	w.m.members[name].sso = append(w.m.members[name].sso, s)
}
