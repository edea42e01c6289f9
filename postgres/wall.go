package postgres

import (
	"context"
	"strings"
)

// withinKey is where a context keeps the organizations that a request is about.
type withinKey struct{}

// Within is the context of a request about some organizations, by their IDs: behind a
// wall, nothing else is seen or changed, and without any nothing at all (docs/adr/0043).
func Within(ctx context.Context, organizations ...string) context.Context {
	return context.WithValue(ctx, withinKey{}, organizations)
}

// Behind is a store on the same database that says in each transaction which
// organizations it is about, for a role behind the wall.
func (s *Store) Behind() *Store {
	other := s.WithBatchSize(s.batchSize)
	other.walled = true
	return other
}

// namesOrganizations lets the transaction see what the wall lets it: until its end, so that
// nothing stays with the connection.
const namesOrganizations = `SELECT set_config('handover.wall', $1, true)`

func (t *tx) nameOrganizations() error {
	organizations, _ := t.ctx.Value(withinKey{}).([]string)
	_, err := t.exec(namesOrganizations, "{"+strings.Join(organizations, ",")+"}")
	return err
}

// memberCalled is true of a member m who goes by one of some addresses or user names, an
// array. It has an index behind the wall, where a comparison of lower() has none.
func memberCalled(names string) string {
	return "m.id = ANY (ARRAY(SELECT members_called(" + names + ")))"
}

// called is memberCalled behind the wall, and no condition in front of it.
func (s *Store) called(names string) string {
	if !s.walled {
		return "true"
	}
	return memberCalled(names)
}
