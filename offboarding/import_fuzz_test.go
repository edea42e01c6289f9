package offboarding_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func FuzzReadLeavers(f *testing.F) {
	f.Add("email,last_day,reason\na@b.example,2026-03-31,left\n")
	f.Add("\ufeffreason,email,last_day,disposition,new_owner_email\r\n\"x\ny\",a@b.example,2026-03-31T00:00:00Z,transfer,manager\r\n")
	f.Add("email,last_day,reason\n\"a@b.example,2026-03-31,left\n\x00,\xff,\"\"\"\n")
	f.Add("email,last_day,reason\n0@0,0000-01-01,")
	f.Add("")
	f.Fuzz(func(t *testing.T, content string) {
		leavers, errs := offboarding.ReadLeavers(strings.NewReader(content))
		lines := strings.Count(content, "\n") + 1
		seen := map[string]bool{}
		for _, l := range leavers {
			require.True(t, utf8.ValidString(l.Email+l.Reason+l.NewOwnerEmail))
			require.NotContains(t, l.Email+l.Reason+l.NewOwnerEmail, "\x00")
			require.NotEmpty(t, offboarding.EmailDomain(l.Email))
			require.False(t, seen[strings.ToLower(l.Email)])
			seen[strings.ToLower(l.Email)] = true
			require.LessOrEqual(t, l.Line, lines)
			_, err := offboarding.EffectiveTime(l.LastDay, "Europe/Berlin", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
			require.NoError(t, err)
		}
		requireReadable(t, errs, lines)
		if len(errs) > 0 {
			return
		}
		// A file without a mistake is a leaver a row, and the same when it is written again.
		records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(content, "\ufeff"))).ReadAll()
		require.NoError(t, err)
		require.Len(t, leavers, len(records)-1)
		var again strings.Builder
		w := csv.NewWriter(&again)
		require.NoError(t, w.Write([]string{"email", "last_day", "reason", "disposition", "new_owner_email"}))
		for i := range leavers {
			l := &leavers[i]
			l.Reason = strings.ReplaceAll(l.Reason, "\r", "") // which CSV does not keep before a line's end
			require.NoError(t, w.Write([]string{l.Email, l.LastDay, l.Reason, string(l.Disposition), l.NewOwnerEmail}))
		}
		w.Flush()
		same, errs := offboarding.ReadLeavers(strings.NewReader(again.String()))
		require.Empty(t, errs)
		for i := range same {
			same[i].Line = leavers[i].Line
		}
		require.Equal(t, leavers, same)
	})
}

// FuzzReadImport puts anything into two files of an organization that is right
// otherwise: whatever is accepted keeps what the schema demands.
func FuzzReadImport(f *testing.F) {
	good := acme()
	f.Add(good["organization.json"], good["members.csv"], good["documents.csv"])
	for _, b := range badRows {
		files := acme()
		files[b.file] = strings.Replace(files[b.file], b.old, b.new, 1)
		f.Add(files["organization.json"], files["members.csv"], files["documents.csv"])
	}
	f.Fuzz(func(t *testing.T, organization, members, documents string) {
		files := acme()
		files["organization.json"], files["members.csv"], files["documents.csv"] = organization, members, documents
		in, err := read(files)
		if err != nil {
			var importError *offboarding.ImportError
			require.ErrorAs(t, err, &importError)
			requireReadable(t, importError.Rows, strings.Count(organization+members+documents, "\n")+10)
			return
		}
		require.NotEmpty(t, in.Organization.Slug)
		require.NotEmpty(t, in.Organization.Domains)
		makers := map[string]bool{}
		for _, m := range in.Members {
			require.NotContains(t, makers, m.ExternalID)
			require.NotEqual(t, m.ExternalID, m.ManagerExternalID)
			require.Contains(t, offboarding.Roles, m.Role)
			require.Contains(t, offboarding.AccountTypes, m.AccountType)
			makers[m.ExternalID] = m.AccountType == offboarding.AccountMaker
		}
		for _, d := range in.Documents {
			require.True(t, makers[d.OwnerExternalID])
			require.True(t, utf8.ValidString(d.Title))
			require.NotContains(t, d.Title, "\x00")
		}
	})
}

// requireReadable requires errors that can be shown: no control characters of the
// file in them, and lines that exist.
func requireReadable(t *testing.T, errs []offboarding.RowError, lines int) {
	t.Helper()
	for _, e := range errs {
		require.NotEmpty(t, e.Reason)
		require.NotContains(t, e.Error(), "\n")
		require.True(t, utf8.ValidString(e.Error()), "%q", e.Error())
		require.LessOrEqual(t, e.Line, lines)
	}
}
