// Package crowd makes organizations with many members and documents, and everything else
// in proportion, and knows what of them can be looked at. Tests and measurements use it.
package crowd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"
)

// Crowd is an organization with many members and documents. IDs are made of a kind and
// a number, so that each table can refer to the others without looking anything up.
type Crowd struct {
	Organization, Admin, Manager, Maker string // IDs of what is there before it is filled; the maker may see some documents, the manager edit some

	Number             int // of the organization in its database, one digit
	Members, Documents int
}

// kinds are those of the things in a crowd: MEMBER(7) in a filling is the ID of the seventh.
var kinds = []string{"MEMBER", "DOCUMENT", "CASE", "CANCELED", "SCHEDULED", "REQUEST", "WORKSPACE", "HOLD", "CREDENTIAL", "SESSION", "WEBHOOK"}

// Largest is the number of the member who has left a tenth of all documents.
const Largest = 400

// ID is the ID of the nth thing of a kind.
func (c *Crowd) ID(kind string, n int) string {
	return fmt.Sprintf("%08x-0000-7000-8000-%012x", slices.Index(kinds, kind)*16+c.Number, n)
}

// Fill makes everything. Every 200th member has an open case, for half of them with
// read-only documents; every other 20th had one and has left nothing; every second one
// was to leave and did not, and every hundredth is still to leave. Indexes, foreign keys
// and triggers are put on again at the end, which is faster than to keep them. Two
// connections are taken, where there are as many.
func Fill(ctx context.Context, db *sqlx.DB, crowds ...*Crowd) error {
	dress, err := bare(ctx, db)
	if err != nil {
		return err
	}
	for _, c := range crowds {
		if err := c.fill(ctx, db); err != nil {
			return err
		}
	}
	return dress(ctx)
}

func (c *Crowd) fill(ctx context.Context, db *sqlx.DB) error {
	words := []string{
		"$organization", "'" + c.Organization + "'::uuid", "$admin", "'" + c.Admin + "'::uuid", "$manager", "'" + c.Manager + "'::uuid",
		"$maker", "'" + c.Maker + "'::uuid", "$members", fmt.Sprint(c.Members), "$documents", fmt.Sprint(c.Documents), "$number", fmt.Sprint(c.Number),
	}
	for i, kind := range kinds {
		words = append(words, kind+"(", fmt.Sprintf("nth(%d, ", i*16+c.Number))
	}
	in := strings.NewReplacer(words...)
	if err := run(ctx, db, 1, strings.Split(in.Replace(functions), "\n\n")); err != nil {
		return err
	}
	return run(ctx, db, atOnce, strings.Split(in.Replace(fillings), "\n\n"))
}

// atOnce is how many statements run at once.
const atOnce = 2

// run runs statements, so many at once.
func run(ctx context.Context, db *sqlx.DB, atOnce int, statements []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, s := range statements {
		g.Go(func() error {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%w: %s", err, s)
			}
			return nil
		})
	}
	return g.Wait()
}

// bare takes foreign keys, indexes and triggers off the tables that are filled, and dress
// puts them on again.
func bare(ctx context.Context, db *sqlx.DB) (dress func(context.Context) error, err error) {
	const (
		foreign = ` FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY (` + great + `)`
		indexes = ` FROM pg_index i WHERE indrelid = ANY (` + great + `) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))`
	)
	var off, index, link []string
	for into, query := range map[*[]string]string{
		&off: `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)` + foreign + `
			UNION ALL SELECT format('DROP INDEX %s', indexrelid::regclass)` + indexes + `
			UNION ALL SELECT format('ALTER TABLE %s DISABLE TRIGGER USER', t) FROM unnest(` + great + `) t`,
		&index: `SELECT pg_get_indexdef(indexrelid)` + indexes + ` ORDER BY indrelid::regclass::text`,
		&link: `SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))` + foreign + `
			UNION ALL SELECT format('ALTER TABLE %s ENABLE TRIGGER USER', t) FROM unnest(` + great + `) t`,
	} {
		if err := db.SelectContext(ctx, into, query); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		if err := run(ctx, db, atOnce, index); err != nil {
			return err
		}
		return run(ctx, db, 1, link) // two at once could lock each other's tables
	}, run(ctx, db, 1, off)
}

// great are the tables that are filled.
const great = "'{members,cases,documents,grants,audit_events,ownership_requests,credentials,sessions,bulk_members,webhook_deliveries,legal_holds,workspace_members}'::regclass[]"
