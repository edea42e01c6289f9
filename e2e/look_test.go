package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"handover/server/auth"
	"handover/server/console"
)

// TestEveryPage follows every link of the console, as an owner and as a maker, and
// holds each page against axe-core in light and dark, on a desk and on a phone. No
// page may be wider than the narrowest phone, which is also a window at 400 %.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	s, site := sharedConsole.get(t)
	more := s.furnish(t)
	w := walk{seen: map[string]bool{}}
	for _, who := range []string{theOwner, theMaker} {
		b := newBrowser(t, site, true)
		b.signIn(address(who), "/console/signed-in")
		if who == theOwner {
			w.forms(b, s)
			w.links(b, "", append(more, "/console/signed-in", "/console/"))
			continue
		}
		w.links(b, " of a maker", []string{"/console/"})
	}
	nothing := console.New(http.NewServeMux(), console.Options{Auth: auth.New(auth.Options{})})
	var missing []string
	for _, route := range nothing.Routes {
		path, page := strings.CutPrefix(route.Pattern, "GET ")
		path = regexp.MustCompile(`\{(id|member|case|document|request|webhook|credential|run|bulk)\}`).ReplaceAllLiteralString(path, "{id}")
		if page && !w.seen[path] && !slices.Contains([]string{"/console/{$}", "/console/{rest...}", "/console/changes"}, path) {
			missing = append(missing, path)
		}
	}
	require.Empty(t, missing, "no link leads there")
}

// walk is a walk through the console.
type walk struct {
	seen map[string]bool // paths, with {id} for IDs
}

// look judges the page where the browser is; name tells it from others at its address.
func (w *walk) look(b *browser, name string) {
	b.t.Helper()
	at := kind(value[string](b, `location.pathname + location.search`))
	path, _, _ := strings.Cut(at, "?")
	w.seen[path] = true
	if text := value[string](b, `document.querySelector("h1")?.textContent ?? ""`); text == "" || text == "That did not work" {
		b.t.Errorf("%s does not work: %s", at, b.text())
		return
	}
	b.look(at + name)
}

// links follows all links, one to each kind of page.
func (w *walk) links(b *browser, name string, todo []string) {
	b.t.Helper()
	for known := map[string]bool{}; len(todo) > 0; todo = todo[1:] {
		b.open(todo[0])
		w.look(b, name)
		for _, link := range b.links() {
			if k := kind(link); !known[k] && strings.Count(k, "=") < 2 {
				known[k] = true
				todo = append(todo, link)
			}
		}
	}
}

