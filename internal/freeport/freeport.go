// Package freeport finds addresses for the processes that tests start.
package freeport

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports come from below the ranges that this project's servers and the system's outgoing
// connections take theirs from.
var ports struct {
	mu    sync.Mutex
	taken map[int]bool
}

// Address is a host:port that nobody listens on, and no other test of the process gets.
func Address() string {
	ports.mu.Lock()
	defer ports.mu.Unlock()
	if ports.taken == nil {
		ports.taken = map[int]bool{}
	}
	for {
		n := 12000 + rand.IntN(8000) //nolint:gosec // nobody is to be kept from guessing a port
		address := fmt.Sprintf("127.0.0.1:%d", n)
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		if err != nil || ports.taken[n] {
			if err == nil {
				_ = l.Close()
			}
			continue
		}
		ports.taken[n] = true
		_ = l.Close()
		return address
	}
}
