package app

import (
	"context"
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
	return until(ctx, log, "the database's schema", func(ctx context.Context) error { return schemaReady(ctx, store) })
}

// schemaReady says what is missing where the schema is older than this build
// needs. A newer one is fine: migrations keep older builds working.
func schemaReady(ctx context.Context, store *postgres.Store) error {
	have, need, err := schema.Versions(ctx, store.DB().DB)
	if err != nil {
		return fmt.Errorf("the schema version cannot be read")
	}
	if have < need {
		return fmt.Errorf("the schema is at version %d and this build needs %d; run `starter migrate`", have, need)
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
