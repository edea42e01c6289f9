package offboarding

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// SignatureField is where a signature is: a field of the metadata of the payload that
// it is about. It is a JSON Web Token (RFC 7519) signed by Ed25519 (RFC 8037).
const SignatureField = "handover-signature"

// MaxSignature is the length of the longest signature in bytes: workflows hand them on.
const MaxSignature = 4 << 10

// lastSecond is that of the year 9999: who signs for longer signs for ever.
const lastSecond = 253402300799

const (
	signatureType      = "handover+jwt"
	signatureAlgorithm = "EdDSA"
)

// The kinds of what can be signed.
const (
	KindStart  = "start"
	KindSignal = "signal"
	KindUpdate = "update"
)

// Sent is a start or a message as it came to a workflow, for who judges its signature.
// What a workflow knows of a payload is its digest: the bytes do not outlive the run.
type Sent struct {
	Namespace  string `json:"namespace"`
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id,omitempty"` // the workflow's first; "" of a start, which nobody knows before it
	Kind       string `json:"kind"`
	Name       string `json:"name"`             // the message, or the workflow's type
	ID         string `json:"id,omitempty"`     // of an update; of all, where it is signed
	Digest     string `json:"digest,omitempty"` // of the payload
	Signature  string `json:"signature,omitempty"`

	At        time.Time `json:"at"`         // when it came, by the workflow's clock
	Expires   time.Time `json:"-"`          // known to who has verified it
	HandledAs string    `json:"handled_as"` // what it is in this workflow: one that comes twice is two
}

// ContinuedInput asks who has continued as a run of a workflow.
type ContinuedInput struct {
	WorkflowID string `json:"workflow_id"`
	Type       string `json:"type"`
	RunID      string `json:"run_id"` // of the run before
	CaseID     string `json:"case_id"`
}

// Signed reports whether it carries a signature, whosever that is.
func (s *Sent) Signed() bool { return s != nil && s.Signature != "" }

// Digest is how a signature names a payload: SHA-256 of its data as it was sent, in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

type signatureHeader struct {
	Algorithm string   `json:"alg"`
	Type      string   `json:"typ"`
	KeyID     string   `json:"kid"`
	Critical  []string `json:"crit,omitempty"`
}

type signatureClaims struct {
	Namespace  string  `json:"aud"`
	WorkflowID string  `json:"sub"`
	RunID      string  `json:"run,omitempty"`
	Kind       string  `json:"kind"`
	Name       string  `json:"name"`
	Digest     string  `json:"sha256"`
	ID         string  `json:"jti"`
	Expires    float64 `json:"exp"` // seconds since 1970
}

// SigningKey signs, and is known to those who verify by its ID.
type SigningKey struct {
	ID  string
	Key ed25519.PrivateKey
}

// String is the ID: the key is nobody's to see.
func (k SigningKey) String() string { return k.ID }

// GoString is the ID too.
func (k SigningKey) GoString() string { return k.ID }

// Sign makes the signature of what is about to be sent, under its ID, which nothing else
// has that is sent to the workflow. It is good until a time.
func (k SigningKey) Sign(s Sent, until time.Time) (string, error) {
	header, err := json.Marshal(signatureHeader{Algorithm: signatureAlgorithm, Type: signatureType, KeyID: k.ID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(signatureClaims{
		s.Namespace, s.WorkflowID, s.RunID, s.Kind, s.Name, s.Digest, s.ID, float64(until.Unix()),
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(k.Key, []byte(text))), nil
}

// Keyring has the keys whose signatures hold, by their IDs.
type Keyring map[string]ed25519.PublicKey

// Verify judges the signature of what came, and answers with the ID under which it was
// sent and when it expires.
func (r Keyring) Verify(s Sent) (id string, expires time.Time, _ *Refusal) {
	if s.Signature == "" {
		return "", time.Time{}, notSigned("it carries no signature")
	}
	text, signature := s.Signature, ""
	if dot := strings.LastIndexByte(text, '.'); dot >= 0 {
		text, signature = text[:dot], text[dot+1:]
	}
	head, body, _ := strings.Cut(text, ".")
	var h signatureHeader
	if !decodeToken(head, &h) || h.Algorithm != signatureAlgorithm || h.Type != signatureType || len(h.Critical) > 0 {
		return "", time.Time{}, notSigned("its signature is not of the form that the contract describes")
	}
	key, known := r[h.KeyID]
	if !known {
		return "", time.Time{}, notSigned("it is signed by a key that the workers do not know")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || !ed25519.Verify(key, []byte(text), raw) {
		return "", time.Time{}, notSigned("its signature is not one of the key that it names")
	}
	var c signatureClaims
	if !decodeToken(body, &c) || c.ID == "" {
		return "", time.Time{}, notSigned("its signature is not of the form that the contract describes")
	}
	about := signatureClaims{s.Namespace, s.WorkflowID, s.RunID, s.Kind, s.Name, s.Digest, s.ID, c.Expires}
	if s.Kind != KindUpdate {
		about.ID = c.ID
	}
	switch {
	case c != about:
		return "", time.Time{}, notSigned("it was signed for something else, or changed afterwards")
	case float64(s.At.UnixMilli()) >= c.Expires*1000: // one without a time has expired
		return "", time.Time{}, notSigned("its signature has expired")
	}
	return c.ID, time.Unix(int64(min(c.Expires, lastSecond)), 0).UTC(), nil
}

// SignedBefore refuses what was sent before, by whoever has kept it.
func SignedBefore() *Refusal { return notSigned("it was sent before, and is heard once") }

// NotContinued refuses a run that somebody else's workflow has continued as.
func NotContinued() *Refusal { return notSigned("no workflow of Handover has continued as it") }

func notSigned(why string) *Refusal {
	return Refuse("", CodeNotSigned, "", "the message is not heard: "+why)
}

func decodeToken(part string, out any) bool {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return err == nil && json.Unmarshal(data, out) == nil
}