// forms looks at pages that answer forms, and fills pages that are empty else.
func (w *walk) forms(b *browser, s *stack) {
	b.t.Helper()
	b.open("/console/settings/webhooks")
	b.fill("#create #field-url", "https://hooks.example/handover")
	b.click("#create button.primary")
	b.until("the secret", `!!document.querySelector("#secret")`)
	w.look(b, " with a secret")

	b.open("/console/members?status=all")
	b.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#ticked input[name=member]")].slice(0, 3).forEach((e) => e.click())`))
	b.click(`button[formaction="/console/members/deactivate"]`)
	b.until("the numbers", `!!document.querySelector("form#confirm")`)
	w.look(b, " of those ticked")

	leaver := s.id(b.t, "m0101")
	b.open("/console/members/" + leaver + "/deactivate")
	b.click("#disposition-retain")
	b.click(`button[value="review"]`)
	b.until("the numbers", `!!document.querySelector("form#confirm")`)
	w.look(b, " in numbers")
	b.click(`button[value="confirm"]`)
	b.until("the case", `location.pathname.startsWith("/console/leavers/")`)
	s.awaitGrace(b.t, "m0101")
	b.open("/console/members/" + leaver + "/delete")
	b.fill("#field-email", "somebody@devdocs.example")
	b.click("form#delete button.danger")
	b.until("the mistake", `!!document.querySelector(".faults")`)
	w.look(b, " with a mistake")
	b.fill("#field-email", address("m0101"))
	b.click("form#delete button.danger")
	b.until("the deletion", `location.pathname.includes("/deletions/")`)
	b.see("Back to the member")
	w.look(b, "")
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// kind is an address without what tells pages of one kind apart.
func kind(address string) string {
	address, _, _ = strings.Cut(address, "#")
	address = ids.ReplaceAllLiteralString(address, "{id}")
	return regexp.MustCompile(`\b(cursor|from|to|since|until|after|before|notice)=[^&]*`).ReplaceAllString(address, "$1=x")
}

// links are the pages that a page leads to.
func (b *browser) links() []string {
	b.t.Helper()
	return value[[]string](b, `[...document.querySelectorAll('a[href^="/console/"]:not([download])')].map((a) => a.getAttribute("href"))`)
}

// look judges a page in all its looks, and keeps pictures where somebody wants them.
func (b *browser) look(name string) {
	b.t.Helper()
	picture := strings.Trim(regexp.MustCompile(`[^a-z0-9_]+`).ReplaceAllString(strings.TrimPrefix(strings.ReplaceAll(name, "{id}", "one"), "/console/"), "-"), "-")
	for _, l := range []struct {
		suffix, colors string
		width, height  int64
	}{{"", "light", 1280, 900}, {"-dark", "dark", 1280, 900}, {"-phone", "light", 390, 844}} {
		b.resize(l.width, l.height)
		b.colors(l.colors)
		b.axe(name + l.suffix)
		b.show(picture + l.suffix)
	}
	b.resize(320, 640)
	if width := value[int](b, `document.documentElement.scrollWidth`); width > 320 {
		wide := value[[]string](b, `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > 321 && !e.closest(".hidden, .skip")).map((e) => e.outerHTML.slice(0, 120)).slice(0, 5)`)
		b.t.Errorf("%s is %d wide on a phone of 320: %s", name, width, strings.Join(wide, "\n"))
	}
	b.resize(1280, 900)
	b.colors("light")
}

var axeCore = func() string {
	text, err := os.ReadFile("testdata/axe-core/axe.min.js")
	if err != nil {
		panic(err)
	}
	return string(text)
}()

// violation is a mistake that axe-core finds.
type violation struct {
	ID, Help string
	Nodes    []string
}

// axe reports what axe-core finds on the page; it is a script.
func (b *browser) axe(name string) {
	b.t.Helper()
	if !b.scripts {
		return
	}
	for _, v := range b.violations() {
		b.t.Errorf("%s: axe: %s: %s\n  %s", name, v.ID, v.Help, strings.Join(v.Nodes, "\n  "))
	}
}

func (b *browser) violations() (violations []violation) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](axeCore))
	found := value[string](b, `axe.run(document, {resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations.map((v) =>
		({id: v.id, help: v.help, nodes: v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200) + " " + n.any.map((c) => c.message).join("; "))}))))`)
	require.NoError(b.t, json.Unmarshal([]byte(found), &violations))
	return violations
}

// TestAMistakeIsFound by what judges every page: a field that says nobody what it is
// for, and a text that nearly is not there.
func TestAMistakeIsFound(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"/":         `<label>Name <input name="q"></label><p>text</p>`,
		"/mistaken": `<input name="q"><p style="color: #eee; background: #fff">text</p>`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="data:,"></head><body><main><h1>A page</h1>`+pages[r.URL.Path]+`</main></body></html>`)
	}))
	t.Cleanup(server.Close)
	b := newBrowser(t, server.URL, true)
	b.open("/")
	require.Empty(t, b.violations())
	b.open("/mistaken")
	var found []string
	for _, v := range b.violations() {
		found = append(found, v.ID)
	}
	require.ElementsMatch(t, []string{"color-contrast", "label"}, found)
}

// TestAClickMeetsWhatItIsMeantFor, however the page moves under it.
func TestAClickMeetsWhatItIsMeantFor(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><link rel="icon" href="data:,"><style>button, div { display: block; height: 60px; width: 200px }</style>
			<div id="banner"></div><button id="wrong">Wrong</button><button id="right">Right</button>
			<script>
				const clicks = window.clicks = { wrong: 0, right: 0 };
				for (const b of document.querySelectorAll("button")) b.addEventListener("click", () => clicks[b.id]++);
				setInterval(() => { const b = document.querySelector("#banner"); b.hidden = !b.hidden; b.style.display = b.hidden ? "none" : ""; }, 3);
			</script>`)
	}))
	t.Cleanup(server.Close)
	b := newBrowser(t, server.URL, true)
	b.open("/")
	const clicks = 10
	for range clicks {
		b.click("#right")
	}
	require.Equal(t, map[string]int{"wrong": 0, "right": clicks}, value[map[string]int](b, `window.clicks`))
}

// TestPrinting: on paper there is what a page says, and nothing to press.
func TestPrinting(t *testing.T) {
	t.Parallel()
	_, site := sharedConsole.get(t)
	b := newBrowser(t, site, true)
	b.signIn(address("m0169"), "/console/leavers")
	const search, title = `getComputedStyle(document.querySelector("#search")).display`, `getComputedStyle(document.querySelector("h1")).display`
	require.NotEqual(t, "none", value[string](b, search))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	require.NoError(t, err)
	require.Equal(t, "none", value[string](b, search))
	require.NotEqual(t, "none", value[string](b, title))
}
