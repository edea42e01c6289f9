package offboarding

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"math"
	"slices"
)

// AuditBreakKind is what is wrong with a sealed audit.
type AuditBreakKind string

// The kinds.
const (
	// BreakChanged: events are not what was sealed.
	BreakChanged AuditBreakKind = "changed"
	// BreakRemoved: events that were sealed are gone.
	BreakRemoved AuditBreakKind = "removed"
	// BreakInserted: events have come where everything had been sealed.
	BreakInserted AuditBreakKind = "inserted"
	// BreakReordered: lines of an export are not in the order of their IDs.
	BreakReordered AuditBreakKind = "reordered"
	// BreakErased: texts are gone, and the member whom they are about was not deleted.
	BreakErased AuditBreakKind = "erased"
	// BreakSealChanged: a seal is not what its hash says, or does not follow the one before.
	BreakSealChanged AuditBreakKind = "seal_changed"
	// BreakSealMissing: seals are gone from between others.
	BreakSealMissing AuditBreakKind = "seal_missing"
	// BreakCut: the chain ends before a head that it had.
	BreakCut AuditBreakKind = "cut"
	// BreakRewritten: the chain has another seal where a head was kept.
	BreakRewritten AuditBreakKind = "rewritten"
)

// AuditBreak is one thing that is wrong.
type AuditBreak struct {
	Kind           AuditBreakKind `json:"kind"`
	OrganizationID string         `json:"organization_id"`
	Seal           int64          `json:"seal,omitempty"` // 0 behind the last one
	EventIDs       []int64        `json:"event_ids,omitempty"`
}

// AuditChecked is what was found of one organization.
type AuditChecked struct {
	AuditHead
	Events   int `json:"events"`   // sealed, and as they were
	Erased   int `json:"erased"`   // of these, without their texts since a deletion
	Unsealed int `json:"unsealed"` // too new for a seal: nothing is said of them
}

// AuditReport is what a verification has found.
type AuditReport struct {
	Organizations []AuditChecked `json:"organizations"`
	Breaks        []AuditBreak   `json:"breaks"`
	// MoreBreaks are left out: what is wrong everywhere needs no longer list.
	MoreBreaks int `json:"more_breaks,omitempty"`
}

// Whole says that nothing is wrong.
func (r *AuditReport) Whole() bool { return len(r.Breaks) == 0 }

// maxBreaks bounds a report.
const maxBreaks = 1000

// AuditVerifier computes anew what seals say. It takes the seals of each organization in
// their order, each before the events that it is of, and the events in the order of their
// IDs; it holds one seal of each organization.
type AuditVerifier struct {
	// Settled is the ID up to which every event has been sealed, 0 where that is not known.
	Settled int64

	chains map[string]*auditChain
	report AuditReport
}

// auditChain is how far one organization has been verified.
type auditChain struct {
	checked  AuditChecked
	seal     *AuditSeal // whose events come now, nil before the first
	entries  []byte     // of the events still to come
	texts    map[int64]*AuditText
	wrong    map[AuditBreakKind][]int64 // in the seal
	last     int64                      // event seen
	sealed   int64                      // the last event of the seals so far
	expected map[int64]string           // hashes of seals that were kept
	waiting  map[string]map[int64]bool  // erased events, by the members of whom one must be deleted later
	about    map[int64][]string         // of these
}

func (v *AuditVerifier) chain(organizationID string) *auditChain {
	if v.chains == nil {
		v.chains = map[string]*auditChain{}
	}
	c := v.chains[organizationID]
	if c == nil {
		c = &auditChain{expected: map[int64]string{}, waiting: map[string]map[int64]bool{}, about: map[int64][]string{}, wrong: map[AuditBreakKind][]int64{}}
		c.checked.OrganizationID, c.last = organizationID, math.MinInt64
		v.chains[organizationID] = c
	}
	return c
}

// Expect takes a head that the chain has, or had.
func (v *AuditVerifier) Expect(h AuditHead) {
	c := v.chain(h.OrganizationID)
	if hash, ok := c.expected[h.Number]; ok && hash != h.Hash {
		v.broken(c, BreakRewritten, h.Number, nil) // one of the two is not what the chain has
	}
	c.expected[h.Number] = h.Hash
}

func (v *AuditVerifier) broken(c *auditChain, kind AuditBreakKind, seal int64, events []int64) {
	if len(v.report.Breaks) >= maxBreaks {
		v.report.MoreBreaks++
		return
	}
	v.report.Breaks = append(v.report.Breaks, AuditBreak{kind, c.checked.OrganizationID, seal, events})
}

// Seal takes the next seal of its organization.
func (v *AuditVerifier) Seal(s AuditSeal) {
	c := v.chain(s.OrganizationID)
	v.finish(c)
	switch {
	case s.Number > c.checked.Number+1:
		v.broken(c, BreakSealMissing, c.checked.Number+1, nil)
		if s.Hash != s.Computed() || !s.sound(c.sealed) {
			v.broken(c, BreakSealChanged, s.Number, nil)
		}
	case s.Number <= c.checked.Number, s.Previous != c.checked.Hash, s.Hash != s.Computed(), !s.sound(c.sealed):
		v.broken(c, BreakSealChanged, s.Number, nil)
	}
	if hash, ok := c.expected[s.Number]; ok {
		if hash != s.Hash {
			v.broken(c, BreakRewritten, s.Number, nil)
		}
		delete(c.expected, s.Number)
	}
	c.checked.Number, c.checked.Hash = s.Number, s.Hash
	c.seal, c.entries, c.sealed = &s, s.Entries, max(c.sealed, s.LastEvent)
	c.texts = make(map[int64]*AuditText, len(s.Texts))
	for i := range s.Texts {
		c.texts[s.Texts[i].EventID] = &s.Texts[i]
	}
}

