package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
)

// ownerHeld says of a document d that a legal hold is on its owner. It is asked for each
// document (OFFSET), and does not read all holds to know those of a few.
const ownerHeld = `EXISTS (SELECT 1 FROM legal_holds h WHERE h.member_id = d.owner_id AND h.lifted_at IS NULL OFFSET 0)`

// leaverHeld says the same of all documents of one owner, $1, once.
const leaverHeld = `EXISTS (SELECT 1 FROM legal_holds h WHERE h.member_id = $1 AND h.lifted_at IS NULL)`

const selectMemberHeld = `SELECT EXISTS (SELECT 1 FROM legal_holds WHERE member_id = $1 AND lifted_at IS NULL)`

// memberHeld says whether a legal hold is on the member, and so on all that the
// member owns (rule H1).
func (t *tx) memberHeld(memberID string) (held bool, err error) {
	err = t.get(&held, selectMemberHeld, memberID)
	return held, err
}

// anyHeld says whether a legal hold is on the leaver or on one of the documents.
func (t *tx) anyHeld(c *caseRow, documentIDs []string) (held bool, err error) {
	if held, err = t.memberHeld(c.MemberID); err != nil || held {
		return held, err
	}
	for _, id := range documentIDs {
		if !isID(id) {
			return false, nil // refused as somebody else's
		}
	}
	const query = `SELECT EXISTS (SELECT 1 FROM documents WHERE owner_id = $1 AND held AND id = ANY ($2::uuid[]))`
	err = t.get(&held, query, c.MemberID, uuidArray(documentIDs))
	return held, err
}

const (
	insertHold = `INSERT INTO legal_holds (id, organization_id, member_id, document_id, reason, placed_by, placed_at)
	VALUES ($1, $2, nullif($3, '')::uuid, nullif($4, '')::uuid, $5, $6, $7) ON CONFLICT (id) DO NOTHING`
	// What works on the member's documents has locked their case: the hold waits for it, and
	// makes it another version for what has read it without a lock.
	lockCasesOf = `WITH locked AS MATERIALIZED (SELECT id FROM cases WHERE member_id = $1 AND closed_at IS NULL ORDER BY id FOR NO KEY UPDATE)
	UPDATE cases c SET phase = c.phase FROM locked l WHERE c.id = l.id`
	countCasesOf   = `SELECT count(*) FROM cases WHERE member_id = $1 AND closed_at IS NULL`
	selectHeldDoc  = `SELECT organization_id FROM documents WHERE id = $1 FOR NO KEY UPDATE`
	markHeld       = `UPDATE documents SET held = EXISTS (SELECT 1 FROM legal_holds h WHERE h.document_id = $1 AND h.lifted_at IS NULL) WHERE id = $1`
	selectHoldLock = `SELECT h.id, h.organization_id, coalesce(h.member_id::text, '') AS member_id, coalesce(h.document_id::text, '') AS document_id,
	h.reason, h.placed_by, h.placed_at, coalesce(h.lifted_by::text, '') AS lifted_by, h.lifted_at FROM legal_holds h WHERE h.id = $1 FOR UPDATE`
	liftHold = `UPDATE legal_holds SET lifted_by = $2, lifted_at = $3 WHERE id = $1`
)

// PlaceHold puts a legal hold on a member or a document (rule H1) and answers
// with its ID. From then on nothing that is held changes owner or is archived.
func (s *Store) PlaceHold(ctx context.Context, h offboarding.Hold, by string, at time.Time) (string, error) {
	id := h.ID
	if id == "" {
		id = uuid.Must(uuid.NewV7()).String()
	}
	at = at.Truncate(time.Microsecond)
	place := func(t *tx) error {
		organizationID, err := t.holdOn(h)
		if err != nil {
			return err
		}
		f := offboarding.HoldFacts{Found: organizationID != ""}
		if f.Actor, err = t.holder(by, organizationID); err != nil {
			return err
		}
		f.Found = f.Found && f.Actor.Reach != offboarding.ReachNone
		if err := offboarding.JudgePlaceHold(h, f); err != nil {
			return err
		}
		admin := f.Actor.Member.ID
		if placed, err := t.exec(insertHold, id, organizationID, h.MemberID, h.DocumentID, h.Reason, admin, at); err != nil || placed == 0 {
			return err // placed before
		}
		return t.held(organizationID, h.DocumentID, h.Origin, at, change{
			event: offboarding.EventPlaceLegalHold, actor: admin, member: h.MemberID, document: h.DocumentID,
			kind: offboarding.SubjectHold, subject: id, before: state{"held": false}, after: state{"held": true},
		})
	}
	err := s.inTx(ctx, "place a legal hold", place)
	for errors.Is(err, errCaseOpened) {
		err = s.inTx(ctx, "place a legal hold", place) // locks it now
	}
	return id, err
}

// LiftHold lifts a legal hold; what another hold is on stays held.
func (s *Store) LiftHold(ctx context.Context, holdID, by, origin string, at time.Time) error {
	at = at.Truncate(time.Microsecond)
	return s.inTx(ctx, "lift a legal hold", func(t *tx) error {
		var h offboarding.HoldRow
		var f offboarding.HoldFacts
		var err error
		if isID(holdID) {
			if f.Found, err = t.find(&h, selectHoldLock, holdID); err != nil {
				return err
			}
		}
		if f.Actor, err = t.holder(by, h.OrganizationID); err != nil {
			return err
		}
		f.Found, f.Live = f.Found && f.Actor.Reach != offboarding.ReachNone, h.LiftedAt == nil
		if err := offboarding.JudgeLiftHold(f); err != nil {
			return err
		}
		admin := f.Actor.Member.ID
		if _, err := t.exec(liftHold, h.ID, admin, at); err != nil {
			return err
		}
		return t.held(h.OrganizationID, h.DocumentID, origin, at, change{
			event: offboarding.EventLiftLegalHold, actor: admin, member: h.MemberID, document: h.DocumentID,
			kind: offboarding.SubjectHold, subject: h.ID, before: state{"held": true}, after: state{"held": false},
		})
	})
}

