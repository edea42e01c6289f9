package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"handover/offboarding"
)

// signingKey is what signs, nil where nothing does.
func (r *reader) signingKey() *offboarding.SigningKey {
	text, source := r.value(flagSigningKey)
	if text == "" {
		return nil
	}
	id, seed, ok := named(text)
	if !ok || len(seed) != ed25519.SeedSize {
		r.mistake(source, "is not id:base64 of a private key of Ed25519, %d bytes", ed25519.SeedSize) // without the value
		return nil
	}
	return &offboarding.SigningKey{ID: id, Key: ed25519.NewKeyFromSeed(seed)}
}

// required are the keys that have to have signed, nil where none has to. A worker sends
// messages itself: what it signs with is one of them.
func (r *reader) required(own *offboarding.SigningKey) offboarding.Keyring {
	text, source := r.value(flagSignatureKeys)
	keys := offboarding.Keyring{}
	for part := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		id, key, ok := named(part)
		if _, twice := keys[id]; !ok || twice || len(key) != ed25519.PublicKeySize {
			r.mistake(source, "key %d is not id:base64 of a public key of Ed25519, %d bytes, under an ID that no other has",
				len(keys)+1, ed25519.PublicKeySize)
			return nil
		}
		keys[id] = key
	}
	if !r.flag(flagRequireSigned) {
		return nil
	}
	switch {
	case len(keys) == 0:
		r.mistake("HANDOVER_SIGNATURE_KEYS", "is missing: HANDOVER_REQUIRE_SIGNED_MESSAGES needs it")
	case own == nil:
		r.mistake("HANDOVER_SIGNING_KEY", "is missing or no key: HANDOVER_REQUIRE_SIGNED_MESSAGES needs it, for what workers send themselves")
	case !keys[own.ID].Equal(own.Key.Public()):
		r.mistake(source, "does not have the public key of HANDOVER_SIGNING_KEY under its ID")
	}
	return keys
}

// named is a key and its ID.
func named(text string) (id string, key []byte, ok bool) {
	id, encoded, ok := strings.Cut(strings.TrimSpace(text), ":")
	key, err := base64.StdEncoding.DecodeString(encoded)
	return id, key, ok && id != "" && err == nil
}
