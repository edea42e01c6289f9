package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// sharedChromium is one Chromium for all tests; everybody in them has cookies of
// their own in it, as on a computer of their own.
var sharedChromium chromium

type chromium struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func (c *chromium) get(t testing.TB) context.Context {
	t.Helper()
	c.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.UserDataDir(path.Join(work, "chromium")),
			chromedp.NoSandbox, // there is none for root, nor in most containers; the pages are ours
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en"))
		if name := os.Getenv("HANDOVER_CHROMIUM"); name != "" {
			options = append(options, chromedp.ExecPath(name))
		}
		allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, leave := chromedp.NewContext(allocator)
		c.ctx, c.stop = ctx, func() { leave(); stop() }
		if c.err = chromedp.Do(ctx); c.err != nil {
			c.err = fmt.Errorf("no browser starts (`make chromium` installs Debian's, HANDOVER_CHROMIUM names another): %w", c.err)
		}
	})
	require.NoError(t, c.err)
	return c.ctx
}

func (c *chromium) end() {
	if c.stop != nil {
		c.stop()
	}
}

// glance bounds what a page may take to show something.
const glance = time.Minute

// browser is somebody's own browser.
type browser struct {
	t       testing.TB
	ctx     context.Context
	site    string
	scripts bool

	mu        sync.Mutex
	complains []string
	excused   int // the status of an answer that a test makes go wrong
}

// newBrowser opens a browser; scripts says whether pages may run theirs. What a page
// says is wrong on its console fails the test.
func newBrowser(t testing.TB, site string, scripts bool) *browser {
	t.Helper()
	ctx, leave := chromedp.NewContext(sharedChromium.get(t), chromedp.WithNewBrowserContext())
	b := &browser{t: t, ctx: ctx, site: site, scripts: scripts}
	messages, done := chromedp.Console(ctx), make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			b.heard(m)
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			b.show("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
		}
		leave()
		<-done
		require.Empty(t, b.complains, "the browser's console")
	})
	b.resize(1280, 900)
	b.colors("light") // from the first page on: no color fades, so none is measured in between
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
	require.NoError(t, err)
	return b
}

// heard keeps what is wrong. That a form was refused is an answer, not a mistake.
func (b *browser) heard(m chromedp.ConsoleMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	refused := m.Source == "network" && strings.Contains(m.URL, "/console/") && !strings.Contains(m.URL, "/static/") &&
		slices.ContainsFunc([]int{400, 401, 403, 404, 409, 422, b.excused}, func(status int) bool {
			return strings.Contains(m.Text, fmt.Sprintf("status of %d (%s)", status, http.StatusText(status)))
		})
	if m.Type == chromedp.ConsoleError && !refused || m.Type == chromedp.ConsoleWarning || m.IsException() {
		b.complains = append(b.complains, fmt.Sprintf("%s %s", m, m.URL))
	}
}

// do does something, which must work.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, glance)
	defer cancel()
	err := chromedp.Do(ctx, actions...)
	for ; err != nil && strings.Contains(err.Error(), "Could not find node"); err = chromedp.Do(ctx, actions...) {
		continue // the page was made anew between finding it and reaching for it
	}
	if err != nil {
		require.NoError(b.t, err, "at %s", b.text())
	}
}

// value is what an expression of JavaScript is worth on the page.
func value[T any](b *browser, expression string) T {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err, expression)
	return got
}

func (b *browser) resize(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// colors is the choice of light or dark of a reader who wants nothing to move.
func (b *browser) colors(scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
	})
	require.NoError(b.t, err)
}

// open goes to a page of the site.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.site + path))
}

// signIn goes to a page of the site as somebody, through the local identity provider.
func (b *browser) signIn(address, path string) {
	b.t.Helper()
	b.open(path)
	b.who(address)
}

// who tells the local identity provider who somebody is.
func (b *browser) who(address string) {
	b.t.Helper()
	b.fill("input[name=email]", address)
	b.click("form button")
	b.until("a page of ours", `document.readyState === "complete" && !!document.querySelector("#main")`)
}

