package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"handover/postgres"
)

// How the audit is sealed.
const (
	sealEvery = 5 * time.Second
	sealBatch = 2000 // events in one transaction: some 100 ms
	sealPause = 7    // times as long as a batch took, before the next: an eighth of a core at most, cases come first
)

// sealer seals the audit. Every worker has one; one of them at a time does something.
type sealer struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func startSealing(store *postgres.Store, log *slog.Logger) *sealer {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sealer{cancel: cancel}
	s.running.Go(func() { seal(ctx, store, log) })
	return s
}

func (s *sealer) stop() {
	s.cancel()
	s.running.Wait()
}

// seal seals until ctx ends.
func seal(ctx context.Context, store *postgres.Store, log *slog.Logger) {
	var said time.Time
	for {
		began, wait := time.Now(), sealEvery
		done, err := store.SealAudit(ctx, sealBatch)
		switch {
		case err != nil && ctx.Err() == nil && time.Since(said) >= sayEvery:
			log.WarnContext(ctx, "the audit is not sealed", "error", err)
			said = time.Now()
		case done.More:
			wait = min(sealPause*time.Since(began), sealEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