// sound says whether what a seal says of its entries fits them, and the seals before.
func (s *AuditSeal) sound(sealed int64) bool {
	n := len(s.Entries) / entrySize
	if n == 0 || len(s.Entries)%entrySize != 0 || s.Format != SealFormat {
		return false
	}
	last := sealed
	for i := range n {
		id := entryID(s.Entries[i*entrySize:])
		if id <= last || i == 0 && id != s.FirstEvent {
			return false
		}
		last = id
	}
	return last == s.LastEvent
}

func entryID(entry []byte) int64 { return int64(binary.BigEndian.Uint64(entry)) } //nolint:gosec // the ID as it was written

// Event takes the next event of its organization.
func (v *AuditVerifier) Event(e AuditEvent) {
	c := v.chain(e.OrganizationID)
	if e.ID <= c.last {
		v.wrong(c, BreakReordered, e.ID)
		return
	}
	c.last = e.ID
	if e.ID > c.sealed {
		v.finish(c)
		if e.ID <= v.Settled {
			v.broken(c, BreakInserted, 0, []int64{e.ID})
			return
		}
		c.checked.Unsealed++
		c.deleted(&e)
		return
	}
	c.skip(e.ID)
	if len(c.entries) < entrySize || entryID(c.entries) != e.ID {
		v.wrong(c, BreakInserted, e.ID)
		return
	}
	want := hex.EncodeToString(c.entries[8:entrySize])
	c.entries = c.entries[entrySize:]
	kind, erased := e.compare(want, c.texts[e.ID])
	switch {
	case kind != "":
		v.wrong(c, kind, e.ID)
		return
	case erased:
		c.checked.Erased++
		c.wait(e.ID, c.texts[e.ID].About)
	}
	c.checked.Events++
	c.deleted(&e)
}

// wrong notes an event of the seal that is being verified.
func (v *AuditVerifier) wrong(c *auditChain, kind AuditBreakKind, id int64) {
	if c.seal == nil {
		v.broken(c, kind, 0, []int64{id})
		return
	}
	c.wrong[kind] = append(c.wrong[kind], id)
}

// skip passes the sealed events before an ID: they are gone.
func (c *auditChain) skip(id int64) {
	for len(c.entries) >= entrySize && entryID(c.entries) < id {
		c.wrong[BreakRemoved] = append(c.wrong[BreakRemoved], entryID(c.entries))
		c.entries = c.entries[entrySize:]
	}
}

// finish ends the seal whose events have come.
func (v *AuditVerifier) finish(c *auditChain) {
	if c.seal == nil {
		return
	}
	c.skip(c.sealed + 1)
	for _, kind := range slices.Sorted(maps.Keys(c.wrong)) {
		v.broken(c, kind, c.seal.Number, c.wrong[kind])
	}
	clear(c.wrong)
	c.seal, c.entries, c.texts = nil, nil, nil
}

// compare compares an event with its digest in the seal. Erased events have lost their
// texts, and nothing else.
func (e *AuditEvent) compare(want string, text *AuditText) (kind AuditBreakKind, erased bool) {
	encoded, err := e.encoded()
	if err != nil {
		return BreakChanged, false
	}
	if text == nil {
		if digest(encoded) != want {
			return BreakChanged, false
		}
		return "", false
	}
	about := make([]any, len(text.About))
	for i, member := range text.About {
		about[i] = member
	}
	if digest([]any{text.Neutral, text.Commitment, about}) != want {
		return BreakChanged, false
	}
	if text.Salt != "" && digest([]any{text.Salt, encoded}) == text.Commitment {
		return "", false
	}
	if digest(encoded) != text.Neutral {
		return BreakChanged, false
	}
	return "", true
}

// wait remembers that one of the members must be deleted by a later event.
func (c *auditChain) wait(event int64, members []string) {
	c.about[event] = members
	for _, member := range members {
		if c.waiting[member] == nil {
			c.waiting[member] = map[int64]bool{}
		}
		c.waiting[member][event] = true
	}
}

// deleted takes the end of what an event's member was waited for with.
func (c *auditChain) deleted(e *AuditEvent) {
	if e.Event != EventDeleteMember {
		return
	}
	for event := range c.waiting[e.MemberID] {
		for _, member := range c.about[event] {
			if member != e.MemberID {
				delete(c.waiting[member], event)
			}
		}
		delete(c.about, event)
	}
	delete(c.waiting, e.MemberID)
}

// Report ends the verification.
func (v *AuditVerifier) Report() AuditReport {
	v.report.Organizations = []AuditChecked{}
	for _, id := range slices.Sorted(maps.Keys(v.chains)) {
		c := v.chains[id]
		v.finish(c)
		if len(c.about) > 0 {
			v.broken(c, BreakErased, 0, slices.Sorted(maps.Keys(c.about)))
		}
		for _, number := range slices.Sorted(maps.Keys(c.expected)) {
			v.broken(c, BreakCut, number, nil)
		}
		v.report.Organizations = append(v.report.Organizations, c.checked)
	}
	if v.report.Breaks == nil {
		v.report.Breaks = []AuditBreak{}
	}
	return v.report
}
