// Package schema holds the database migrations, embedded in the binaries.
package schema

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"github.com/pressly/goose/v3"
)

// FS holds the goose migrations at its root.
//
//go:embed *.sql
var FS embed.FS

func provider(db *sql.DB) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, db, FS)
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return p, nil
}

// Migrate brings the database to this build's version and returns that version.
// Running it again changes nothing.
func Migrate(ctx context.Context, db *sql.DB) (int64, error) {
	p, err := provider(db)
	if err != nil {
		return 0, err
	}
	if _, err := p.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return p.GetDBVersion(ctx)
}

// Versions returns the version that the database is at and the one that this
// build needs.
func Versions(ctx context.Context, db *sql.DB) (have, need int64, err error) {
	p, err := provider(db)
	if err != nil {
		return 0, 0, err
	}
	if have, need, err = p.GetVersions(ctx); err != nil {
		return 0, 0, fmt.Errorf("read the schema version: %w", err)
	}
	return have, need, nil
}
