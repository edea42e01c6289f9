package offboarding

import (
	"io"
	"strings"
)

// Leaver is a row of leavers.csv, for bulk offboarding. Whether the member can be
// offboarded is not judged here (rule B1).
type Leaver struct {
	Line          int // of the file, from 1
	Email         string
	LastDay       string      // as Request.EffectiveAt: a date or an RFC 3339 time
	Reason        string      // free text, "" for none
	Disposition   Disposition // "" is the organization's
	NewOwnerEmail string      // "manager" is the leaver's, "" is nobody in particular (rule N2)
}

// ReadLeavers reads leavers.csv: the rows that are well-formed, and what is wrong
// with the others.
func ReadLeavers(r io.Reader) ([]Leaver, []RowError) {
	var leavers []Leaver
	seen := map[string]int{}
	t := openTable(LeaversFile, r, []string{"email", "last_day", "reason"}, []string{"disposition", "new_owner_email"})
	t.known = "email"
	for t.next() {
		l := Leaver{
			Line:          t.line,
			Email:         t.checked("email", t.required("email"), checkEmail),
			LastDay:       t.checked("last_day", t.required("last_day"), checkDay),
			Reason:        t.text("reason", MaxNote),
			Disposition:   Disposition(t.checked("disposition", t.text("disposition", maxField), among(Dispositions...))),
			NewOwnerEmail: t.checked("new_owner_email", t.text("new_owner_email", maxField), checkNewOwner),
		}
		if first, ok := seen[strings.ToLower(l.Email)]; ok {
			t.fail("email", "%s is on line %d already", quote(l.Email), first)
		} else if l.Email != "" {
			seen[strings.ToLower(l.Email)] = t.line
		}
		if !t.bad {
			leavers = append(leavers, l)
		}
	}
	return leavers, t.errs
}
