// Package schema holds the database migrations, embedded in the binaries.
package schema

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// FS holds the goose migrations at its root.
//
//go:embed *.sql
var FS embed.FS

func provider(db *sql.DB, options ...goose.ProviderOption) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, db, FS, options...)
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return p, nil
}

// lockSeconds bounds how long one migration waits for another.
const lockSeconds = 300

// Migrate brings the database to this build's version and returns that version.
// Running it again changes nothing, and of several at once one migrates while the
// others wait: a lock of the database session keeps them apart. A role that was granted
// to before may use what is new, too.
func Migrate(ctx context.Context, db *sql.DB) (int64, error) {
	if err := checkServer(ctx, db); err != nil {
		return 0, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockSeconds))
	if err != nil {
		return 0, fmt.Errorf("prepare the lock of the migrations: %w", err)
	}
	brief := &brief{SessionLocker: locker, wait: lockWait}
	p, err := provider(db, goose.WithSessionLocker(brief))
	if err != nil {
		return 0, err
	}
	if err := brief.up(ctx, p); err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	if err := regrant(ctx, db); err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return p.GetDBVersion(ctx)
}

// oldest is the first PostgreSQL with NULLS NOT DISTINCT, as server_version_num.
const oldest = 150000

// checkServer says clearly what a failed statement would only hint at.
func checkServer(ctx context.Context, db *sql.DB) error {
	var version int
	if err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return fmt.Errorf("migrate: ask the server for its version: %w", err)
	}
	if version < oldest {
		return fmt.Errorf("migrate: the server is PostgreSQL %d, and %d or newer is needed", version/10000, oldest/10000)
	}
	return nil
}

// Versions returns the version that the database is at and the one that this
// build needs. It writes nothing.
func Versions(ctx context.Context, db *sql.DB) (have, need int64, err error) {
	p, err := provider(db)
	if err != nil {
		return 0, 0, err
	}
	var begun bool // goose would make its table
	if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, goose.DefaultTablename).Scan(&begun); err != nil {
		return 0, 0, fmt.Errorf("read the schema version: %w", err)
	}
	if !begun {
		sources := p.ListSources()
		return 0, sources[len(sources)-1].Version, nil
	}
	if have, need, err = p.GetVersions(ctx); err != nil {
		return 0, 0, fmt.Errorf("read the schema version: %w", err)
	}
	return have, need, nil
}