// held writes what a placed or lifted hold means for its document, and the event.
func (t *tx) held(organizationID, documentID, origin string, at time.Time, ch change) error {
	if documentID != "" {
		var id string
		if _, err := t.find(&id, selectHeldDoc, documentID); err != nil { // or markHeld would not see what it has waited for
			return err
		}
		if _, err := t.exec(markHeld, documentID); err != nil {
			return err
		}
	}
	return t.auditOf(organizationID, origin, at, ch)
}

// holder is who places or lifts a hold, judged where the organization is known;
// elsewhere the role alone is.
func (t *tx) holder(ref, organizationID string) (offboarding.Actor, error) {
	if organizationID == "" {
		m, err := t.member(ref, "", "placed_by")
		return offboarding.Actor{Member: m, Reach: offboarding.ReachOwn}, err
	}
	return t.actor(ref, organizationID, "placed_by")
}

// holdOn locks what a hold is to be on against whoever works on it, and answers
// with its organization, "" when there is no such thing.
func (t *tx) holdOn(h offboarding.Hold) (organizationID string, err error) {
	switch {
	case h.DocumentID != "" && h.MemberID == "" && isID(h.DocumentID):
		_, err = t.find(&organizationID, selectHeldDoc, h.DocumentID)
	case h.MemberID != "" && h.DocumentID == "":
		if !isID(h.MemberID) {
			return "", nil
		}
		locked, lockErr := t.exec(lockCasesOf, h.MemberID)
		if lockErr != nil {
			return "", lockErr
		}
		// The account after the cases, as a deletion locks them, and as a return shares
		// that of who gives back; who is deleted is nobody.
		if _, err = t.exec(lockMember, h.MemberID); err != nil {
			return "", err
		}
		// A case that was opened while this waited for the account works on the documents too.
		var open int
		if err = t.get(&open, countCasesOf, h.MemberID); err != nil {
			return "", err
		}
		if open > locked {
			return "", errCaseOpened
		}
		m, findErr := t.memberByID(h.MemberID, selectMember)
		if m == nil || m.Status == offboarding.MemberDeleted || findErr != nil {
			return "", findErr
		}
		organizationID = m.OrganizationID
	}
	return organizationID, err
}

const selectHolds = `SELECT h.id, h.organization_id, coalesce(h.member_id::text, '') AS member_id, coalesce(m.display_name, '') AS member_name,
	coalesce(h.document_id::text, '') AS document_id, coalesce(d.title, '') AS document_title, h.reason, h.placed_by, h.placed_at,
	coalesce(h.lifted_by::text, '') AS lifted_by, h.lifted_at, coalesce(p.display_name, name_above(h.placed_by), '') AS placed_by_name, coalesce(l.display_name, name_above(h.lifted_by), '') AS lifted_by_name
	FROM legal_holds h LEFT JOIN members m ON m.id = h.member_id LEFT JOIN documents d ON d.id = h.document_id
	LEFT JOIN members p ON p.id = h.placed_by LEFT JOIN members l ON l.id = h.lifted_by`

// FindHold finds a legal hold by ID, lifted or not. organizations are slugs or
// IDs, none for all.
func (s *Store) FindHold(ctx context.Context, id string, organizations ...string) (offboarding.HoldRow, error) {
	var row offboarding.HoldRow
	err := s.inTx(ctx, "look up a legal hold", func(t *tx) error {
		if isID(id) {
			query, args := narrowed(selectHolds+" WHERE h.id = $1::uuid", "h.organization_id", id, organizations)
			found, err := t.find(&row, query, args...)
			if found || err != nil {
				return err
			}
		}
		return offboarding.Refuse("H1", offboarding.CodeHoldNotFound, "hold_id", "there is no such legal hold")
	})
	utc([]*time.Time{&row.PlacedAt, row.LiftedAt})
	return row, err
}

// Holds lists legal holds, the newest first.
func (s *Store) Holds(ctx context.Context, f offboarding.HoldFilter) (offboarding.Page[offboarding.HoldRow], error) {
	c := &conditions{}
	c.id("h.organization_id", f.OrganizationID)
	c.within("h.organization_id", f.Reach)
	c.id("h.member_id", f.MemberID)
	c.id("h.document_id", f.DocumentID)
	if !f.Lifted {
		c.add("h.lifted_at IS NULL")
	}
	if f.Cursor != "" {
		at, id, err := readTimeCursor(f.Cursor)
		if err != nil {
			return offboarding.Page[offboarding.HoldRow]{}, err
		}
		c.add("(h.placed_at, h.id) < (?::timestamptz, ?::uuid)", at, id)
	}
	limit := pageSize(f.Limit)
	query := selectHolds + c.where("h.placed_at DESC, h.id DESC", limit+1)
	return page(ctx, s, "list legal holds", query, c, limit,
		func(row *offboarding.HoldRow) []*time.Time { return []*time.Time{&row.PlacedAt, row.LiftedAt} },
		func(row offboarding.HoldRow) string { return timeCursor(row.PlacedAt, row.ID) })
}
