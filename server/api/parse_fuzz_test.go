package api

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"handover/offboarding"
	"handover/server/auth"
)

// A preference is found wherever it stands, and not in what is said of another one.
func FuzzPrefer(f *testing.F) {
	for _, text := range []string{
		"", "respond-async", "Respond-Async; foo=1", "wait=5, respond-async", "respond-async2", "respond-async=no", "foo=\"a, respond-async\"",
		"foo=\"\\\", respond-async", "\"", "re\u017fpond-async", "foo;respond-async", ",,;,", "\xff, respond-async",
	} {
		f.Add(text)
	}
	asked := regexp.MustCompile(`[Rr][Ee][Ss][Pp][Oo][Nn][Dd]-[Aa][Ss][Yy][Nn][Cc]`)
	f.Fuzz(func(t *testing.T, text string) {
		async := func(header string) bool { return (&PreferInput{Prefer: header}).async() }
		if async(text) && !asked.MatchString(text) {
			t.Fatalf("found in %q", text)
		}
		if !async(text+", respond-async") || !async("RESPOND-ASYNC;x=1 ,"+text) {
			t.Fatalf("not found beside %q", text)
		}
		said := `foo="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		if async(said) || async(said+"; respond-async") || !async(said+", respond-async") {
			t.Fatalf("%q was read as more than one preference", said)
		}
	})
}

// A key is taken if the description says so, arrives as it was sent, and names with
// its request one thing.
func FuzzIdempotencyKey(f *testing.F) {
	f.Add("8f0c4a52-1", "{}", "8f0c4a52-2", "{}")
	f.Add("a", "b", "ab", "")
	f.Add("~!", "", "a b", "\x00")
	f.Add(strings.Repeat("k", 255), "", strings.Repeat("k", 256), "")
	f.Add("", "", "\xff", "\n")
	described := regexp.MustCompile(`^[\x21-\x7e]{1,255}\z`)
	f.Fuzz(func(t *testing.T, key, body, otherKey, otherBody string) {
		if validKey(key) != described.MatchString(key) {
			t.Fatalf("%q: taken %v", key, validKey(key))
		}
		if !validKey(key) {
			return
		}
		sent := "POST /v1/x HTTP/1.1\r\nHost: x\r\n" + HeaderKey + ": " + key + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(sent)))
		if err != nil || len(r.Header.Values(HeaderKey)) != 1 || r.Header.Get(HeaderKey) != key {
			t.Fatalf("%q arrives otherwise: %v", key, err)
		}
		a, b := &auth.Caller{Member: offboarding.Member{ID: "a"}}, &auth.Caller{Member: offboarding.Member{ID: "b"}}
		credential := &auth.Caller{Member: offboarding.Member{ID: "a"}, CredentialID: "a"}
		ids := map[string]bool{keyID(a, key): true, keyID(b, key): true, keyID(credential, key): true}
		if len(ids) != 3 {
			t.Fatalf("%q is the same key of several callers", key)
		}
		for id := range ids {
			if err := uuid.Validate(id); err != nil {
				t.Fatal(err)
			}
		}
		if (keyID(a, key) == keyID(a, otherKey)) != (key == otherKey) {
			t.Fatalf("%q and %q", key, otherKey)
		}
		r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/x?y=z", nil)
		same := bytes.Equal(fingerprint(r, key, []byte(body)), fingerprint(r, otherKey, []byte(otherBody)))
		if same != (key == otherKey && body == otherBody) {
			t.Fatalf("%q with %q, %q with %q: the same %v", key, body, otherKey, otherBody, same)
		}
	})
}

// The origin is the same under both names of its header, one that is written is
// taken as it is, and what is refused is refused by rule O1.
func FuzzOriginHeaders(f *testing.F) {
	for _, text := range []string{"", "SCRIPT,Acme,hr-sync", "AI,SampleOrg,My-AI-Connector-v2", "AI,a", "ai,a,b", "AI,a\xff,b", "AI,a\x00,b", "AI, a,b"} {
		f.Add(text, "")
		f.Add(text, text)
		f.Add(text, "SCRIPT,Acme,hr-sync")
	}
	f.Fuzz(func(t *testing.T, source, seed string) {
		origin, wrong := OriginInput{Source: source, Seed: seed}.origin()
		swapped, wrongToo := OriginInput{Source: seed, Seed: source}.origin()
		if origin != swapped || len(wrong) != len(wrongToo) {
			t.Fatalf("%q %q: %q %v, the other way round %q %v", source, seed, origin, wrong, swapped, wrongToo)
		}
		for _, v := range wrong {
			if v.Rule != "O1" || v.Code != offboarding.CodeInvalidArgument || !strings.HasSuffix(v.Field, "-Integration-Source") || !utf8.ValidString(v.Message) {
				t.Fatalf("%q %q: %v", source, seed, v)
			}
		}
		switch {
		case len(wrong) > 0:
			if origin != "" || source == "" && seed == "" {
				t.Fatalf("%q %q: %q and %v", source, seed, origin, wrong)
			}
		case source != "" && seed != "" && source != seed:
			t.Fatalf("%q and %q are both the origin", source, seed)
		case origin != source && origin != seed || origin == "" && source+seed != "":
			t.Fatalf("%q %q: %q", source, seed, origin)
		case !utf8.ValidString(origin) || strings.ContainsRune(origin, 0) || len(offboarding.CheckOrigin(origin)) > 0:
			t.Fatalf("%q cannot be kept", origin)
		}
	})
}
