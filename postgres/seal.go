package postgres

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/lib/pq"

	"handover/offboarding"
)

// Sealing is what one round of sealing has done.
type Sealing struct {
	Sealed int  `db:"sealed"` // events
	Seals  int  `db:"seals"`  // one for each organization that they are of
	More   bool `db:"more"`   // there are more that can be sealed at once
}

// SealAudit seals the next events of the audit, so many at most, of all organizations.
// Events are sealed when no running transaction can still write one before them, at the
// second call at the earliest. Where somebody else is sealing it does nothing. The time of
// a seal is the database's: nobody says when something was sealed.
func (s *Store) SealAudit(ctx context.Context, most int) (Sealing, error) {
	var out Sealing
	_, err := s.find(ctx, &out, `SELECT sealed, seals, more FROM seal_audit(clock_timestamp(), $1)`, most)
	return out, clean("seal the audit", err)
}

// What is read of seals at once.
const (
	sealsAtOnce  = 200
	sealedAtOnce = 5000 // events, but for one seal with more
	entrySize    = 40   // bytes of an event in a seal
)

// selectSeals reads the next seals, as many as have so many bytes of entries together.
const selectSeals = `SELECT s.number, s.format, s.first_event, s.last_event, coalesce(encode(s.previous, 'hex'), '') AS previous,
	encode(s.hash, 'hex') AS hash, s.entries, s.at
	FROM (SELECT n.*, sum(length(n.entries)) OVER (ORDER BY n.number) AS size, row_number() OVER (ORDER BY n.number) AS row
		FROM (SELECT * FROM audit_seals WHERE organization_id = $1 AND number > $2 AND number <= $3 ORDER BY organization_id, number LIMIT $4) n) s
	WHERE s.size <= $5 OR s.row = 1 ORDER BY s.number`

const selectTexts = `SELECT event_id, encode(neutral, 'hex') AS neutral, coalesce(salt::text, '') AS salt, encode(commitment, 'hex') AS commitment, about::text[] AS about
	FROM audit_texts WHERE organization_id = $1 AND event_id >= $2 AND event_id <= $3 ORDER BY event_id`

type sealRow struct {
	Number     int64     `db:"number"`
	Format     int       `db:"format"`
	FirstEvent int64     `db:"first_event"`
	LastEvent  int64     `db:"last_event"`
	Previous   string    `db:"previous"`
	Hash       string    `db:"hash"`
	Entries    []byte    `db:"entries"`
	At         time.Time `db:"at"`
}

type textRow struct {
	EventID    int64          `db:"event_id"`
	Neutral    string         `db:"neutral"`
	Salt       string         `db:"salt"`
	Commitment string         `db:"commitment"`
	About      pq.StringArray `db:"about"`
}

// seals reads the next seals of an organization after one of them and up to another,
// some at a time.
func (t *tx) seals(organizationID string, after, upto int64) ([]offboarding.AuditSeal, error) {
	var rows []sealRow
	if err := t.list(&rows, selectSeals, organizationID, after, upto, sealsAtOnce, sealedAtOnce*entrySize); err != nil || len(rows) == 0 {
		return nil, err
	}
	first, last := rows[0].FirstEvent, rows[len(rows)-1].LastEvent
	var texts []textRow
	if err := t.list(&texts, selectTexts, organizationID, first, last); err != nil {
		return nil, err
	}
	of := make(map[int64]offboarding.AuditText, len(texts))
	for _, text := range texts {
		of[text.EventID] = offboarding.AuditText{
			EventID: text.EventID, Neutral: text.Neutral, Salt: text.Salt, Commitment: text.Commitment, About: text.About,
		}
	}
	seals := make([]offboarding.AuditSeal, len(rows))
	for i, r := range rows {
		seals[i] = offboarding.AuditSeal{
			OrganizationID: organizationID, Number: r.Number, Format: r.Format, FirstEvent: r.FirstEvent, LastEvent: r.LastEvent,
			Previous: r.Previous, Hash: r.Hash, At: r.At.UTC(), Entries: r.Entries,
		}
		for at := 0; at+entrySize <= len(r.Entries); at += entrySize {
			if text, ok := of[int64(binary.BigEndian.Uint64(r.Entries[at:]))]; ok { //nolint:gosec // the ID as it was written
				seals[i].Texts = append(seals[i].Texts, text)
			}
		}
	}
	return seals, nil
}

// heads lists the newest seal of each organization that has one, of some or of all.
func (t *tx) heads(organizationIDs []string) (heads []offboarding.AuditHead, err error) {
	const query = `SELECT organization_id, number, encode(hash, 'hex') AS hash FROM audit_heads`
	if len(organizationIDs) == 0 {
		return heads, t.list(&heads, query+` ORDER BY organization_id`)
	}
	return heads, t.list(&heads, query+` WHERE organization_id = ANY ($1) ORDER BY organization_id`, pq.Array(organizationIDs))
}
