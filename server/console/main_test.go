package console_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	cases "handover/client"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/internal/testengine"
	"handover/internal/testlog"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/api"
	"handover/server/auth"
	"handover/server/console"
	"handover/server/problem"
	"handover/webhook"
)

func TestMain(m *testing.M) { os.Exit(testengine.Main(m)) }

// desk is an organization on a database of its own, with a worker and the console
// over HTTP, as somebody without scripts sees it.
//
//	d := newDesk(t)
//	page := d.as(d.Admin).get(t, "/console/leavers")
//	page.submit(t, "form#cancel", url.Values{"reason": {"a mistake"}})
type desk struct {
	*fixture.Organization
	t        testing.TB
	store    *postgres.Store
	cases    *cases.Client
	temporal client.Client
	console  *console.Console
	url      string
	log      *testlog.Buffer
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := testdb.New(t)
	return newDeskOn(t, db, fixture.Behind(t, db))
}

// newDeskOn is a desk that sees what a store shows.
func newDeskOn(t *testing.T, db *sqlx.DB, seen *postgres.Store) *desk {
	t.Helper()
	d := &desk{t: t, Organization: fixture.New(t, db), store: postgres.New(db), log: &testlog.Buffer{}}
	d.temporal = testengine.New(t)
	d.cases = cases.New(d.temporal)
	testengine.Work(t, d.temporal, d.store)
	log := slog.New(slog.NewJSONHandler(d.log, nil))
	mux := http.NewServeMux()
	callers := auth.New(auth.Options{Store: d.store, Log: log})
	keys, err := webhook.NewKeys([]byte("a key for tests, of 32 bytes at least"))
	require.NoError(t, err)
	api.New(mux, api.Options{Store: seen, Gate: d.store, Cases: d.cases, Auth: callers, Webhooks: api.Webhooks{Keys: keys, AllowPrivate: true}, Log: log})
	stopping := make(chan struct{})
	d.console = console.New(mux, console.Options{API: mux, Store: seen, Auth: callers, Log: log, Stopping: stopping})
	server := httptest.NewServer(problem.Track(log, callers.Authenticate(mux)))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stopping) }) // before it, which waits for streams
	d.url = server.URL
	return d
}

// person is somebody with a browser without scripts.
type person struct {
	url    string
	client *http.Client
}

// as is a member who has signed in; "" is nobody.
func (d *desk) as(member string) *person {
	jar, _ := cookiejar.New(nil) // never fails
	p := &person{d.url, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/auth/") { // no provider is there
			return http.ErrUseLastResponse
		}
		return nil
	}}}
	if member != "" {
		token, hash := offboarding.NewSecret(offboarding.SecretOfSession)
		require.NoError(d.t, d.store.SignIn(context.Background(), offboarding.SignIn{
			SessionID: uuid.Must(uuid.NewV7()).String(), MemberID: member, TokenHash: hash, At: time.Now().UTC(),
		}))
		at, err := url.Parse(d.url)
		require.NoError(d.t, err)
		jar.SetCookies(at, []*http.Cookie{{Name: "handover_session", Value: token, Path: "/"}})
	}
	return p
}

// page is what somebody sees.
type page struct {
	*goquery.Document
	person *person
	status int
	url    *url.URL
	header http.Header
}

// get opens a page, which must be there.
func (p *person) get(t testing.TB, path string) *page {
	t.Helper()
	got := p.open(t, http.MethodGet, path, nil)
	require.Equal(t, http.StatusOK, got.status, "%s: %s", path, got.text("main"))
	return got
}

// open opens a page, or sends a form.
func (p *person) open(t testing.TB, method, path string, form url.Values, headers ...string) *page {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, body)
	require.NoError(t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := p.client.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	document, err := goquery.NewDocumentFromReader(response.Body)
	require.NoError(t, err)
	return &page{document, p, response.StatusCode, response.Request.URL, response.Header}
}

// text is what is written in the parts of a page, with single spaces.
func (p *page) text(selector string) string {
	return strings.Join(strings.Fields(p.Find(selector).Text()), " ")
}

// submit fills in a form of the page and sends it, as a press of its button does; a nil
// value leaves a field out. The button is the form's first, unless its name is among
// the values.
func (p *page) submit(t testing.TB, selector string, values url.Values) *page {
	t.Helper()
	form := p.Find(selector)
	require.Equal(t, 1, form.Length(), "%s is there %d times: %s", selector, form.Length(), p.text("main"))
	require.Equal(t, "form", goquery.NodeName(form))
	sent := url.Values{}
	form.Find("input, select, textarea").Each(func(_ int, f *goquery.Selection) {
		name, kind, value := f.AttrOr("name", ""), f.AttrOr("type", "text"), f.AttrOr("value", "")
		_, checked := f.Attr("checked")
		_, disabled := f.Attr("disabled")
		switch {
		case name == "" || disabled || (kind == "checkbox" || kind == "radio") && !checked:
			return
		case goquery.NodeName(f) == "textarea":
			value = f.Text()
		case goquery.NodeName(f) == "select":
			chosen := f.Find("option[selected]")
			if chosen.Length() == 0 {
				chosen = f.Find("option").First()
			}
			value = chosen.AttrOr("value", chosen.Text())
		}
		sent.Add(name, value)
	})
	button := form.Find("button").First()
	for name, value := range values {
		require.True(t, form.Find(`[name="`+name+`"]`).Length() > 0, "the form %s has no field %q", selector, name)
		if form.Find(`button[name="`+name+`"]`).Length() > 0 {
			button = form.Find(`button[name="` + name + `"][value="` + value[0] + `"]`)
			require.Equal(t, 1, button.Length(), "the form %s has no button %s=%s", selector, name, value[0])
			continue
		}
		delete(sent, name)
		if value != nil {
			sent[name] = value
		}
	}
	if name := button.AttrOr("name", ""); name != "" {
		sent.Set(name, button.AttrOr("value", ""))
	}
	action := button.AttrOr("formaction", form.AttrOr("action", p.url.RequestURI()))
	if strings.EqualFold(form.AttrOr("method", "get"), "get") {
		return p.person.open(t, http.MethodGet, action+"?"+sent.Encode(), nil)
	}
	return p.person.open(t, http.MethodPost, action, sent, "Sec-Fetch-Site", "same-origin")
}

// offboard starts an offboarding that retains the documents, and waits until it is in
// its grace period. It returns the case's ID.
func (d *desk) offboard(t testing.TB, leaver string) string {
	t.Helper()
	status, err := d.cases.StartAndAwait(t.Context(), offboarding.Request{MemberID: leaver, RequestedBy: d.Admin, Disposition: offboarding.DispositionRetain})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		row, err := d.store.FindCase(t.Context(), status.CaseID, time.Now())
		return err == nil && row.Phase == offboarding.PhaseGrace
	}, 30*time.Second, 20*time.Millisecond)
	return status.CaseID
}
