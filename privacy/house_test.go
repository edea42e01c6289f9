package privacy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"handover/internal/codec"
	"handover/internal/devidp"
	"handover/internal/freeport"
	"handover/internal/temporalserver"
	"handover/internal/testdb"
	"handover/internal/testlog"
	"handover/internal/testspans"
	"handover/offboarding"
	"handover/postgres"
)

// house is an organization, the data set, with a worker and a server as processes, and
// with everything that listens to them.
type house struct {
	t              *testing.T
	db             *sqlx.DB // as who owns the tables
	store          *postgres.Store
	temporalDir    string // where the Temporal server keeps all that it knows
	temporal       *temporalserver.Server
	plain, reader  client.Client // without a key, and with it
	keys           *codec.Codec
	worker, server *process
	spans          *testspans.Spans
	webhooks       testlog.Buffer // what a receiver was sent
	metrics        testlog.Buffer // what was scraped
	needles        *needles
	api            string
	admin          key
	scim           string // token of the identity provider
}

// key is a credential of the API.
type key struct{ id, secret string }

type object = map[string]any

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, temporalDir: t.TempDir()}
	owner := testdb.URL(t)
	var err error
	h.db, err = sqlx.Connect("postgres", owner)
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.db.Close() })
	h.store = postgres.New(h.db)
	in := devdocs(t)
	_, err = h.store.Import(t.Context(), in, time.Now().UTC(), nil)
	require.NoError(t, err)
	h.needles = everybody(t, in)

	h.temporal, err = temporalserver.Start(t.Context(), temporalserver.Options{Dir: h.temporalDir, Address: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.temporal.Stop() })
	secret := make([]byte, codec.KeySize)
	_, _ = rand.Read(secret)
	h.keys, err = codec.New(codec.Key{ID: "one", Secret: secret})
	require.NoError(t, err)
	h.plain, h.reader = h.dial(nil), h.dial(h.keys)

	people, err := devidp.Start(t.Context(), devidp.Options{
		Address: "127.0.0.1:0", People: func(context.Context) ([]devidp.Person, error) { return nil, nil },
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = people.Close() })
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = h.webhooks.Write(append(body, '\n'))
	}))
	t.Cleanup(receiver.Close)

	var settings []string
	h.spans, settings = testspans.Collect(t)
	address := freeport.Address()
	settings = append(settings, "DATABASE_URL="+testdb.AppURL(t, owner), "TEMPORAL_ADDRESS="+h.temporal.Address(),
		"HANDOVER_PAYLOAD_KEYS=one:"+base64.StdEncoding.EncodeToString(secret), "HANDOVER_SECRET_KEY="+base64.StdEncoding.EncodeToString(secret),
		"HANDOVER_WEBHOOK_ALLOW_PRIVATE=true", "OTEL_BSP_SCHEDULE_DELAY=200")
	program := program(t)
	h.worker = start(t, program, "worker", freeport.Address(), settings...)
	h.server = start(t, program, "server", freeport.Address(), append(settings, "HANDOVER_LISTEN_ADDRESS="+address, "HANDOVER_PUBLIC_URL=http://"+address, "HANDOVER_RATE_LIMIT=0",
		"HANDOVER_OIDC_ISSUER="+people.Issuer(), "HANDOVER_OIDC_CLIENT_ID="+devidp.ClientID, "HANDOVER_OIDC_CLIENT_SECRET="+devidp.ClientSecret)...)
	h.api = "http://" + address
	h.worker.ready(t)
	h.server.ready(t)

	h.admin = h.credential("m0202")
	_, answer := h.call(h.admin, http.MethodPost, "/v1/webhooks", object{"url": receiver.URL}, http.StatusCreated)
	h.needles.add("the secret of a webhook", answer["secret"].(string))
	return h
}

func (h *house) dial(keys *codec.Codec) client.Client {
	h.t.Helper()
	options := client.Options{Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))}
	if keys != nil {
		keys.Apply(&options)
	}
	c, err := h.temporal.Client(h.t.Context(), options)
	require.NoError(h.t, err)
	h.t.Cleanup(c.Close)
	return c
}

// text reads one value of the database.
func (h *house) text(query string, args ...any) string {
	h.t.Helper()
	var text string
	require.NoError(h.t, h.db.Get(&text, query, args...))
	return text
}

func (h *house) exec(query string, args ...any) {
	h.t.Helper()
	_, err := h.db.Exec(query, args...)
	require.NoError(h.t, err)
}

// id is the ID of a member of the data set.
func (h *house) id(externalID string) string {
	h.t.Helper()
	return h.text(`SELECT id FROM members WHERE external_id = $1`, externalID)
}

// credential makes a credential of a member, whose secret is a needle from then on.
func (h *house) credential(externalID string) key {
	h.t.Helper()
	secret, hash := offboarding.NewSecret(offboarding.SecretOfCredential)
	member, id := h.id(externalID), uuid.Must(uuid.NewV7()).String()
	require.NoError(h.t, h.store.CreateCredential(h.t.Context(), offboarding.CredentialRequest{
		ID: id, MemberID: member, Kind: "api", Name: "api-" + externalID, By: member, SecretHash: hash,
	}, time.Now().UTC()))
	h.needles.add("the secret of a credential", secret)
	return key{id, secret}
}

// call asks the API for something as the owner of a credential, or the identity provider
// for a path of SCIM, and is answered as expected.
func (h *house) call(k key, method, path string, body any, status int, headers ...string) (http.Header, object) {
	h.t.Helper()
	var sent io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(body)
	default:
		data, err := json.Marshal(body)
		require.NoError(h.t, err)
		sent = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.api+path, sent)
	require.NoError(h.t, err)
	if sent != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(path, "/scim/") {
		r.Header.Set("Authorization", "Bearer "+h.scim)
		r.Header.Set("Content-Type", "application/scim+json")
	} else {
		r.SetBasicAuth(k.id, k.secret)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(h.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(h.t, errors.Join(err, response.Body.Close()))
	assert.Equal(h.t, status, response.StatusCode, "%s %s: %s", method, path, text)
	answer := object{}
	_ = json.Unmarshal(text, &answer) // what is no object is looked at by nobody
	return response.Header, answer
}

// hidden are the fields of the identity provider's form.
var hidden = regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`)

// signIn signs somebody in as a browser does, and answers with the browser, whose session
// is a needle from then on.
func (h *house) signIn(email string, status int) *http.Client {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	c := &http.Client{Jar: jar}
	page, at := h.visit(c, http.MethodGet, h.api+"/auth/login?return_to=/console/", nil, http.StatusOK)
	form := url.Values{"email": {email}}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], strings.ReplaceAll(field[2], "&#43;", "+"))
	}
	h.visit(c, http.MethodPost, at.String(), form, status)
	for _, cookie := range jar.Cookies(at) {
		if len(cookie.Value) > 20 {
			h.needles.add("a session", cookie.Value)
		}
	}
	return c
}

// visit opens a page, or sends a form, and answers with what comes and where it is.
func (h *house) visit(c *http.Client, method, address string, form url.Values, status int) (string, *url.URL) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, address, strings.NewReader(form.Encode()))
	require.NoError(h.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	response, err := c.Do(r)
	require.NoError(h.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(h.t, errors.Join(err, response.Body.Close()))
	assert.Equal(h.t, status, response.StatusCode, "%s: %.2000s", address, text)
	return string(text), response.Request.URL
}
