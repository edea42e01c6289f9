package offboarding

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// The prefixes of secrets: they say what a string that somebody has found was for,
// and let scanners of repositories find it.
const (
	SecretOfCredential = "ho_secret_"
	SecretOfToken      = "ho_token_"
	SecretOfSession    = "ho_session_"
)

// NewSecret makes a secret of 256 random bits, which is shown once, and its hash,
// which is kept.
func NewSecret(prefix string) (secret string, hash []byte) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	secret = prefix + base64.RawURLEncoding.EncodeToString(random)
	return secret, HashSecret(secret)
}

// HashSecret is what is kept of a secret. One fast round is enough: nobody finds 256
// random bits by trying, which slow hashes make harder for passwords.
func HashSecret(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}
