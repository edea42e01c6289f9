package privacy_test

import (
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// needles are what may be found nowhere, each with what it is.
type needles struct {
	texts map[string]string // in small letters, for case tells nobody apart
	codes map[string]bool   // external IDs, as words of their own
}

// code is what the external IDs of the data set look like.
var code = regexp.MustCompile(`\bm[0-9]{4}\b`)

func (n *needles) add(what, text string) {
	text = strings.ToLower(text)
	n.texts[strings.ToLower(url.QueryEscape(text))] = what + " in a URL"
	n.texts[strings.ToLower(url.PathEscape(text))] = what + " in a path"
	n.texts[text] = what // which may be the same
}

// everybody is all that the data set knows of people: addresses, names, external IDs, the
// names of credentials.
func everybody(t testing.TB, in offboarding.Import) *needles {
	t.Helper()
	n := &needles{texts: map[string]string{}, codes: map[string]bool{}}
	for _, m := range in.Members {
		n.add("an address", m.Email)
		n.add("a name", m.DisplayName)
		require.Regexp(t, code, m.ExternalID)
		n.codes[m.ExternalID] = true
	}
	for _, c := range in.Credentials {
		n.add("the name of a credential", c.Name)
	}
	require.Greater(t, len(n.codes), 300)
	return n
}

// in is what of them is in a text: what it is, and where.
func (n *needles) in(text string) (found []string) {
	text = strings.ToLower(text)
	for needle, what := range n.texts {
		if at := strings.Index(text, needle); at >= 0 {
			found = append(found, what+": …"+text[max(0, at-80):min(len(text), at+len(needle)+40)]+"…")
		}
	}
	return found
}

// known is what of them is in a text that people can read: external IDs too.
func (n *needles) known(text string) []string {
	found := n.in(text)
	words := map[string]bool{}
	for _, at := range code.FindAllStringIndex(text, -1) {
		if word := text[at[0]:at[1]]; n.codes[word] && !words[word] {
			words[word] = true
			found = append(found, "an external ID: …"+text[max(0, at[0]-80):min(len(text), at[1]+40)]+"…")
		}
	}
	return found
}

// TestNothingIsOverlooked: what is looked for is found in every way in which it is written.
func TestNothingIsOverlooked(t *testing.T) {
	t.Parallel()
	in := devdocs(t)
	n := everybody(t, in)
	m := in.Members[slices.IndexFunc(in.Members, func(m offboarding.ImportMember) bool { return m.ExternalID == "m0002" })]
	n.add("a text", "gone to Lisbon")
	for _, leak := range []string{
		`{"msg":"x","member":"` + m.Email + `"}`, "GET /v1/members?q=" + url.QueryEscape(m.Email), "/members/" + url.PathEscape(m.DisplayName),
		strings.ToUpper(m.Email), "hello " + m.DisplayName + "!", "\x00\x0a\x14" + m.Email + "\x12", "offboarding/external:m0002", "api-m0002", "has GONE to lisbon",
	} {
		require.NotEmpty(t, n.known(leak), leak)
	}
	for _, fine := range []string{"m00021", "xm0002", "01a1ffde-c038-72a2-abd3-2ee046c7cc2d", "member 2 of 3", "devdocs", "m9999"} {
		require.Empty(t, n.known(fine))
	}
	require.Subset(t, slices.Collect(maps.Values(n.texts)), []string{"an address", "a name", "the name of a credential", "an address in a URL"})
}

func devdocs(t testing.TB) offboarding.Import {
	t.Helper()
	in, err := offboarding.ReadImport(os.DirFS("../data/devdocs"))
	require.NoError(t, err)
	return in
}
