package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// The address is typed where the flag is missing; a wrong one is not repeated.
func TestDeletionIsConfirmed(t *testing.T) {
	t.Parallel()
	member := offboarding.Member{DisplayName: "Ada", Email: "Ada@example.com", Status: offboarding.MemberActive}
	for name, test := range map[string]struct {
		flag, typed string
		ok          bool
	}{
		"by flag": {flag: "ada@example.com", ok: true}, "typed": {typed: " ada@EXAMPLE.com\n", ok: true},
		"another": {flag: "bob@example.com"}, "another typed": {typed: "bob@example.com\n"}, "nothing": {typed: "\n"}, "the end": {},
	} {
		var out, errs bytes.Buffer
		opts := &deleteOptions{
			factory: &factory{streams: streams{in: strings.NewReader(test.typed), out: &out, err: &errs}, output: outputTable}, confirmEmail: test.flag,
		}
		preview := offboarding.Preview{Documents: offboarding.PreviewDocuments{Total: 4, Archived: 1}, Sessions: 2}
		err := opts.confirmed(member, preview, offboarding.Organization{Attribution: offboarding.AttributionAnonymous})
		require.Contains(t, out.String(), "5 stay, attributed to Deleted member", name)
		require.Equal(t, test.flag == "", strings.Contains(errs.String(), "Type the member's email"), name)
		if test.ok {
			require.NoError(t, err, name)
			continue
		}
		var usage *usageError
		require.True(t, errors.As(err, &usage), name)
		require.NotContains(t, err.Error(), "@", name)
	}
}
