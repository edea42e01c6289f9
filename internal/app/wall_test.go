package app

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// A server whose second role has no wall waits, and says for what.
func TestAServerWaitsForItsWall(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	o := fixture.New(t, db)
	store := postgres.New(db)
	require.ErrorContains(t, wallReady(t.Context(), store, store), "it is, or belongs to, the owner of the tables")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, awaitWall(ctx, store, store, slog.New(slog.DiscardHandler)), "gave up waiting for the wall")

	behind := fixture.Behind(t, db)
	require.NoError(t, awaitWall(t.Context(), store, behind, slog.New(slog.DiscardHandler)))
	page, err := behind.Members(postgres.Within(t.Context(), o.ID), offboarding.MemberFilter{})
	require.NoError(t, err)
	require.NotEmpty(t, page.Items)
	page, err = behind.Members(t.Context(), offboarding.MemberFilter{})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}

// A server whose two roles are in two databases, because one URL was forgotten, is not ready.
func TestBothRolesOfAServerAreInOneDatabase(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	store, behind := postgres.New(db), fixture.Behind(t, db)
	elsewhere := fixture.Behind(t, testdb.New(t))
	require.NoError(t, wallReady(t.Context(), store, behind))
	h := &health{store: store}
	h.walled.Store(elsewhere)
	require.ErrorContains(t, h.ask(t.Context()), "HANDOVER_SERVER_DATABASE_URL leads to another database")
	h.walled.Store(behind)
	require.ErrorContains(t, h.ask(t.Context()), "not connected to the Temporal server yet", "which is asked last")
}
