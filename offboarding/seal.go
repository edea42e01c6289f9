package offboarding

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// SealFormat is the form of what is hashed; docs/audit.md describes it.
const SealFormat = 1

// entrySize is how long the entry of an event in a seal is: eight bytes of ID, and a digest.
const entrySize = 8 + sha256.Size

// AuditSeal seals a batch of an organization's audit events: it cannot be changed, nor
// can what it has the digests of, without another hash; and the next seal has that.
type AuditSeal struct {
	OrganizationID string      `json:"organization_id"`
	Number         int64       `json:"number"` // from 1 on
	Format         int         `json:"format"`
	FirstEvent     int64       `json:"first_event"`
	LastEvent      int64       `json:"last_event"`
	Previous       string      `json:"previous"` // hash of the seal before in hex, "" of the first
	Hash           string      `json:"hash"`     // in hex
	At             time.Time   `json:"at"`
	Entries        []byte      `json:"entries"` // of each event: the ID in eight bytes, big-endian, and the digest
	Texts          []AuditText `json:"texts,omitempty"`
}

// AuditText is what is kept of an event with texts that a deletion erases (rule X1), so
// that it can be checked before and after.
type AuditText struct {
	EventID    int64    `json:"event_id"`
	Neutral    string   `json:"neutral"`        // digest of the event without the texts, in hex
	Salt       string   `json:"salt,omitempty"` // "" once the texts are erased
	Commitment string   `json:"commitment"`     // digest of salt and event, in hex
	About      []string `json:"about"`          // members whose deletion erases the texts
}

// AuditHead names the newest seal of an organization: kept elsewhere, it proves later
// that the audit up to it is what it was.
type AuditHead struct {
	OrganizationID string `db:"organization_id" json:"organization_id"`
	Number         int64  `db:"number" json:"number"`
	Hash           string `db:"hash" json:"hash"`
}

// Computed is the hash that a seal with these contents has.
func (s *AuditSeal) Computed() string {
	entries := sha256.Sum256(s.Entries)
	return digest([]any{
		json.Number(strconv.Itoa(s.Format)), s.OrganizationID, json.Number(strconv.FormatInt(s.Number, 10)), s.Previous,
		hex.EncodeToString(entries[:]), sealTime(s.At),
	})
}

// sealTime is a time in what is hashed.
func sealTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }

// encoded is an event in what is hashed.
func (e *AuditEvent) encoded() ([]any, error) {
	var details [2]any
	for i, raw := range []json.RawMessage{e.Before, e.After} {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&details[i]); err != nil {
			return nil, fmt.Errorf("the details of event %d cannot be read", e.ID)
		}
	}
	return []any{
		json.Number(strconv.FormatInt(e.ID, 10)), e.OrganizationID, e.Event, e.ActorID, e.Origin, e.MemberID, e.DocumentID, e.CaseID,
		string(e.SubjectKind), e.SubjectID, details[0], details[1], sealTime(e.At),
	}, nil
}

// digest is the SHA-256 of a value in the form of canonical, in hex.
func digest(v any) string {
	sum := sha256.Sum256(canonical(nil, v))
	return hex.EncodeToString(sum[:])
}

// canonical appends a JSON value in the one form that is hashed, which is PostgreSQL's
// for jsonb: a space behind each comma and colon, keys in order of their length and then
// of their bytes, and nothing escaped but quotes, backslashes and control characters.
func canonical(out []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, v)
	case json.Number:
		return append(out, v...)
	case string:
		return canonicalText(out, v)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = canonical(out, item)
		}
		return append(out, ']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
		out = append(out, '{')
		for i, key := range keys {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = append(canonicalText(out, key), ": "...)
			out = canonical(out, v[key])
		}
		return append(out, '}')
	}
	panic(fmt.Sprintf("%T is no value of JSON", v)) // only what this file builds comes here
}

func canonicalText(out []byte, text string) []byte {
	out = append(out, '"')
	for i := range len(text) {
		switch c := text[i]; c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, `\b`...)
		case '\f':
			out = append(out, `\f`...)
		case '\n':
			out = append(out, `\n`...)
		case '\r':
			out = append(out, `\r`...)
		case '\t':
			out = append(out, `\t`...)
		default:
			if c < ' ' {
				out = fmt.Appendf(out, `\u%04x`, c)
			} else {
				out = append(out, c)
			}
		}
	}
	return append(out, '"')
}
