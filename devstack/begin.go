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

// leave starts a case for everybody on the list.
func (s *story) leave(ctx context.Context, leavers []offboarding.Leaver) error {
	emails := make([]string, len(leavers))
	for i, l := range leavers {
		emails[i] = strings.ToLower(l.Email)
	}
	if err := s.castAdmin(ctx, emails); err != nil {
		return err
	}
	f := &s.figures
	f.Leavers, f.Refused = len(leavers), map[string]int{}
	s.chapter("Day 0: the HR system sends its list of leavers")
	s.say("%s asks to offboard %s. All lose access first; then each gets a case.", s.admin.Name, count(len(leavers), "member"))

	s.begun = time.Now()
	later, gone, err := s.offboard(ctx, leavers)
	if err != nil {
		return err
	}
	if f.DocumentsOfLeavers, err = s.number(ctx, `SELECT count(*) FROM documents d WHERE d.owner_id IN (SELECT member_id FROM cases)
		OR d.moved_by_case_id IS NOT NULL`); err != nil {
		return err
	}
	revoked, err := s.number(ctx, `SELECT count(*) FROM credentials WHERE status = 'revoked'`)
	if err != nil {
		return err
	}
	s.say("%s offboarded in %.1f s: nobody of them can sign in any more, %s revoked, the seats are free.",
		count(f.Offboarded-later, "member"), gone.Seconds(), count(revoked, "credential"))
	if later > 0 {
		s.say("%s on the list leave later; their cases wait for the day.", count(later, "member"))
	}
	for _, code := range sortedKeys(f.Refused) {
		s.say("%s refused: %s (%s).", count(f.Refused[code], "leaver"), code, meaning[offboarding.Code(code)])
	}
	s.say("They leave %s behind. Grants stay: everybody who could open them still can.", count(f.DocumentsOfLeavers, "document"))
	s.say("For the grace period everything stays editable, so that nobody is stopped while owners are found.")
	return nil
}

// offboard runs the list, and counts what becomes of the leavers. It answers with
// how many leave later, and how long it took until all others had no access.
func (s *story) offboard(ctx context.Context, leavers []offboarding.Leaver) (later int, gone time.Duration, err error) {
	r := offboarding.BulkRequest{RequestedBy: s.admin.ID, Origin: "SCRIPT,Handover,demo", Confirmed: true, Rate: demoRate}
	r.Disposition = offboarding.DispositionRetain
	var emails []string
	for _, l := range leavers {
		emails = append(emails, l.Email, l.NewOwnerEmail)
	}
	found, err := s.store.MembersByEmail(ctx, emails, s.figures.Organization)
	if err != nil {
		return 0, 0, err
	}
	for _, l := range leavers {
		m := offboarding.BulkMember{BulkPlan: offboarding.BulkPlan{
			Reason: l.Reason, EffectiveAt: l.LastDay, Disposition: l.Disposition, NewOwnerID: l.NewOwnerEmail,
		}}
		if owner := found[strings.ToLower(l.NewOwnerEmail)]; len(owner) > 0 {
			m.NewOwnerID = owner[0].ID
		}
		if members := found[strings.ToLower(l.Email)]; len(members) > 0 {
			m.MemberID = members[0].ID
			r.Members = append(r.Members, m)
		} else {
			s.figures.Refused[string(offboarding.CodeMemberNotFound)]++
		}
	}
	if len(r.Members) == 0 {
		return 0, 0, nil
	}
	if _, err := s.cases.StartBulk(ctx, demoBulk, r); err != nil {
		return 0, 0, err
	}
	result, err := s.cases.BulkResult(ctx, demoBulk)
	if err != nil {
		return 0, 0, err
	}
	run, err := s.store.FindBulkRun(ctx, demoBulk, "")
	if err != nil {
		return 0, 0, err
	}
	s.figures.Offboarded = result.Counts.Accepted()
	for f := (offboarding.BulkFilter{Outcome: offboarding.BulkMemberRefused, Limit: offboarding.MaxLimit}); ; {
		page, err := s.store.BulkMembers(ctx, demoBulk, f)
		if err != nil {
			return 0, 0, err
		}
		for _, m := range page.Items {
			s.figures.Refused[string(m.Violations[0].Code)]++
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return result.Counts.Scheduled, run.AccessGoneAt.Sub(run.CreatedAt), s.keepOpen(ctx)
		}
	}
}

// The demo's list of leavers, and how many cases a second it starts.
const (
	demoBulk = "demo"
	demoRate = 200
)

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
}
