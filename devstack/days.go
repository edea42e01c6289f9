package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"handover/internal/temporalserver"
	"handover/internal/terminal"
	"handover/offboarding"
)

// until lets days pass on the Temporal server's own clock, for every open case.
func (s *story) until(ctx context.Context, day int, title string) error {
	s.chapter(fmt.Sprintf("Day %d: %s", day, title))
	// A little after the hour at which everything began, so that what is due on that day has happened.
	target := time.Duration(day)*24*time.Hour + time.Minute
	d := target - s.skipped
	s.skipped, s.day = target, day
	err := s.each(ctx, "days pass", len(s.open), func(ctx context.Context, i int) error {
		return temporalserver.FastForward(ctx, s.stack.Client(), s.stack.Namespace(), s.open[i], d)
	})
	if err != nil {
		return err
	}
	return s.keepOpen(ctx)
}

// keepOpen forgets the cases that have closed.
func (s *story) keepOpen(ctx context.Context) error {
	s.open = nil
	return s.store.DB().SelectContext(ctx, &s.open, `SELECT workflow_id FROM cases WHERE closed_at IS NULL ORDER BY id`)
}

// each does something n times, some at the same time, and shows how far it is.
func (s *story) each(ctx context.Context, what string, n int, do func(context.Context, int) error) error {
	bar := terminal.NewBar(s.err, what)
	defer bar.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, done := 0, 0
	for range min(s.concurrency, n) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || ctx.Err() != nil {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				done++
				bar.Set(done, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// claims: colleagues with an edit grant take half of what they may claim; where
// two may, both try at once.
func (s *story) claims(ctx context.Context) error {
	if err := s.until(ctx, 2, "colleagues claim"); err != nil {
		return err
	}
	all, err := s.asking(ctx, true, "grace")
	if err != nil {
		return err
	}
	if all, err = s.holdOne(ctx, all); err != nil {
		return err
	}
	var chosen []asking
	for i, a := range all {
		if i%2 == 0 {
			chosen = append(chosen, a)
		}
	}
	var mu sync.Mutex
	races, lost, requested := 0, 0, 0
	claim := func(ctx context.Context, a asking, member string) (string, error) {
		out, err := s.cases.Claim(ctx, a.WorkflowID, offboarding.ClaimRequest{DocumentID: a.DocumentID, MemberID: member})
		return out.Outcome, err
	}
	err = s.each(ctx, "claiming", len(chosen), func(ctx context.Context, i int) error {
		a := chosen[i]
		members := []string{a.MemberID}
		if a.RivalID != "" && i%4 == 0 {
			members = append(members, a.RivalID)
		}
		outcomes := make([]string, len(members))
		errs := make([]error, len(members))
		var wg sync.WaitGroup
		for k, member := range members {
			wg.Go(func() { outcomes[k], errs[k] = claim(ctx, a, member) })
		}
		wg.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(members) > 1 {
			races++
		}
		for k := range members {
			switch {
			case offboarding.CodeOf(errs[k]) == offboarding.CodeAlreadyOwned:
				lost++
			case errs[k] != nil:
				return errs[k]
			case outcomes[k] == offboarding.OutcomeClaimed:
				s.figures.Claimed++
			default:
				requested++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.figures.Requested += requested
	s.say("%s could be claimed by a maker with an edit grant; they take %s.", count(len(all), "document"), count(s.figures.Claimed, "document"))
	if races > 0 {
		s.say("For %s two colleagues asked at the same moment: the first had it, %d times the second heard %q.",
			count(races, "document"), lost, offboarding.CodeAlreadyOwned)
	}
	if requested > 0 {
		s.say("This organization lets an admin decide: %s wait for a decision.", count(requested, "request"))
	}
	return nil
}

// holdOne places a legal hold on one of the documents, and leaves it out of them.
func (s *story) holdOne(ctx context.Context, all []asking) ([]asking, error) {
	if len(all) < 2 {
		return all, nil
	}
	a := all[len(all)-1]
	hold, err := s.store.PlaceHold(ctx, offboarding.Hold{DocumentID: a.DocumentID, Reason: "matter 12"}, s.admin.ID, time.Now().UTC())
	if err != nil {
		return nil, err
	}
	_, err = s.cases.Claim(ctx, a.WorkflowID, offboarding.ClaimRequest{DocumentID: a.DocumentID, MemberID: a.MemberID})
	switch offboarding.CodeOf(err) {
	case offboarding.CodeLegalHold:
		s.say("%s is evidence: %s puts a legal hold on it, and when %s wants to claim it the answer is %q.",
			a.Title, s.admin.Name, a.Name, offboarding.CodeLegalHold)
	case "":
		if err != nil {
			return nil, err
		}
		s.say("%s is evidence: %s puts a legal hold on it. It can be asked for, and is given to nobody.", a.Title, s.admin.Name)
	default:
		return nil, err
	}
	s.hold, s.held = hold, a
	s.figures.Held++
	return all[:len(all)-1], nil
}

// requests: colleagues who may not claim ask; an admin approves or rejects.
func (s *story) requests(ctx context.Context) error {
	if err := s.until(ctx, 3, "others ask, and an admin decides"); err != nil {
		return err
	}
	askers, err := s.asking(ctx, false, "grace")
	if err != nil {
		return err
	}
	err = s.each(ctx, "asking", len(askers), func(ctx context.Context, i int) error {
		a := askers[i]
		_, err := s.cases.Claim(ctx, a.WorkflowID, offboarding.ClaimRequest{DocumentID: a.DocumentID, MemberID: a.MemberID})
		if offboarding.CodeOf(err) == offboarding.CodeAlreadyRequested {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if s.figures.Requested, err = s.number(ctx, `SELECT count(*) FROM ownership_requests`); err != nil {
		return err
	}
	pending, err := s.pending(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	superseded := 0
	err = s.each(ctx, "deciding", len(pending), func(ctx context.Context, i int) error {
		p := pending[i]
		decision := offboarding.AdminApproval{RequestID: p.ID, AdminID: s.admin.ID, Decision: offboarding.DecisionApprove, NewOwnerID: p.NewOwner}
		if i%3 == 2 {
			decision = offboarding.AdminApproval{
				RequestID: p.ID, AdminID: s.admin.ID, Decision: offboarding.DecisionReject, Note: "somebody else will take it",
			}
		}
		out, err := s.cases.Decide(ctx, p.WorkflowID, decision)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case offboarding.CodeOf(err) == offboarding.CodeRequestNotPending:
			superseded++
		case err != nil:
			return err
		case out.Outcome == offboarding.OutcomeApproved:
			s.figures.Approved++
		default:
			s.figures.Rejected++
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.say("Members who cannot own documents, or may only read them, ask: %s. %s approves %d and rejects %d.",
		count(s.figures.Requested, "request"), s.admin.Name, s.figures.Approved, s.figures.Rejected)
	if superseded > 0 {
		s.say("%s fell away because somebody else got the document.", count(superseded, "request"))
	}
	return nil
}

// transfer: an admin gives what one leaver left to a colleague.
func (s *story) transfer(ctx context.Context) error {
	if err := s.until(ctx, 4, "an admin transfers what a leaver left"); err != nil {
		return err
	}
	estates, err := s.estates(ctx)
	if err != nil {
		return err
	}
	for _, e := range estates {
		if e.Colleague == "" {
			continue
		}
		out, err := s.cases.Transfer(ctx, e.WorkflowID, offboarding.TransferDocuments{AdminID: s.admin.ID, NewOwnerID: e.Colleague})
		if err != nil {
			return err
		}
		s.say("%s gives what %s left, %s, to %s:", s.admin.Name, e.Name, count(out.Documents, "document"), e.Colleagues)
		s.say("what was in My Documents is now in My Documents / %s / %s, the rest kept its place.", offboarding.ArchivedUsersFolder, e.Name)
		return s.keepOpen(ctx)
	}
	s.say("Nothing is left to transfer.")
	return nil
}

// rehire: a leaver comes back.
func (s *story) rehire(ctx context.Context) error {
	if err := s.until(ctx, 5, "a leaver comes back"); err != nil {
		return err
	}
	estates, err := s.estates(ctx)
	if err != nil {
		return err
	}
	for _, wantMoved := range []bool{true, false} {
		for _, e := range estates {
			if wantMoved && e.Moved == 0 {
				continue
			}
			_, err := s.cases.Reactivate(ctx, e.WorkflowID, offboarding.Reactivate{AdminID: s.admin.ID})
			var refusal *offboarding.Refusal
			if errors.As(err, &refusal) {
				s.say("%s cannot come back: %s.", e.Name, refusal.Violations[0].Message)
				return nil
			}
			if err != nil {
				return err
			}
			s.figures.Reactivated++
			s.kept += e.Unowned
			s.say("%s is hired again. The account works, %s are %s's as before.", e.Name, count(e.Unowned, "document"), e.Name)
			s.say("%s that found a new owner stay there, and %s may edit them; revoked credentials stay revoked.",
				count(e.Moved, "document"), e.Name)
			return s.keepOpen(ctx)
		}
	}
	s.say("Everybody's documents have found owners; nobody is left to come back.")
	return nil
}

// graceEnds: what nobody wanted is locked.
func (s *story) graceEnds(ctx context.Context) error {
	if err := s.until(ctx, 7, "the grace period ends"); err != nil {
		return err
	}
	locked, err := s.number(ctx, `SELECT count(*) FROM documents WHERE access = 'read_only'`)
	if err != nil {
		return err
	}
	s.say("%s still had no owner and are read-only now. Nothing is deleted, and they can still be claimed.", count(locked, "document"))
	return nil
}

// lateClaim: somebody claims a read-only document.
func (s *story) lateClaim(ctx context.Context) error {
	if err := s.until(ctx, 9, "somebody needs a locked document"); err != nil {
		return err
	}
	all, err := s.asking(ctx, true, "read_only")
	if err != nil {
		return err
	}
	if s.hold != "" {
		if err := s.store.LiftHold(ctx, s.hold, s.admin.ID, "", time.Now().UTC()); err != nil {
			return err
		}
		s.say("The matter is closed, and the hold on %s is lifted.", s.held.Title)
	}
	if len(all) == 0 {
		s.say("No locked document can be claimed.")
		return nil
	}
	a := all[0]
	if i := slices.IndexFunc(all, func(other asking) bool { return other.DocumentID == s.held.DocumentID }); i >= 0 {
		a = all[i]
	}
	out, err := s.cases.Claim(ctx, a.WorkflowID, offboarding.ClaimRequest{DocumentID: a.DocumentID, MemberID: a.MemberID})
	if err != nil {
		return err
	}
	if out.Outcome != offboarding.OutcomeClaimed {
		s.figures.Requested++
		s.say("%s asks for %q; an admin will decide.", a.Name, a.Title)
		return nil
	}
	s.figures.Claimed++
	s.say("%s claims %q. It has an owner again, and is editable at once.", a.Name, a.Title)
	return nil
}

// forget deletes a leaver for good.
func (s *story) forget(ctx context.Context) error {
	leaver, err := s.castForgotten(ctx)
	if leaver.ID == "" || err != nil {
		return err
	}
	s.chapter(fmt.Sprintf("Day %d: a former member asks to be forgotten", s.day))
	result, err := s.cases.Delete(ctx, offboarding.DeletionRequest{MemberID: leaver.ID, RequestedBy: s.admin.ID})
	if err != nil {
		return err
	}
	s.figures.Deleted++
	e := result.Erased
	s.say("%s deletes %s for good: address, external ID and all that was written about them are erased (%s,", s.admin.Name, leaver.Name,
		count(e.Credentials, "credential"))
	s.say("%s, %s). Documents, grants of others and every audit event stay; nobody can bring the account back.",
		count(e.Requests, "request"), count(e.Steps, "record"))
	return nil
}
