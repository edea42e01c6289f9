package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
)

// BenchmarkWall is what the wall costs: the same in front of it and behind, in turn.
func BenchmarkWall(b *testing.B) {
	url := testdb.URL(b)
	db := testdb.Open(b, url)
	_, c := beside(b, db)
	var stores []*postgres.Store
	for _, url := range []string{url, testdb.ServerURL(b, url)} { // as a server opens them
		store, err := postgres.Open(url, 1)
		require.NoError(b, err)
		defer func() { require.NoError(b, store.Close()) }()
		stores = append(stores, store)
	}
	front, behind := stores[0], stores[1].Behind()
	ctx, reach := postgres.Within(b.Context(), c.Organization), []string{c.Organization}
	for _, ask := range []struct {
		name string
		do   func(context.Context, *postgres.Store) error
	}{
		{"member by ID", func(ctx context.Context, s *postgres.Store) error {
			_, err := s.FindMember(ctx, c.ID("MEMBER", 77), reach...)
			return err
		}},
		{"member by address", func(ctx context.Context, s *postgres.Store) error {
			_, err := s.FindMember(ctx, "email:person77@acme.example", reach...)
			return err
		}},
		{"page of cases", func(ctx context.Context, s *postgres.Store) error {
			_, err := s.Cases(ctx, offboarding.CaseFilter{Reach: reach, Now: time.Now()})
			return err
		}},
		{"page of requests", func(ctx context.Context, s *postgres.Store) error {
			_, err := s.Requests(ctx, offboarding.RequestFilter{Reach: reach})
			return err
		}},
		{"page of the audit", func(ctx context.Context, s *postgres.Store) error {
			_, err := s.AuditEvents(ctx, offboarding.AuditFilter{Reach: reach})
			return err
		}},
		{"page of documents", func(ctx context.Context, s *postgres.Store) error {
			_, err := s.Documents(ctx, offboarding.DocumentFilter{ViewerID: c.Admin, Reach: reach})
			return err
		}},
	} {
		for i, s := range []*postgres.Store{front, behind} {
			for range 10 { // then its plan stays
				require.NoError(b, ask.do(ctx, s))
			}
			b.Run(ask.name+"/"+[]string{"front", "behind"}[i], func(b *testing.B) {
				for b.Loop() {
					require.NoError(b, ask.do(ctx, s))
				}
			})
		}
	}
}
