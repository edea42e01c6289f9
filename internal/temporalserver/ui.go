package temporalserver

import (
	"context"
	"fmt"
	"net/http"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

const uiStartTimeout = 10 * time.Second

// startUI serves Temporal's web UI and returns when it answers.
func (s *Server) startUI() error {
	ui := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: s.address,
		Host:                hostOf(s.uiAddress),
		Port:                portOf(s.uiAddress),
		EnableUI:            true,
		DefaultNamespace:    s.namespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		// A laptop has no TLS.
		CORS: uiconfig.CORS{CookieInsecure: true},
	}))
	ended := make(chan error, 1)
	go func() { ended <- ui.Start() }()
	s.closers = append(s.closers, func() error { ui.Stop(); return nil })

	ctx, cancel := context.WithTimeout(context.Background(), uiStartTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ping(ctx, "http://"+s.uiAddress+"/healthz")
		if err == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the web UI ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("the web UI does not answer: %w", err)
		case <-tick.C:
		}
	}
}

func ping(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
