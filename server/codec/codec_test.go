package codec_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	sealing "handover/internal/codec"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/codec"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

const origin = "https://temporal.acme.example"

// desk is a server whose owner may decrypt.
type desk struct {
	*fixture.Organization
	t     *testing.T
	store *postgres.Store
	keys  *sealing.Codec
	url   string
	log   bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := testdb.New(t)
	d := &desk{Organization: fixture.New(t, db), t: t, store: postgres.New(db)}
	var err error
	d.keys, err = sealing.New(sealing.Key{ID: "2026", Secret: make([]byte, sealing.KeySize)})
	require.NoError(t, err)
	log := slog.New(slog.NewTextHandler(&d.log, nil))
	callers := auth.New(auth.Options{Store: d.store, Log: log, PublicURL: "http://handover.acme.example"})
	mux := http.NewServeMux()
	codec.New(mux, codec.Options{Decoder: d.keys, Readers: []string{d.Owner}, Origin: origin, Auth: callers, Log: log})
	server := httptest.NewServer(callers.Authenticate(mux))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *desk) sealed(values ...any) string {
	d.t.Helper()
	plain, err := converter.GetDefaultDataConverter().ToPayloads(values...)
	require.NoError(d.t, err)
	out, err := d.keys.Encode(plain.GetPayloads())
	require.NoError(d.t, err)
	text, err := protojson.Marshal(&commonpb.Payloads{Payloads: out})
	require.NoError(d.t, err)
	return string(text)
}

// ask sends a request as a member who is signed in, "" for nobody.
func (d *desk) ask(method, from, member, body string) (*http.Response, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.url+"/codec/decode", strings.NewReader(body))
	require.NoError(d.t, err)
	if from != "" {
		r.Header.Set("Origin", from)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Authorization", "Bearer of-the-provider")
	}
	if from != origin {
		r.Header.Del("Authorization")
	}
	if member != "" {
		token, hash := offboarding.NewSecret(offboarding.SecretOfSession)
		require.NoError(d.t, d.store.SignIn(d.t.Context(), offboarding.SignIn{
			SessionID: uuid.NewString(), MemberID: member, TokenHash: hash, At: time.Now().UTC(),
		}))
		r.AddCookie(&http.Cookie{Name: "handover_session", Value: token})
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(d.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	require.NoError(d.t, response.Body.Close())
	return response, string(text)
}

func TestDecryptsForWhomTheSettingsName(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	response, text := d.ask(http.MethodPost, origin, d.Owner, d.sealed(map[string]string{"reason": "has left"}, 7))
	require.Equal(t, http.StatusOK, response.StatusCode, text)
	require.Equal(t, origin, response.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", response.Header.Get("Access-Control-Allow-Credentials"))
	var out commonpb.Payloads
	require.NoError(t, protojson.Unmarshal([]byte(text), &out))
	require.JSONEq(t, `{"reason": "has left"}`, string(out.GetPayloads()[0].GetData()))
	require.Len(t, out.GetPayloads(), 2)
	require.Contains(t, d.log.String(), d.Owner, "who has read is told")
	require.NotContains(t, d.log.String(), "has left")
}

func TestDecryptsForNobodyElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	body := d.sealed("secret")
	for name, c := range map[string]struct {
		from, member string
		status       int
	}{
		"nobody":                       {origin, "", 401},
		"an admin who is not named":    {origin, d.Admin, 403},
		"a page of another site":       {"https://evil.example", d.Owner, 403},
		"another port of the web UI's": {origin + ":8443", d.Owner, 403},
		"a program without a name":     {"", "", 401},
	} {
		response, text := d.ask(http.MethodPost, c.from, c.member, body)
		require.Equal(t, c.status, response.StatusCode, name)
		require.NotContains(t, text, "c2VjcmV0", name)
		if c.from != origin {
			require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"), name)
		}
	}
}

func TestBrowsersAskFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	response, _ := d.ask(http.MethodOptions, origin, "", "")
	require.Equal(t, http.StatusNoContent, response.StatusCode)
	require.Equal(t, origin, response.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, response.Header.Get("Access-Control-Allow-Headers"), "Content-Type")
	response, _ = d.ask(http.MethodOptions, "https://evil.example", "", "")
	require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, response.Header.Values("Vary"), "Origin")
}

func TestWhatCannotBeDecrypted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	other, err := sealing.New(sealing.Key{ID: "2020", Secret: bytes.Repeat([]byte{1}, sealing.KeySize)})
	require.NoError(t, err)
	lost := &desk{t: t, keys: other}
	for body, want := range map[string]string{
		"nonsense":                               "not a Payloads object",
		"":                                       "not a Payloads object",
		"null":                                   "not a Payloads object",
		"{\"payloads\":[{\"data\":\"\u0000\"}]}": "not a Payloads object",
		"{\"payloads\":" + strings.Repeat("[", 1<<20):                 "not a Payloads object",
		strings.Repeat(`{"payloads":[{"metadata":`, 100_000):          "not a Payloads object",
		"{\"payloads\":[{\"metadata\":{\"encoding\":\"\xff\xff\"}}]}": "not a Payloads object",
		lost.sealed("old"): "a key that is not known here",
	} {
		response, text := d.ask(http.MethodPost, origin, d.Owner, body)
		require.Equal(t, http.StatusBadRequest, response.StatusCode, text)
		require.Contains(t, text, want)
	}
	response, text := d.ask(http.MethodPost, origin, d.Owner, strings.Repeat(" ", 9<<20))
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode, text)
}
