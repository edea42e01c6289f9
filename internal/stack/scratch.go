package stack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"handover/postgres"
)

// scratch makes a database of its own on the server that a URL names, so that a
// throw-away state leaves what is there alone. drop removes it again.
func scratch(ctx context.Context, databaseURL string) (scratchURL string, drop func() error, err error) {
	u, err := url.Parse(databaseURL)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return "", nil, errors.New("DATABASE_URL: want postgres://user@host:5432/database") // not the parser's error: it repeats the password
	}
	name := "handover_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := execute(ctx, databaseURL, `CREATE DATABASE `+pq.QuoteIdentifier(name)); err != nil {
		return "", nil, fmt.Errorf("make a throw-away database (the role of DATABASE_URL needs CREATEDB): %w", err)
	}
	u.Path = "/" + name
	return u.String(), func() error {
		// The context of the run may have ended already.
		return execute(context.WithoutCancel(ctx), databaseURL, `DROP DATABASE IF EXISTS `+pq.QuoteIdentifier(name)+` WITH (FORCE)`)
	}, nil
}

func execute(ctx context.Context, databaseURL, statement string) error {
	store, err := postgres.Open(databaseURL, 1)
	if err != nil {
		return err
	}
	if err := store.Ping(ctx); err != nil {
		return errors.Join(err, store.Close())
	}
	_, err = store.DB().ExecContext(ctx, statement)
	return errors.Join(err, store.Close())
}
