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

const selectBegun = `SELECT EXISTS (SELECT FROM cases WHERE id = $1) OR EXISTS (SELECT FROM case_steps WHERE case_id = $1)`

// Begun reports whether the start has been heard of a workflow whose case, or whose steps
// where it has none, go by this ID: a refusal by the rules is a step too.
func (s *Store) Begun(ctx context.Context, caseID string) (begun bool, err error) {
	_, err = s.find(ctx, &begun, selectBegun, caseID)
	return begun, clean("look what was begun", err)
}

// BulkBegun reports whether a start has opened the run of this ID.
func (s *Store) BulkBegun(ctx context.Context, bulkID, workflowID string) (begun bool, err error) {
	_, err = s.find(ctx, &begun, `SELECT EXISTS (SELECT FROM bulk_runs WHERE id = $1 AND workflow_id = $2)`, bulkID, workflowID)
	return begun, clean("look for a bulk run", err)
}
