package postgres

import (
	"context"
	"hash/maphash"
	"sync"
)

// turns lets calls about the same thing go one after the other, before they take a
// connection. It spares those of this process to wait for each other in the database;
// what keeps them apart is there. Things that share a turn wait for each other too.
type turns struct {
	once sync.Once
	seed maphash.Seed
	free [256]chan struct{}
}

// take waits for the turn of a thing. done ends it.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	t.once.Do(func() {
		t.seed = maphash.MakeSeed()
		for i := range t.free {
			t.free[i] = make(chan struct{}, 1)
		}
	})
	turn := t.free[maphash.String(t.seed, key)%uint64(len(t.free))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
