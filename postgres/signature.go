package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
)

// UseSignature keeps that something signed was sent under an ID, and answers what it was
// handled as, this time or the first. It is kept as a step of nobody's case, named by
// all that the ID is for.
func (s *Store) UseSignature(ctx context.Context, id string, sent offboarding.Sent) (string, error) {
	return outside(ctx, s, signedStep(id, sent), func(t *tx) (string, error) {
		return sent.HandledAs, t.keepSigned(sent)
	})
}

// signedStep is the step of what was sent under an ID. Its time is when it can be forgotten.
func signedStep(id string, sent offboarding.Sent) offboarding.Step {
	name := strings.Join([]string{"handover:signed", sent.Namespace, sent.WorkflowID, sent.RunID, sent.Kind, id}, "\n")
	return offboarding.Step{CaseID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String(), Name: "signed", At: sent.Expires}
}

// How long these steps are kept after they have expired: who came in time and found no
// worker is heard for as long. Then somebody may set a workflow back to the moment before
// it was refused a repeat, and nobody would know; so it is refused.
const (
	signedKept   = 90 * 24 * time.Hour
	forgotten    = 10 // at a time
	forgetSigned = `DELETE FROM case_steps WHERE step = 'signed' AND case_id = ANY (ARRAY (
	SELECT case_id FROM case_steps WHERE step = 'signed' AND at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))`
)

// keepSigned lets a step be kept of what was sent, and forgets some of the oldest, so that
// they do not grow for ever.
func (t *tx) keepSigned(sent offboarding.Sent) error {
	kept := time.Now().Add(-signedKept)
	if sent.Expires.Before(kept.Add(24 * time.Hour)) { // clocks differ by less
		return offboarding.SignedBefore()
	}
	_, err := t.exec(forgetSigned, kept, forgotten)
	return err
}

const selectBegun = `SELECT EXISTS (SELECT FROM cases WHERE id = $1) OR EXISTS (SELECT FROM case_steps WHERE case_id = $1)`

// Begun reports whether the start has been heard of a workflow whose case, or whose steps
// where it has none, go by this ID: a refusal by the rules is a step too, and so is that a case or a list was taken over.
func (s *Store) Begun(ctx context.Context, caseID string) (begun bool, err error) {
	if !isID(caseID) { // of a workflow that somebody has named as they liked
		return false, nil
	}
	_, err = s.find(ctx, &begun, selectBegun, caseID)
	return begun, clean("look what was begun", err)
}
