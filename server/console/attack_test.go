package console_test

import (
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile are texts that no honest browser sends.
var hostile = []string{
	"\x00", "\xff\xfe", "a\x00b", "<script>alert(1)</script>", "'; DROP TABLE members; --", "\r\nSet-Cookie: a=b", "-1", "999999-12-31",
	strings.Repeat("9", 3000), "external:\x00", "javascript:alert(1)", "//evil.example", "../../..",
}

// names are those of all fields of all forms, and of what narrows pages.
func names(t *testing.T) (all []string) {
	t.Helper()
	found := map[string]bool{"cursor": true, "notice": true, "since": true}
	require.NoError(t, fs.WalkDir(os.DirFS("templates"), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".html") {
			return err
		}
		text, err := os.ReadFile("templates/" + path)
		for _, match := range regexp.MustCompile(`name="([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
		return err
	}))
	for name := range found {
		all = append(all, name)
	}
	require.Greater(t, len(all), 20)
	return all
}

// Every page and every action is sent what nobody honest sends, in every field there is:
// nothing fails inside, nothing of it gets onto a page as it is, and no answer goes
// without what keeps browsers from misusing it.
func TestHostileTextsOnEveryPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	admin, fields := d.as(d.Admin), names(t)
	for _, route := range d.console.Routes {
		method, pattern, _ := strings.Cut(route.Pattern, " ")
		pattern = strings.ReplaceAll(pattern, "{$}", "")
		if pattern == "/console/changes" || pattern == "/console/sign-out" {
			continue // a stream, and the end of the session
		}
		for _, text := range hostile {
			values := url.Values{}
			for _, name := range fields {
				values.Set(name, text)
			}
			id := regexp.MustCompile(`\{[^}]*\}`)
			for _, path := range []string{
				id.ReplaceAllLiteralString(pattern, uuid.NewString()), id.ReplaceAllLiteralString(pattern, url.PathEscape(text)),
			} {
				var form url.Values
				if method == http.MethodGet {
					path += "?" + values.Encode()
				} else {
					form = values
				}
				got := admin.open(t, method, path, form, "X-HTTP-Method-Override", http.MethodPost)
				if got.status != http.StatusMovedPermanently && got.status != http.StatusTemporaryRedirect {
					assert.Less(t, got.status, 500, "%s %.200s", route.Pattern, path)
					assert.NotEqual(t, http.StatusRequestURITooLong, got.status)
				}
				assert.Zero(t, got.Find("script:not([src])").Length(), "%s: a script of somebody else's", route.Pattern)
				for name, want := range map[string]string{
					"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
				} {
					assert.Contains(t, got.header.Get(name), want, "%s %.200s: %s", route.Pattern, path, name)
				}
				assert.Empty(t, got.header.Values("Set-Cookie"))
			}
		}
	}
	require.Zero(t, d.Count(`SELECT count(*) FROM cases`))
	require.Equal(t, "active", d.Text(`SELECT status FROM members WHERE id = $1`, d.Leaver))
}

// No address leads away from the server, whatever is made of it on the way to a page.
func TestNoPageLeadsElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, who := range []string{"", d.Admin} {
		p := d.as(who)
		p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, path := range []string{
			"//evil.example/console/", "//evil.example", `/\evil.example`, "/console//evil.example", "/console/..//evil.example/", "/%2f%2fevil.example/..",
			"/console/%2e%2e//evil.example", "/console/?return_to=https://evil.example", "/console/members?return_to=//evil.example", "/console/%5c%5cevil.example",
			"/;//evil.example/console/", "/console/leavers?next=//evil.example",
		} {
			got := p.open(t, http.MethodGet, path, nil, "X-Forwarded-Host", "evil.example", "X-Original-URL", "//evil.example")
			location := got.header.Get("Location")
			if location == "" {
				continue
			}
			to, err := url.Parse(location)
			require.NoError(t, err)
			require.Empty(t, to.Host, "%s leads to %s", path, location)
			require.Empty(t, to.Scheme, "%s leads to %s", path, location)
			require.True(t, strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") && !strings.HasPrefix(location, `/\`), "%s leads to %s", path, location)
		}
	}
}
