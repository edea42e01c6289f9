package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// What others have made is shipped as they made it.
func TestWhatIsShippedIsAsItsAuthorsMadeIt(t *testing.T) {
	t.Parallel()
	made := map[string]string{
		"htmx.min.js":          "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
		"idiomorph-ext.min.js": "5811b9a7eda14878b7dab4378bf60432e1bb6f11fcfb970cc26540642650181e",
	}
	files, err := filepath.Glob("static/*.min.js")
	require.NoError(t, err)
	require.Len(t, files, len(made))
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		sum := sha256.Sum256(text)
		require.Equal(t, made[filepath.Base(file)], hex.EncodeToString(sum[:]), file)
	}
}

// While a page asks for news it is as readable as before: a reader's contrast is that of
// what is shown, not of what is shown at rest.
func TestNothingIsDimmedWhileAPageAsks(t *testing.T) {
	t.Parallel()
	style, err := os.ReadFile("static/console.css")
	require.NoError(t, err)
	rules := regexp.MustCompile(`[^{}]*\.htmx-[^{}]*\{([^}]*)\}`).FindAllSubmatch(style, -1)
	require.NotEmpty(t, rules)
	for _, rule := range rules {
		require.NotRegexp(t, `(?:opacity|filter|color|visibility|display)\s*:`, string(rule[1]), "%s", rule[0])
	}
}

// A file is kept by browsers under the address that names its version, and asked for
// again under any other.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	page := d.as(d.Leaver).get(t, "/console/documents")
	nobody := d.as("")
	for _, link := range []string{
		page.Find(`link[rel=stylesheet]`).AttrOr("href", ""), page.Find(`link[rel=icon]`).AttrOr("href", ""), page.Find(`script`).First().AttrOr("src", ""),
	} {
		got := nobody.open(t, http.MethodGet, link, nil)
		require.Equal(t, http.StatusOK, got.status, link)
		require.Equal(t, "public, max-age=31536000, immutable", got.header.Get("Cache-Control"), link)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), link)
		again := nobody.open(t, http.MethodGet, got.url.Path+"?v=0", nil)
		require.Equal(t, "no-cache", again.header.Get("Cache-Control"), link)
		same := nobody.open(t, http.MethodGet, got.url.Path, nil, "If-None-Match", got.header.Get("ETag"))
		require.Equal(t, http.StatusNotModified, same.status, link)
	}
	for _, nothing := range []string{"README.md", "nothing.js", "..%2Fconsole.go"} {
		require.Equal(t, http.StatusNotFound, nobody.open(t, http.MethodGet, "/console/static/"+nothing, nil).status, nothing)
	}
}