// aim lets clicks do nothing unless they meet what a CSS selector finds first: the page may
// move between looking where that is and clicking there. unaim ends it, and says whether
// one has missed.
const (
	aim = `(() => {
		const target = document.querySelector(%q), events = ["mousedown", "mouseup", "click"];
		let missed = false;
		const judge = (e) => {
			if (!target?.contains(e.target)) { missed = true; e.preventDefault(); e.stopImmediatePropagation(); }
			if (e.type === "click") end(); // a label clicks once more
		};
		const end = () => { for (const name of events) window.removeEventListener(name, judge, true); return missed; };
		for (const name of events) window.addEventListener(name, judge, true);
		window.unaim = end;
	})()`
	unaim = `window.unaim?.() ?? false`
)

// click clicks what a CSS selector finds first.
func (b *browser) click(selector string) {
	b.t.Helper()
	for missed := true; missed; {
		b.do(chromedp.WaitVisible(chromedp.CSS(selector)))
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(aim, selector)))
		b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
		var err error
		missed, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](unaim))
		missed = missed && err == nil // it may have led to another page
	}
}

// fill writes a text into a field, instead of what is in it.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).select()`, selector)))
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// hold does something that makes the page ask for an address, and keeps that request
// back until the returned function is called: with 0 it goes on to the server, with any
// other status it is answered with that. * stands for any text.
func (b *browser) hold(address string, what func()) (answer func(status int64)) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, glance)
	defer cancel()
	_, err := chromedp.Call(ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: address}}})
	require.NoError(b.t, err)
	held, err := chromedp.Run(ctx, chromedp.WaitEvent(fetch.RequestPaused, nil,
		func(context.Context, *chromedp.Target) (chromedp.Void, error) { what(); return chromedp.Void{}, nil }))
	require.NoError(b.t, err, address)
	return func(status int64) {
		b.t.Helper()
		if status == 0 {
			_, err = chromedp.Call(b.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: held.RequestID})
		} else {
			b.mu.Lock()
			b.excused = int(status)
			b.mu.Unlock()
			_, err = chromedp.Call(b.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{
				RequestID: held.RequestID, ResponseCode: status, Body: []byte(`<!doctype html><main id="main">That did not work</main>`),
				ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "text/html"}},
			})
		}
		require.NoError(b.t, err)
		_, err = chromedp.Call(b.ctx, fetch.Disable, cdp.Empty{})
		require.NoError(b.t, err)
	}
}

// front goes back to this tab from another one, which takes no clicks then.
func (b *browser) front() {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, page.BringToFront, cdp.Empty{})
	require.NoError(b.t, err)
}

// press presses keys, wherever the focus is.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// text is the text that the page shows, in one line.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.pathname + ": " + (document.body ? document.body.innerText : "")`))
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}

// until waits until an expression of JavaScript holds on the page.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	require.NoError(b.t, awaitWithin(glance, func() error {
		ctx, cancel := context.WithTimeout(b.ctx, glance)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		switch {
		case err != nil:
			return fmt.Errorf("%w; the page is at %s", err, b.text())
		case !ok:
			return errors.New("the page is at " + b.text())
		}
		return nil
	}), what)
}

// see waits until the main part of the page shows a text.
func (b *browser) see(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("the page shows %q", text), fmt.Sprintf(`(document.querySelector("#main")?.innerText ?? "").replace(/\s+/g, " ").includes(%q)`, text))
}

// show keeps a picture of the page, where somebody wants to see it.
func (b *browser) show(name string) {
	dir := os.Getenv("HANDOVER_SCREENSHOTS")
	if dir == "" {
		return
	}
	size := value[[2]float64](b, `[document.documentElement.clientWidth, Math.min(document.documentElement.scrollHeight, 1400)]`)
	taken, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: new(true), Clip: &page.Viewport{Width: size[0], Height: size[1], Scale: 1},
	})
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(path.Join(dir, name+".png"), taken.Data, 0o644)
	}
	if err != nil {
		b.t.Errorf("the picture %s: %v", name, err)
	}
}
