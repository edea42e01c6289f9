package postgres_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// A cursor is one that its list can have given out, or is refused as such: never is
// it for the database to fail on.
func TestCursorsAreReadOrRefused(t *testing.T) {
	t.Parallel()
	l := newLeaving(t)
	ctx := t.Context()
	reads := map[string]func(cursor string) error{
		"audit": func(c string) error {
			_, err := l.store.AuditEvents(ctx, offboarding.AuditFilter{Cursor: c})
			return err
		},
		"bulk": func(c string) error { _, err := l.store.BulkRuns(ctx, offboarding.BulkFilter{Cursor: c}); return err },
		"members": func(c string) error {
			_, err := l.store.BulkMembers(ctx, "run", offboarding.BulkFilter{Cursor: c})
			return err
		},
		"cases": func(c string) error { _, err := l.store.Cases(ctx, offboarding.CaseFilter{Cursor: c}); return err },
		"requests": func(c string) error {
			_, err := l.store.Requests(ctx, offboarding.RequestFilter{Cursor: c})
			return err
		},
		"holds": func(c string) error { _, err := l.store.Holds(ctx, offboarding.HoldFilter{Cursor: c}); return err },
		"documents": func(c string) error {
			_, err := l.store.Documents(ctx, offboarding.DocumentFilter{Cursor: c})
			return err
		},
		"delivery": func(c string) error {
			_, err := l.store.Deliveries(ctx, offboarding.DeliveryFilter{Cursor: c})
			return err
		},
	}
	moment := func(at, id string) string { return base64.RawURLEncoding.EncodeToString([]byte(at + " " + id)) }
	const at = "2026-03-02T09:00:00Z"
	taken := map[string][]string{
		"audit": {"1", "9223372036854775807"}, "members": {"1", "2147483647"},
		"bulk":  {moment(at, ""), moment(at, "2026-03 layoff"), moment("0000-01-01T00:00:00Z", "a"), moment("9999-12-31T23:59:59.999999999Z", "a")},
		"cases": {moment(at, l.Leaver)}, "requests": {moment(at, l.Leaver)}, "holds": {moment(at, l.Leaver)},
		"documents": {l.Leaver}, "delivery": {"msg_1"},
	}
	nonsense := []string{
		"x", "0", "-1", "+1", "01", "9223372036854775808", "99999999999999999999", "1\x00", "\x00", "\xff",
		moment(at, "a\x00b"), moment(at, "\xff"), moment("2026-03-02T09:00:00+23:00", "a"), moment("2026-03-02T09:00:00+23:00", l.Leaver),
		moment("0000-01-01T00:00:00+23:59", "a"), moment("2026-03-02T09:00:00.000Z", "a"), moment("yesterday", "a"), moment("", ""), "msg_x", "msg_99999999999999999999",
	}
	for name, read := range reads {
		for _, cursor := range taken[name] {
			require.NoError(t, read(cursor), "%s %q", name, cursor)
		}
		refuses := nonsense
		if name == "members" {
			refuses = append([]string{"2147483648"}, nonsense...)
		}
		for _, cursor := range refuses {
			err := read(cursor)
			refused(t, offboarding.CodeInvalidArgument, err)
			var refusal *offboarding.Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, "cursor", refusal.Violations[0].Field, "%s %q", name, cursor)
		}
	}
}
