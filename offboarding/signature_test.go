package offboarding_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// The example of docs/contract.md: what another program has to come to, too.
var (
	exampleSeed = []byte(strings.Repeat("\x07", ed25519.SeedSize))
	exampleKey  = offboarding.SigningKey{ID: "hr-2026", Key: ed25519.NewKeyFromSeed(exampleSeed)}
	exampleRing = offboarding.Keyring{"hr-2026": ed25519.NewKeyFromSeed(exampleSeed).Public().(ed25519.PublicKey)}
	exampleData = `{"admin_id":"01a1ffde-c038-7465-9c60-59c351b0b4b5","reason":"stays after all"}`
	exampleSent = offboarding.Sent{
		Namespace: "default", WorkflowID: "offboarding/01a1ffde-c038-72a2-abd3-2ee046c7cc2d", RunID: "01a1ffdf-0c1b-7d7e-8e57-8b5f0a3c5f52",
		Kind: offboarding.KindUpdate, Name: offboarding.MessageCancel, ID: "cancel-4711", Digest: offboarding.Digest([]byte(exampleData)),
		At: exampleExpiry.Add(-time.Minute),
	}
	exampleExpiry = time.Date(2026, 3, 2, 9, 10, 0, 0, time.UTC)
)

func signature(t *testing.T, key offboarding.SigningKey, s offboarding.Sent, until time.Time) string {
	t.Helper()
	text, err := key.Sign(s, until)
	require.NoError(t, err)
	return text
}

func TestTheExampleOfTheContract(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../docs/contract.md")
	require.NoError(t, err)
	text := signature(t, exampleKey, exampleSent, exampleExpiry)
	for _, want := range []string{
		text, exampleData, exampleSent.Digest, base64.StdEncoding.EncodeToString(exampleSeed),
		base64.StdEncoding.EncodeToString(exampleRing["hr-2026"]),
	} {
		require.Contains(t, string(contract), want)
	}
	s := exampleSent
	s.Signature = text
	id, expires, refusal := exampleRing.Verify(s)
	require.Nil(t, refusal)
	require.Equal(t, "cancel-4711", id)
	require.True(t, exampleExpiry.Equal(expires), expires)
}

func TestVerifyRefusesWhatDiffers(t *testing.T) {
	t.Parallel()
	good := exampleSent
	good.Signature = signature(t, exampleKey, exampleSent, exampleExpiry)
	for name, change := range map[string]func(*offboarding.Sent){
		"namespace":    func(s *offboarding.Sent) { s.Namespace = "other" },
		"workflow ID":  func(s *offboarding.Sent) { s.WorkflowID += "x" },
		"run":          func(s *offboarding.Sent) { s.RunID = "" },
		"kind":         func(s *offboarding.Sent) { s.Kind = offboarding.KindSignal },
		"name":         func(s *offboarding.Sent) { s.Name = offboarding.MessageReactivate },
		"ID":           func(s *offboarding.Sent) { s.ID = "cancel-4712" },
		"payload":      func(s *offboarding.Sent) { s.Digest = offboarding.Digest([]byte(exampleData + " ")) },
		"no signature": func(s *offboarding.Sent) { s.Signature = "" },
		"no parts":     func(s *offboarding.Sent) { s.Signature = "x" },
		"no signer":    func(s *offboarding.Sent) { s.Signature = s.Signature[:strings.LastIndex(s.Signature, ".")+1] },
		"the second":   func(s *offboarding.Sent) { s.At = exampleExpiry },
		"long ago":     func(s *offboarding.Sent) { s.At = exampleExpiry.Add(time.Hour) },
		"other key": func(s *offboarding.Sent) {
			other := offboarding.SigningKey{ID: "hr-2026", Key: ed25519.NewKeyFromSeed([]byte(strings.Repeat("\x08", ed25519.SeedSize)))}
			s.Signature = signature(t, other, exampleSent, exampleExpiry)
		},
		"unknown key": func(s *offboarding.Sent) {
			s.Signature = signature(t, offboarding.SigningKey{ID: "hr-2025", Key: exampleKey.Key}, exampleSent, exampleExpiry)
		},
		"no ID": func(s *offboarding.Sent) {
			s.Kind, s.ID = offboarding.KindSignal, ""
			s.Signature = signature(t, exampleKey, *s, exampleExpiry)
		},
		"other tokens of the key": func(s *offboarding.Sent) {
			s.Signature = resigned(`{"alg":"EdDSA","typ":"JWT","kid":"hr-2026"}`, s.Signature)
		},
		"no algorithm": func(s *offboarding.Sent) {
			s.Signature = resigned(`{"alg":"none","typ":"handover+jwt","kid":"hr-2026"}`, s.Signature)
		},
		"something critical": func(s *offboarding.Sent) {
			s.Signature = resigned(`{"alg":"EdDSA","typ":"handover+jwt","kid":"hr-2026","crit":["b64"]}`, s.Signature)
		},
		"no expiry": func(s *offboarding.Sent) {
			s.Signature = resigned(`{"alg":"EdDSA","typ":"handover+jwt","kid":"hr-2026"}`, "."+base64.RawURLEncoding.EncodeToString([]byte(
				`{"aud":"default","sub":"`+s.WorkflowID+`","run":"`+s.RunID+`","kind":"update","name":"cancel","sha256":"`+s.Digest+`","jti":"cancel-4711"}`))+".")
		},
	} {
		s := good
		change(&s)
		_, _, refusal := exampleRing.Verify(s)
		require.NotNil(t, refusal, name)
		require.Equal(t, offboarding.CodeNotSigned, refusal.Code(), name)
	}
	_, _, refusal := offboarding.Keyring{}.Verify(good)
	require.NotNil(t, refusal)
}

// resigned signs the claims of another token under another header.
func resigned(header, of string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + strings.Split(of, ".")[1]
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(exampleKey.Key, []byte(text)))
}

func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	require.Equal(t, "hr-2026 hr-2026", strings.Join([]string{exampleKey.String(), exampleKey.GoString()}, " "))
}

// Who signs for ever is heard, and remembered as long as a time can say.
func TestASignatureForEverHasATime(t *testing.T) {
	t.Parallel()
	s := exampleSent
	s.Signature = resigned(`{"alg":"EdDSA","typ":"handover+jwt","kid":"hr-2026"}`, "."+base64.RawURLEncoding.EncodeToString([]byte(
		`{"aud":"default","sub":"`+s.WorkflowID+`","run":"`+s.RunID+`","kind":"update","name":"cancel","sha256":"`+s.Digest+`","jti":"cancel-4711","exp":1e300}`))+".")
	_, expires, refusal := exampleRing.Verify(s)
	require.Nil(t, refusal)
	require.Equal(t, 9999, expires.Year())
}
