package offboarding_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestReadLeavers(t *testing.T) {
	t.Parallel()
	leavers, errs := offboarding.ReadLeavers(strings.NewReader("\ufeffreason,new_owner_email,email,last_day,disposition\r\n" +
		"left,manager,ann@acme.example,2026-03-31,transfer\r\n" +
		",,bob+hr@acme.example,2026-03-31T18:00:00+02:00,\r\n" +
		"\"left,\nretired\",cem@acme.example,dee@acme.example,2026-03-31,\r\n"))
	require.Empty(t, errs)
	require.Equal(t, []offboarding.Leaver{
		{Line: 2, Email: "ann@acme.example", LastDay: "2026-03-31", Reason: "left", Disposition: "transfer", NewOwnerEmail: "manager"},
		{Line: 3, Email: "bob+hr@acme.example", LastDay: "2026-03-31T18:00:00+02:00"},
		{Line: 4, Email: "dee@acme.example", LastDay: "2026-03-31", Reason: "left,\nretired", NewOwnerEmail: "cem@acme.example"},
	}, leavers)
}

func TestReadLeaversDevdocs(t *testing.T) {
	t.Parallel()
	f, err := os.Open(devdocs + "/leavers.csv")
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	leavers, errs := offboarding.ReadLeavers(f)
	require.Empty(t, errs)
	require.Len(t, leavers, 350)
	domains := map[string]int{}
	for _, l := range leavers {
		switch domain := offboarding.EmailDomain(l.Email); {
		case offboarding.IsISPDomain(domain):
			domains["isp"]++
		case domain == "devdocs.example":
			domains["own"]++
		default:
			domains["other"]++
		}
	}
	require.Equal(t, map[string]int{"own": 280, "isp": 46, "other": 24}, domains)
}

// The good rows come back beside what is wrong with the others: in bulk, each
// member is judged alone (rule B1).
func TestReadLeaversReportsAllAtOnce(t *testing.T) {
	t.Parallel()
	leavers, errs := offboarding.ReadLeavers(strings.NewReader("email,last_day,reason,disposition,new_owner_email\n" +
		"ann@acme.example,2026-02-30,left,burn,Manager\n" +
		"bob@acme.example,2026-03-31,left,,\n" +
		"BOB@acme.example,2026-03-31,left,,\n" +
		"cem@acme.example,31.3.2026\n" +
		",,\x00,,\n" +
		"dee@acme.example,2026-03-31," + strings.Repeat("x", offboarding.MaxNote+1) + ",,\n" +
		"eva@acme.example,2026-03-31,,,"))
	texts := make([]string, len(errs))
	for i, e := range errs {
		texts[i] = e.Error()
	}
	assert.Equal(t, []string{
		`leavers.csv:2: last_day: "2026-02-30" is neither a date (2006-01-02) nor a time with its zone (RFC 3339)`,
		`leavers.csv:2: disposition: "burn" is not one of transfer, archive, retain`,
		`leavers.csv:2: new_owner_email: "Manager" is neither an email address nor manager`,
		`leavers.csv:4: email: "BOB@acme.example" is on line 3 already`,
		`leavers.csv:5: the row has 2 fields, the header 5`,
		`leavers.csv:6: email: is empty`,
		`leavers.csv:6: last_day: is empty`,
		`leavers.csv:6: reason: has a NUL character`,
		`leavers.csv:7: reason: is longer than 2000 bytes`,
	}, texts)
	require.Len(t, leavers, 2)
	assert.Equal(t, "bob@acme.example", leavers[0].Email)
	assert.Equal(t, "eva@acme.example", leavers[1].Email)
}

func TestReadLeaversHeader(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"":                                   "leavers.csv: the file is empty; its header is email,last_day,reason",
		"email,last_day\n":                   "leavers.csv:1: reason: the column is missing",
		"\n\nemail,last_day,reason,status\n": `leavers.csv:3: unknown column "status"`,
		"email,last_day,reason,\n":           `leavers.csv:1: unknown column ""`,
	} {
		leavers, errs := offboarding.ReadLeavers(strings.NewReader(content))
		require.Empty(t, leavers)
		require.Len(t, errs, 1)
		require.Equal(t, want, errs[0].Error())
	}
}

func TestReadLeaversEmailsAndDays(t *testing.T) {
	t.Parallel()
	for email, ok := range map[string]bool{
		"a@b.example": true, "a.b+c'd@x-y.example": true, "ü@bücher.example": true, "a@localhost": true,
		"a": false, "@b.example": false, "a@": false, "a@@b.example": false, "a@b@c.example": false, "a b@c.example": false,
		"a@b .example": false, "a@.example": false, "a@b..example": false, "a@-b.example": false, "a@b.example.": false,
		"a@b.example ": false, "a;b@c.example": false, "Ann <a@b.example>": false, "a\u200b@b.example": false, "a\tb@c.example": false,
	} {
		_, errs := offboarding.ReadLeavers(strings.NewReader("email,last_day,reason\n" + email + ",2026-03-31,\n"))
		assert.Equal(t, ok, len(errs) == 0, "%q: %v", email, errs)
	}
}

func TestImportCron(t *testing.T) {
	t.Parallel()
	for cron, ok := range map[string]bool{
		"* * * * *": true, "0 6 * * 1": true, "59 23 31 12 7": true, "*/15 0,12 1-15/2 jan-DEC sun": true, " 0  6 * * ?": true,
		"": false, "0 6 * *": false, "0 6 * * 1 2026": false, "60 6 * * *": false, "0 24 * * *": false, "0 0 0 * *": false,
		"0 0 32 * *": false, "0 0 * 0 *": false, "0 0 * 13 *": false, "0 0 * * 8": false, "5-1 * * * *": false, "1, * * * *": false,
		"*/0 * * * *": false, "*/ * * * *": false, "- * * * *": false, "-1 * * * *": false, "0 0 * ANF *": false, "0 0 * * MO": false,
		"@daily": false, "0 0 * JAN-FOO *": false, "99999999999999999999 * * * *": false, "*/99999999999999999999 * * * *": false,
	} {
		files := acme()
		files["schedules.csv"] = "document_external_id,kind,cron\nd1,export,\"" + cron + "\"\n"
		_, err := read(files)
		assert.Equal(t, ok, err == nil, "%q: %v", cron, err)
	}
}
