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
	require.ErrorContains(t, wallReady(t.Context(), store), "has no wall before")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, awaitWall(ctx, store, slog.New(slog.DiscardHandler)), "gave up waiting for the wall")

	behind := fixture.Behind(t, db)
	require.NoError(t, awaitWall(t.Context(), behind, slog.New(slog.DiscardHandler)))
	page, err := behind.Members(postgres.Within(t.Context(), o.ID), offboarding.MemberFilter{})
	require.NoError(t, err)
	require.NotEmpty(t, page.Items)
	page, err = behind.Members(t.Context(), offboarding.MemberFilter{})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}
