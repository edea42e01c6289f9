package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	s.say("%s asks to offboard %s. Each gets a case of its own.", s.admin.Name, count(len(leavers), "member"))

	s.begun = time.Now()
	var mu sync.Mutex
	later := 0
	err := s.each(ctx, "offboarding", len(leavers), func(ctx context.Context, i int) error {
		status, err := s.start(ctx, leavers[i])
		mu.Lock()
		defer mu.Unlock()
		var refusal *offboarding.Refusal
		switch {
		case errors.As(err, &refusal):
			f.Refused[string(refusal.Code())]++
		case err != nil:
			return err
		default:
			f.Offboarded++
			if status.Phase == offboarding.PhaseScheduled {
				later++
			}
			if !status.Phase.Closed() {
				s.open = append(s.open, status.WorkflowID)
			}
		}
		return nil
	})
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
	took := time.Since(s.begun)
	s.say("%s offboarded in %.1f s: nobody of them can sign in any more, %s revoked, the seats are free.",
		count(f.Offboarded-later, "member"), took.Seconds(), count(revoked, "credential"))
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

// start starts one leaver's case and waits until access is revoked.
func (s *story) start(ctx context.Context, l offboarding.Leaver) (offboarding.Status, error) {
	leaver, err := s.store.FindMember(ctx, "email:"+l.Email, s.figures.Organization)
	if err != nil {
		return offboarding.Status{}, err
	}
	r := offboarding.Request{
		MemberID: leaver.ID, RequestedBy: s.admin.ID, Origin: "SCRIPT,Handover,demo", Reason: l.Reason, EffectiveAt: l.LastDay,
		Disposition: l.Disposition, NewOwnerID: l.NewOwnerEmail,
	}
	if r.Disposition == "" && r.NewOwnerID == "" {
		r.Disposition = offboarding.DispositionRetain
	}
	if r.NewOwnerID != "" && r.NewOwnerID != offboarding.NewOwnerManager {
		owner, err := s.store.FindMember(ctx, "email:"+r.NewOwnerID, s.figures.Organization)
		if err != nil {
			return offboarding.Status{}, err
		}
		r.NewOwnerID = owner.ID
	}
	return s.cases.StartAndAwait(ctx, r)
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
}
