package dirlock_test

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/dirlock"
)

func TestTake(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := dirlock.Take(path)
	require.NoError(t, err)
	_, err = dirlock.Take(path)
	require.ErrorIs(t, err, dirlock.ErrHeld)
	require.NoError(t, first.Release())
	second, err := dirlock.Take(path)
	require.NoError(t, err)
	require.NoError(t, second.Release())
}

func TestAForgottenLockIsHeld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	_, err := dirlock.Take(path)
	require.NoError(t, err)
	for range 3 {
		runtime.GC()
	}
	_, err = dirlock.Take(path)
	require.ErrorIs(t, err, dirlock.ErrHeld)
}
