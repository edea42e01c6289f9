package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"

	"handover/postgres"
	"handover/schema"
)

// How often what is not there yet is asked for, and how often that is logged.
const (
	askEvery = 500 * time.Millisecond
	sayEvery = 10 * time.Second
	patience = 5 * time.Second // for one answer
)

// until asks again and again until the answer is nil, and logs what it waits for.
func until(ctx context.Context, log *slog.Logger, what string, ask func(context.Context) error) error {
	var said time.Time
	for {
		once, cancel := context.WithTimeout(ctx, patience)
		err := ask(once)
		cancel()
		if err == nil {
			return nil
		}
		if time.Since(said) >= sayEvery {
			log.WarnContext(ctx, "waiting for "+what, "because", err.Error())
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for %s: %w", what, err)
		case <-time.After(askEvery):
		}
	}
}

// awaitDatabase waits until the database answers and has this build's schema.
func awaitDatabase(ctx context.Context, store *postgres.Store, log *slog.Logger) error {
	if err := until(ctx, log, "the database", store.Ping); err != nil {
		return err
	}
	if err := until(ctx, log, "the database's schema", func(ctx context.Context) error { return schemaReady(ctx, store) }); err != nil {
		return err
	}
	if may, err := schema.MayChangeAudit(ctx, store.DB().DB); err == nil && may { // who cannot be asked is asked again by the first step
		log.WarnContext(ctx, "the database role may change the audit; a role of its own, which may not, is better: see `starter migrate --app-role`")
	}
	return nil
}

// schemaReady says what is missing where the schema is older than this build
// needs, or the role may not use it. A newer one is fine: migrations keep older builds
// working.
func schemaReady(ctx context.Context, store *postgres.Store) error {
	have, need, err := schema.Versions(ctx, store.DB().DB)
	if err != nil {
		return fmt.Errorf("the schema version cannot be read; may the database role use the schema? `starter migrate --app-role` lets it")
	}
	if have < need {
		return fmt.Errorf("the schema is at version %d and this build needs %d; run `starter migrate`", have, need)
	}
	missing, err := schema.Missing(ctx, store.DB().DB)
	if err != nil {
		return fmt.Errorf("the privileges of the database role cannot be read")
	}
	if missing != "" {
		return errors.New(missing)
	}
	return nil
}

// awaitWall waits until there is a wall before the role of a store, in the same database
// as another one.
func awaitWall(ctx context.Context, store, walled *postgres.Store, log *slog.Logger) error {
	return until(ctx, log, "the wall before the server's database role", func(ctx context.Context) error {
		return wallReady(ctx, store, walled)
	})
}

// wallReady says why the role of a store is not the server's in the database of another
// one, if it is not.
func wallReady(ctx context.Context, store, walled *postgres.Store) error {
	same, err := schema.SameTables(ctx, store.DB().DB, walled.DB().DB)
	missing, unanswered := schema.Unwalled(ctx, walled.DB().DB)
	switch {
	case err != nil, unanswered != nil:
		return errors.New("the database does not answer the server's role")
	case !same:
		return errors.New("HANDOVER_SERVER_DATABASE_URL leads to another database, schema or PostgreSQL server than DATABASE_URL")
	case missing != "":
		return errors.New(missing)
	}
	return nil
}

// awaitTemporal waits until the Temporal server answers.
func awaitTemporal(ctx context.Context, options client.Options, log *slog.Logger) (client.Client, error) {
	var c client.Client
	address := options.HostPort
	if address == "" {
		address = client.DefaultHostPort
	}
	err := until(ctx, log, "the Temporal server at "+address, func(ctx context.Context) (err error) {
		c, err = client.DialContext(ctx, options)
		return err
	})
	return c, err
}
