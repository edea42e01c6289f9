package postgres

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"handover/offboarding"
)

// UseSignature keeps that something signed was sent under an ID, and answers what it was
// handled as, this time or the first. It is kept as a step of nobody's case, named by
// all that the ID is for.
func (s *Store) UseSignature(ctx context.Context, id string, sent offboarding.Sent) (string, error) {
	name := strings.Join([]string{"handover:signed", sent.Namespace, sent.WorkflowID, sent.RunID, sent.Kind, id}, "\n")
	step := offboarding.Step{CaseID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String(), Name: "signed", At: sent.At}
	return outside(ctx, s, step, func(*tx) (string, error) { return sent.HandledAs, nil })
}

// CaseOpened reports whether a start has opened the case of this ID.
func (s *Store) CaseOpened(ctx context.Context, caseID string) (opened bool, err error) {
	_, err = s.find(ctx, &opened, `SELECT EXISTS (SELECT FROM cases WHERE id = $1)`, caseID)
	return opened, clean("look for a case", err)
}
