package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// ports are the addresses that one server listens on.
type ports struct {
	frontend, ui              string
	history, matching, worker string
}

// Free ports come from below the range that systems hand out for outgoing
// connections (32768 and up on Linux), so that nothing takes one between the look
// and the listening; Temporal's PostgreSQL schema wants them below 32768 as well.
const (
	lowestPort   = 20000
	highestPort  = 32767
	portAttempts = 100
)

// pickPorts settles every address before the server starts, because the server
// ends the whole process when it cannot listen.
func pickPorts(ctx context.Context, frontend, ui string) (p ports, err error) {
	var held []net.Listener // until all are picked, so that no two are the same
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, w := range []struct {
		into    *string
		address string
	}{
		{&p.frontend, frontend},
		{&p.ui, ui},
		{&p.history, "127.0.0.1:0"},
		{&p.matching, "127.0.0.1:0"},
		{&p.worker, "127.0.0.1:0"},
	} {
		if w.address == "" {
			continue
		}
		l, err := listen(ctx, w.address)
		if err != nil {
			return p, err
		}
		held = append(held, l)
		*w.into = l.Addr().String()
	}
	return p, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	switch host {
	case "", "localhost": // Temporal binds to an IP address
		host = "127.0.0.1"
	}
	if net.ParseIP(host) == nil {
		return nil, fmt.Errorf("address %s: want an IP address, localhost, or nothing before the port", address)
	}
	var lc net.ListenConfig
	if port != "0" {
		return lc.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	}
	for range portAttempts {
		n := lowestPort + rand.IntN(highestPort-lowestPort+1) //nolint:gosec // no secret
		var l net.Listener
		if l, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(n))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no free port on %s: %w", host, err)
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address) // it was a listener's
	n, _ := strconv.Atoi(port)
	return n
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address) // it was a listener's
	return host
}
