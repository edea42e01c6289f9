package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAlternateTakesTurnsAndGivesMedians(t *testing.T) {
	t.Parallel()
	var order []string
	values := func(name string, values ...float64) func(int) (float64, error) {
		return func(i int) (float64, error) {
			order = append(order, name)
			return values[i], nil
		}
	}
	us, them, err := alternate(3, values("us", 9, 1, 2), values("them", 30, 10, 20))
	require.NoError(t, err)
	require.Equal(t, 2.0, us)
	require.Equal(t, 20.0, them)
	require.Equal(t, []string{"us", "them", "them", "us", "us", "them"}, order)
	_, _, err = alternate(1, values("us", 1), func(int) (float64, error) { return 0, errBroken })
	require.ErrorIs(t, err, errBroken)
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	require.Zero(t, quantile(nil, 0.5))
	require.Equal(t, 2.0, quantile([]float64{3, 1, 2}, 0.5))
	require.Equal(t, 100.0, quantile([]float64{1, 2, 100}, 0.99))
	require.Equal(t, 1.0, quantile([]float64{1, 2, 100}, 0))
}

func TestRoundKeepsWhatCounts(t *testing.T) {
	t.Parallel()
	for in, want := range map[float64]float64{0: 0, 0.123456: 0.123, 1.23456: 1.23, 123.456: 123, 12345.6: 12346, -0.5555: -0.556} {
		require.InDelta(t, want, round(in), 1e-9)
	}
}

func TestEachStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	took, err := each(t.Context(), 5, 2, func(context.Context, int) error { return nil })
	require.NoError(t, err)
	require.Len(t, took, 5)
	_, err = each(t.Context(), 5, 2, func(context.Context, int) error { return errBroken })
	require.ErrorIs(t, err, errBroken)
}

func TestSectionsAreChosenByName(t *testing.T) {
	t.Parallel()
	all, err := (&bench{}).chosen()
	require.NoError(t, err)
	require.Len(t, all, len(sections))
	one, err := (&bench{options: options{only: []string{sections[0].name}}}).chosen()
	require.NoError(t, err)
	require.Len(t, one, 1)
	_, err = (&bench{options: options{only: []string{"nonsense"}}}).chosen()
	require.ErrorContains(t, err, `no section "nonsense"`)
}
