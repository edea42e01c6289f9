package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

// sharedConsole is a devstack with the members and documents of devdocs, for all who
// look at the console; each test has leavers of its own.
var sharedConsole consoles

type consoles struct {
	once  sync.Once
	stack *stack
	err   error
}

// get returns the stack and the address of its console.
func (c *consoles) get(t testing.TB) (s *stack, site string) {
	t.Helper()
	sharedChromium.get(t) // before anything is started for nothing
	c.once.Do(func() {
		c.stack = &stack{dir: tempDir(t), server: freeAddress()}
		if c.err = c.stack.up(); c.err == nil {
			data, err := filepath.Abs("../data/devdocs")
			c.err = errors.Join(err, os.Symlink(data, filepath.Join(c.stack.dir, "devdocs")))
		}
		if c.err == nil {
			succeed(t, c.stack.dir, nil, "starter", "import", "devdocs")
		}
	})
	require.NoError(t, c.err)
	return c.stack, "http://" + c.stack.server
}

func (c *consoles) end() error {
	if c.stack == nil || c.stack.proc == nil {
		return nil
	}
	return c.stack.down()
}

// Some of devdocs: its owner, who sees all, and a maker who may edit much.
const theOwner, theMaker = "m0010", "m0236"

func address(member string) string { return member + "@devdocs.example" }

// id is the ID of a member.
func (s *stack) id(t testing.TB, member string) string {
	t.Helper()
	var id string
	require.NoError(t, s.db.Get(&id, `SELECT id FROM members WHERE external_id = $1`, member))
	return id
}

// offboard offboards a member, and waits until their documents wait for owners. It
// returns the case's ID.
func (s *stack) offboard(t testing.TB, member string) (id string) {
	t.Helper()
	succeed(t, s.dir, nil, "starter", "start", member, "--as", theOwner, "--disposition", string(offboarding.DispositionRetain))
	return s.awaitGrace(t, member)
}

func (s *stack) awaitGrace(t testing.TB, member string) (id string) {
	t.Helper()
	waitFor(t, member+" is in the grace period", func() error {
		var phase string
		if err := s.db.QueryRow(`SELECT c.id, c.phase FROM cases c JOIN members m ON m.id = c.member_id WHERE m.external_id = $1`, member).Scan(&id, &phase); err != nil {
			return err
		}
		if phase != string(offboarding.PhaseGrace) {
			return errors.New(phase)
		}
		return nil
	})
	return id
}

func (s *stack) count(t testing.TB, query string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, s.db.Get(&n, query, args...))
	return n
}

// furnish sees to it that there is something on every page. It returns pages that are
// of one kind with others and have other links.
func (s *stack) furnish(t testing.TB) (pages []string) {
	t.Helper()
	s.offboard(t, "m0300")
	succeed(t, s.dir, nil, "starter", "start", "m0190", "--as", theOwner, "--effective-at", time.Now().AddDate(0, 0, 30).Format(time.DateOnly))
	succeed(t, s.dir, nil, "starter", "hold", "place", "--member", "m0161", "--reason", "matter 12", "--as", theOwner)
	list := "email,last_day,reason\n" + address("m0099") + ",2024-01-31,left\n" + address("m0363") + ",2024-01-31,left\n"
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "leavers.csv"), []byte(list), 0o600))
	succeed(t, s.dir, nil, "starter", "bulk", "leavers.csv", "--requested-by", theOwner)
	var document, editor string
	require.NoError(t, s.db.QueryRow(`SELECT d.external_id, g.external_id FROM documents d JOIN members o ON o.id = d.owner_id AND o.external_id = 'm0300'
		JOIN grants ON document_id = d.id JOIN members g ON g.id = grants.member_id AND g.account_type <> 'maker' AND g.status = 'active'
		ORDER BY d.id, g.id LIMIT 1`).Scan(&document, &editor))
	succeed(t, s.dir, nil, "starter", "claim", document, "--as", editor, "--note", "I use it every day")
	var cases []string
	require.NoError(t, s.db.Select(&cases, `SELECT c.id FROM cases c JOIN members m ON m.id = c.member_id WHERE m.external_id IN ('m0300', 'm0190')`))
	for _, id := range cases {
		pages = append(pages, "/console/leavers/"+id)
	}
	return pages
}

// owner is who owns a document.
func (s *stack) owner(t testing.TB, document string) (member string) {
	t.Helper()
	require.NoError(t, s.db.Get(&member, `SELECT owner_id FROM documents WHERE id = $1`, document))
	return member
}

// document is a document of a member that others have a grant on.
func (s *stack) document(t testing.TB, owner string, others ...string) (id, title string) {
	t.Helper()
	err := s.db.QueryRow(`SELECT d.id, d.title FROM documents d JOIN members o ON o.id = d.owner_id WHERE o.external_id = $1 AND $2 = (
		SELECT count(*) FROM grants g JOIN members m ON m.id = g.member_id WHERE g.document_id = d.id AND m.external_id = ANY ($3))
		ORDER BY d.id LIMIT 1`, owner, len(others), pq.Array(others)).Scan(&id, &title)
	require.NoError(t, err, "a document of %s with grants of %v", owner, others)
	return id, title
}

// page is where the list of documents without an owner begins with a document: others
// leave meanwhile, and a list of many goes on on a next page.
func (s *stack) page(t testing.TB, document string) string {
	t.Helper()
	var before string
	require.NoError(t, s.db.Get(&before, `SELECT coalesce((SELECT id FROM documents WHERE id < $1 ORDER BY id DESC LIMIT 1)::text, '')`, document))
	return "/console/documents?cursor=" + before
}
