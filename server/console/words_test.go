package console_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
	"handover/server/problem"
)

// words are the IDs of all words of a language.
func words(t *testing.T, language string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("words/" + language + "/*.json")
	require.NoError(t, err)
	all := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var some map[string]any
		require.NoError(t, json.Unmarshal(text, &some), file)
		for id := range some {
			require.False(t, all[id], "%s says %s again", file, id)
			all[id] = true
		}
	}
	require.NotEmpty(t, all)
	return all
}

// sources are our own templates, Go files and what else names words.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"templates/*.html", "templates/parts/*.html", "*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			all[file] = string(text)
		}
	}
	return all
}

var (
	named   = regexp.MustCompile(`\bT\(? ?"([^"]+)"|"words" "([^"]+)"`)
	noticed = regexp.MustCompile(`\bdone\([^\n]*"([a-z_]+)"\)`)
	built   = regexp.MustCompile(`printf "([a-z_.]+)\.%s"|"kind" "([a-z_.]+)"|options\(v, "([a-z_.]+)"|T\("([a-z_.]+)\."\s*\+`)
)

// Every text that a page asks for is there, and none is there for nothing. An ID that
// is made of a kind and a value counts by its kind.
func TestEveryWordIsThereAndUsed(t *testing.T) {
	t.Parallel()
	have := words(t, "en")
	used, kinds := map[string]bool{}, []string{"notice"}
	for kind := range vocabulary() {
		kinds = append(kinds, kind)
	}
	for file, text := range sources(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			id := m[1] + m[2]
			if strings.HasSuffix(id, ".") {
				continue
			}
			require.True(t, have[id], "%s asks for %q", file, id)
			used[id] = true
		}
		for _, m := range noticed.FindAllStringSubmatch(text, -1) {
			require.True(t, have["notice."+m[1]], "%s asks for the notice %q", file, m[1])
			used["notice."+m[1]] = true
		}
		for _, m := range built.FindAllStringSubmatch(text, -1) {
			kinds = append(kinds, strings.Join(m[1:], ""))
		}
	}
	for id := range have {
		kind := id[:max(strings.LastIndexByte(id, '.'), 0)]
		if rest, ok := strings.CutPrefix(kind, "code."); ok && have["code."+rest] {
			continue // of one rule
		}
		require.True(t, used[id] || kind != "notice" && slices.Contains(kinds, kind), "nobody asks for %q", id)
	}
}

// vocabulary are the values of the domain that pages show, by the kind that their IDs
// begin with.
func vocabulary() map[string][]string {
	text := func(values ...any) (all []string) {
		for _, v := range values {
			all = append(all, fmt.Sprint(v))
		}
		return all
	}
	all := map[string][]string{
		"status":      text(offboarding.MemberActive, offboarding.MemberInactive, offboarding.MemberArchived, offboarding.MemberDeleted),
		"access":      text(offboarding.AccessEditable, offboarding.AccessReadOnly, offboarding.AccessArchived),
		"role":        text(offboarding.RoleOwner, offboarding.RoleAdmin, offboarding.RoleContributor, offboarding.RoleReviewer, offboarding.RoleReader),
		"disposition": text(offboarding.DispositionTransfer, offboarding.DispositionArchive, offboarding.DispositionRetain),
		"kind":        offboarding.DocumentKinds,
		"happened":    offboarding.AuditEvents,
		"request":     text(offboarding.RequestPending, offboarding.RequestApproved, offboarding.RequestRejected, offboarding.RequestSuperseded, offboarding.RequestWithdrawn),
		"obstacle":    text(offboarding.ObstaclePolicy, offboarding.ObstacleAccount, offboarding.ObstacleGrant),
		"grant":       text(offboarding.GrantEdit, offboarding.GrantView),
	}
	for _, outcome := range offboarding.BulkOutcomes {
		all["bulk_outcome"] = append(all["bulk_outcome"], string(outcome))
	}
	all["bulk_phase"] = text(offboarding.BulkJudging, offboarding.BulkRevoking, offboarding.BulkStarting, offboarding.BulkCompleted)
	all["bulk_result"] = text(offboarding.BulkSuccess, offboarding.BulkPartialSuccess, offboarding.BulkRefused, offboarding.BulkFailed)
	for _, m := range problem.Meanings {
		if !slices.Contains(forPrograms, m.Code) {
			all["code"] = append(all["code"], string(m.Code))
		}
	}
	for _, phase := range offboarding.Phases {
		all["phase"] = append(all["phase"], string(phase))
	}
	return all
}

// forPrograms are codes that nobody meets on a page. For what is malformed the rule says
// itself what it should be.
var forPrograms = []offboarding.Code{
	offboarding.CodeInvalidArgument, problem.CodeMethodNotAllowed, problem.CodeKeyReused, problem.CodeMediaType, problem.CodeNotAcceptable,
}

func TestTheDomainsValuesHaveWords(t *testing.T) {
	t.Parallel()
	have := words(t, "en")
	for kind, values := range vocabulary() {
		for _, value := range values {
			require.True(t, have[kind+"."+value], "%s.%s has no words", kind, value)
		}
	}
}

// Every language says the same things.
func TestEveryLanguageIsWhole(t *testing.T) {
	t.Parallel()
	languages, err := os.ReadDir("words")
	require.NoError(t, err)
	for _, l := range languages {
		require.Equal(t, words(t, "en"), words(t, l.Name()), l.Name())
	}
}

var (
	actions    = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	tags       = regexp.MustCompile(`(?s)<[^>]*>`)
	inParts    = regexp.MustCompile(`\s[a-z-]+="[^"]*"`) // attributes that a part of a tag is made of
	attributes = regexp.MustCompile(`(title|placeholder|aria-label|alt)="([^"]*)"`)
)

// No template has words of its own.
func TestTemplatesHaveNoWords(t *testing.T) {
	t.Parallel()
	letters := func(text string) bool { return strings.ContainsFunc(text, unicode.IsLetter) }
	for file, text := range sources(t) {
		if !strings.HasSuffix(file, ".html") {
			continue
		}
		text = actions.ReplaceAllLiteralString(text, "")
		for _, m := range attributes.FindAllStringSubmatch(text, -1) {
			require.False(t, letters(m[2]), "%s has words in %s", file, m[0])
		}
		for _, line := range strings.Split(inParts.ReplaceAllLiteralString(tags.ReplaceAllLiteralString(text, "\n"), ""), "\n") {
			require.False(t, letters(strings.ReplaceAll(line, "&nbsp;", "")), "%s has words: %s", file, line)
		}
	}
}
