// Package webhook sends webhooks over HTTP, signed as Standard Webhooks has it, to
// nowhere but the internet.
package webhook

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// secretPrefix begins every secret, as Standard Webhooks has it.
const secretPrefix = "whsec_"

// MinKey is the fewest bytes of a key.
const MinKey = 32

// Keys are what the secrets of webhooks are derived from: a secret is a function of
// a key, the webhook and a reference, and nobody keeps it (docs/adr/0023). The first
// key is for new references; the others for those that were made with them.
type Keys struct {
	newest string            // name of the first key
	keys   map[string][]byte // by name
}

// NewKeys takes keys of at least MinKey bytes; none makes nil.
func NewKeys(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, nil //nolint:nilnil // webhooks are switched off
	}
	k := &Keys{keys: map[string][]byte{}}
	for i, key := range keys {
		if len(key) < MinKey {
			return nil, errors.New("a key is too short")
		}
		sum := sha256.Sum256(append([]byte("handover key "), key...))
		name := hex.EncodeToString(sum[:4])
		if i == 0 {
			k.newest = name
		}
		k.keys[name] = key
	}
	return k, nil
}

// Ref names a new secret, by an ID that no other secret of the webhook has.
func (k *Keys) Ref(id string) string { return k.newest + "." + id }

// Secret is the secret that a reference names, in the form that receivers are given.
func (k *Keys) Secret(webhookID, ref string) (string, error) {
	secret, err := k.derive(webhookID, ref)
	return secretPrefix + base64.StdEncoding.EncodeToString(secret), err
}

// ErrUnknownKey says that a secret was made with a key that the configuration no
// longer has.
var ErrUnknownKey = errors.New("the key of a webhook's secret is not configured")

func (k *Keys) derive(webhookID, ref string) ([]byte, error) {
	name, _, _ := strings.Cut(ref, ".")
	key, ok := k.keys[name]
	if !ok {
		return nil, ErrUnknownKey
	}
	return hkdf.Key(sha256.New, key, nil, "handover webhook secret "+webhookID+" "+ref, sha256.Size)
}
