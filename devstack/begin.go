package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"handover/internal/terminal"
	"handover/offboarding"
)

// read reads the eight files; all that is wrong with them is reported at once.
func (s *story) read() (offboarding.Import, []offboarding.Leaver, error) {
	if info, err := os.Stat(s.data); err != nil || !info.IsDir() {
		return offboarding.Import{}, nil, fmt.Errorf("--data: %s is not a folder", s.data)
	}
	in, err := offboarding.ReadImport(os.DirFS(s.data))
	wrong := &offboarding.ImportError{}
	if err != nil && !errors.As(err, &wrong) {
		return in, nil, err
	}
	leavers, rows, err := s.readLeavers()
	if err != nil {
		return in, nil, err
	}
	wrong.Rows = append(wrong.Rows, rows...)
	if len(wrong.Rows) > 0 {
		return in, nil, wrong
	}
	return in, leavers, nil
}

func (s *story) readLeavers() ([]offboarding.Leaver, []offboarding.RowError, error) {
	file, err := os.Open(filepath.Join(s.data, offboarding.LeaversFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, []offboarding.RowError{{File: offboarding.LeaversFile, Reason: "the file is missing"}}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the list of leavers: %w", err)
	}
	defer func() { _ = file.Close() }() // read only
	leavers, wrong := offboarding.ReadLeavers(file)
	return leavers, wrong, nil
}

func (s *story) importOrganization(ctx context.Context, in offboarding.Import) error {
	s.chapter("The organization")
	bar := terminal.NewBar(s.err, "importing")
	summary, err := s.store.Import(ctx, in, time.Now().UTC(), bar.Set)
	bar.Done()
	if err != nil {
		return err
	}
	f := &s.figures
	f.Organization, f.Members, f.Documents = in.Organization.Slug, len(in.Members), len(in.Documents)
	s.say("%s has %s and %s in %s. %s open them to colleagues;", in.Organization.Name, count(f.Members, "member"),
		count(f.Documents, "document"), count(summary.Folders, "folder"), count(len(in.Grants), "grant"))
	s.say("%s run by themselves, and %s let programs in.", count(len(in.Schedules), "schedule"), count(len(in.Credentials), "credential"))
	return nil
}

// leave offboards everybody on the list in one run (rule B1).
func (s *story) leave(ctx context.Context, leavers []offboarding.Leaver) error {
	emails := make([]string, 0, 2*len(leavers))
	for _, l := range leavers {
		emails = append(emails, strings.ToLower(l.Email))
	}
	if err := s.castAdmin(ctx, emails); err != nil {
		return err
	}
	f := &s.figures
	f.Leavers, f.Refused = len(leavers), map[string]int{}
	request, err := s.bulk(ctx, leavers)
	if err != nil {
		return err
	}
	if err := s.preview(ctx, request); err != nil {
		return err
	}
	s.chapter("Day 0: the HR system sends its list of leavers")
	s.say("%s asks to offboard %s in one run.", s.admin.Name, count(len(leavers), "member"))
	s.begun = time.Now()
	if len(request.Members) > 0 {
		if err := s.run(ctx, request); err != nil {
			return err
		}
	}
	if f.DocumentsOfLeavers, err = s.number(ctx, `SELECT count(*) FROM documents d WHERE d.owner_id IN (SELECT member_id FROM cases)
		OR d.moved_by_case_id IS NOT NULL`); err != nil {
		return err
	}
	for _, code := range sortedKeys(f.Refused) {
		s.say("%s refused: %s (%s).", count(f.Refused[code], "leaver"), code, meaning[offboarding.Code(code)])
	}
	s.say("They leave %s behind. Grants stay: everybody who could open them still can.", count(f.DocumentsOfLeavers, "document"))
	s.say("For the grace period everything stays editable, so that nobody is stopped while owners are found.")
	return s.keepOpen(ctx)
}

// bulk is the run that the list asks for. Whom it cannot name is refused here.
func (s *story) bulk(ctx context.Context, leavers []offboarding.Leaver) (offboarding.BulkRequest, error) {
	r := offboarding.BulkRequest{RequestedBy: s.admin.ID, Origin: "SCRIPT,Handover,demo", Rate: offboarding.MaxBulkRate}
	r.Disposition = offboarding.DispositionRetain // for those of whom the list says nothing
	var emails []string
	for _, l := range leavers {
		emails = append(emails, l.Email, l.NewOwnerEmail)
	}
	found, err := s.store.MembersByEmail(ctx, emails, s.figures.Organization)
	if err != nil {
		return r, err
	}
	named := func(email string) string {
		if members := found[strings.ToLower(email)]; len(members) == 1 {
			return members[0].ID
		}
		return ""
	}
	for _, l := range leavers {
		m := offboarding.BulkMember{MemberID: named(l.Email), BulkPlan: offboarding.BulkPlan{
			Reason: l.Reason, EffectiveAt: l.LastDay, Disposition: l.Disposition, NewOwnerID: l.NewOwnerEmail,
		}}
		known := m.MemberID != ""
		if m.NewOwnerID != "" && m.NewOwnerID != offboarding.NewOwnerManager {
			m.NewOwnerID = named(m.NewOwnerID)
			known = known && m.NewOwnerID != ""
		}
		if !known {
			s.figures.Refused[string(offboarding.CodeMemberNotFound)]++
			continue
		}
		r.Members = append(r.Members, m)
	}
	return r, nil
}

// preview shows what the largest offboarding of the list would do.
func (s *story) preview(ctx context.Context, list offboarding.BulkRequest) error {
	at, err := s.largest(ctx, list)
	if at < 0 || err != nil {
		return err
	}
	r := list.Request(at)
	p, err := s.store.Preview(ctx, r, time.Now().UTC())
	if err != nil || !p.Allowed {
		return err
	}
	next, err := s.store.Successors(ctx, r.MemberID, "", "", 1)
	if err != nil {
		return err
	}
	d := p.Documents
	s.chapter("Before anything happens: a preview of the largest estate")
	s.say("%s would leave %s behind, %d in My Documents and %d in shared folders; a colleague could claim %d of them.",
		p.MemberName, count(d.Total, "document"), d.MyDocuments, d.Shared, d.Claimable)
	if len(next.Suggestions) > 0 {
		s.say("Who could own them all: %s (%s).", next.Suggestions[0].Name, strings.Join(next.Suggestions[0].Why, ", "))
	}
	return nil
}

// run runs the list. One that would remove a large share of the organization is
// refused until somebody confirms it.
func (s *story) run(ctx context.Context, r offboarding.BulkRequest) error {
	const id = "leavers"
	result, err := s.offboard(ctx, id, r)
	if offboarding.CodeOf(err) == offboarding.CodeBulkLimitExceeded {
		s.say("Refused at first, nothing is changed: %s", err)
		s.say("%s looks at the list again, and confirms it.", s.admin.Name)
		r.Confirmed = true
		result, err = s.offboard(ctx, id, r)
	}
	if err != nil {
		return err
	}
	run, err := s.store.FindBulkRun(ctx, id, s.figures.Organization)
	if err != nil {
		return err
	}
	f := &s.figures
	f.Offboarded = result.Counts.Accepted()
	if err := s.refusals(ctx, id); err != nil {
		return err
	}
	revoked, err := s.number(ctx, `SELECT count(*) FROM credentials WHERE status = 'revoked'`)
	if err != nil {
		return err
	}
	s.say("%s: %s offboarded in %.1f s: nobody of them can sign in any more, %s revoked, the seats are free.",
		result.Message, count(result.Counts.Started, "member"), run.AccessGoneAt.Sub(run.CreatedAt).Seconds(), count(revoked, "credential"))
	if later := result.Counts.Scheduled; later > 0 {
		s.say("%s on the list leave later; their cases wait for the day.", count(later, "member"))
	}
	settled, err := s.number(ctx, `SELECT count(*) FROM cases WHERE closed_at IS NOT NULL`)
	if err != nil {
		return err
	}
	s.say("%d of them had nothing to hand over: their cases are closed already. The others' cases run.", settled)
	return nil
}

// offboard runs the list to its end.
func (s *story) offboard(ctx context.Context, id string, r offboarding.BulkRequest) (offboarding.BulkResult, error) {
	if _, err := s.cases.StartBulk(ctx, id, r); err != nil {
		return offboarding.BulkResult{}, err
	}
	bar := terminal.NewBar(s.err, "offboarding")
	defer bar.Done()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for ctx.Err() == nil {
			if status, err := s.cases.BulkStatus(ctx, id); err == nil {
				bar.Set(status.Counts.Total-status.Counts.Pending, status.Counts.Total)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return s.cases.BulkResult(ctx, id)
}

// refusals counts why members of the run were refused.
func (s *story) refusals(ctx context.Context, id string) error {
	filter := offboarding.BulkFilter{Outcome: offboarding.BulkMemberRefused, Limit: offboarding.MaxLimit}
	for {
		page, err := s.store.BulkMembers(ctx, id, filter)
		if err != nil {
			return err
		}
		for _, m := range page.Items {
			s.figures.Refused[string(m.Violations[0].Code)]++
		}
		if filter.Cursor = page.Next; page.Next == "" {
			return nil
		}
	}
}

// lastOwner: somebody tries to offboard the only owner.
func (s *story) lastOwner(ctx context.Context) error {
	owner, admin, err := s.castLastOwner(ctx)
	if owner.ID == "" || err != nil {
		return err
	}
	_, err = s.cases.StartAndAwait(ctx, offboarding.Request{MemberID: owner.ID, RequestedBy: admin.ID})
	var refusal *offboarding.Refusal
	if !errors.As(err, &refusal) {
		return errors.Join(errors.New("the last owner was not kept"), err)
	}
	s.chapter("Day 0: somebody asks for too much")
	s.say("%s asks to offboard %s too, the only owner who is left. Refused, with all that is wrong:", admin.Name, owner.Name)
	for _, v := range refusal.Violations {
		s.say("  %s: %s (rule %s)", string(v.Code), v.Message, v.Rule)
	}
	return nil
}

// meaning says what a refusal means, for somebody who sees the codes for the
// first time.
var meaning = map[offboarding.Code]string{
	offboarding.CodeISPDomain:           "a private address at a provider, not the organization's",
	offboarding.CodeDomainNotAssociated: "an address of another organization",
	offboarding.CodeLastOwner:           "the last active owner stays",
	offboarding.CodeSelfOffboarding:     "nobody offboards themselves",
	offboarding.CodeExternallyManaged:   "the identity provider does that",
	offboarding.CodeNotAuthorized:       "the admin may not",
	offboarding.CodeMemberNotFound:      "no such member",
	offboarding.CodeNewOwnerNotEligible: "the new owner cannot own documents",
	offboarding.CodeLegalHold:           "a court may want to see it",
}
