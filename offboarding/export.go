package offboarding

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The events of lines of an export that are not of the audit.
const (
	// ExportSeal is a line with a seal.
	ExportSeal = "AuditSeal"
	// ExportEnd is the last line: an export without it was cut off.
	ExportEnd = "EndOfExport"
)

// ExportSealLine is a line with a seal.
type ExportSealLine struct {
	Event string    `json:"event"` // ExportSeal
	Seal  AuditSeal `json:"seal"`
}

// ExportEndLine is the last line.
type ExportEndLine struct {
	Event  string      `json:"event"`  // ExportEnd
	Events int         `json:"events"` // how many there were
	Heads  []AuditHead `json:"heads,omitempty"`
}

// ErrNoProof is of an export without seals.
var ErrNoProof = errors.New("the file has no seals: export it with the proof")

// VerifyExport judges an export with its proof. An error says that the file is not one,
// or not all of one.
func (v *AuditVerifier) VerifyExport(r io.Reader) error {
	decoder := json.NewDecoder(r)
	seals, events := 0, 0
	for line := 1; ; line++ {
		var next struct {
			AuditEvent
			Seal   *AuditSeal  `json:"seal"`
			Events int         `json:"events"`
			Heads  []AuditHead `json:"heads"`
		}
		switch err := decoder.Decode(&next); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("the file ends without the line %s: it was cut off", ExportEnd)
		case err != nil:
			return fmt.Errorf("line %d is no line of an export", line)
		case next.Event == ExportEnd:
			if next.Events != events {
				return fmt.Errorf("the file has %d events, and says that it has %d", events, next.Events)
			}
			if seals == 0 && events > 0 {
				return ErrNoProof
			}
			for _, head := range next.Heads {
				v.Ends(head)
			}
			return nil
		case next.Event == ExportSeal && next.Seal != nil:
			seals++
			v.Seal(*next.Seal)
		case next.ID == 0 || next.OrganizationID == "" || next.Event == "":
			return fmt.Errorf("line %d is no line of an export", line)
		default:
			events++
			v.Event(next.AuditEvent)
		}
	}
}

// Ends takes the head that the chain must end with.
func (v *AuditVerifier) Ends(h AuditHead) {
	switch c := v.chain(h.OrganizationID); {
	case c.checked.Number < h.Number:
		v.broken(c, BreakCut, h.Number, nil)
	case c.checked.AuditHead != h:
		v.broken(c, BreakRewritten, c.checked.Number, nil)
	}
}
