package config_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/config"
)

func TestServerSettings(t *testing.T) {
	t.Parallel()
	c, err := load(t, config.ServerGroup, environment{})
	require.NoError(t, err)
	require.Equal(t, 50, c.Server.RateLimit)
	require.False(t, c.Server.Worker)
	require.Empty(t, c.Server.OIDC)
	c, err = load(t, config.ServerGroup, environment{
		"HANDOVER_PUBLIC_URL": "https://handover.example/", "HANDOVER_OIDC_ISSUER": "https://id.example/", "HANDOVER_OIDC_CLIENT_ID": "us",
		"HANDOVER_OIDC_CLIENT_SECRET": "hunter2", "HANDOVER_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8", "HANDOVER_RATE_LIMIT": "0", "HANDOVER_WITH_WORKER": "true",
		"HANDOVER_DRAIN_TIMEOUT": "7s", "HANDOVER_SERVER_DATABASE_URL": "postgres://walled@h/d", "HANDOVER_MAX_CONCURRENT_ACTIVITIES": "9",
	})
	require.NoError(t, err)
	require.Equal(t, "https://handover.example", c.Server.PublicURL)
	require.Equal(t, config.OIDC{Issuer: "https://id.example/", ClientID: "us", ClientSecret: "hunter2"}, c.Server.OIDC, "an issuer is compared as it is")
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, c.Server.TrustedProxies)
	require.Zero(t, c.Server.RateLimit)
	require.Equal(t, []int{config.DefaultMaxRequests, config.DefaultMaxStreams}, []int{c.Server.MaxRequests, c.Server.MaxStreams})
	require.Equal(t, "postgres://walled@h/d", c.Server.DatabaseURL.Reveal())
	require.True(t, c.Server.Worker)
	require.Equal(t, config.Worker{DrainTimeout: 7 * time.Second, MaxConcurrentActivities: 9, MaxConcurrentLocalActivities: 1000, MaxCachedWorkflows: 1000}, c.Worker, "of the worker inside")

	_, err = load(t, config.ServerGroup, environment{
		"HANDOVER_OIDC_ISSUER": "https://id.example", "HANDOVER_TRUSTED_PROXIES": "10.0.0.1", "HANDOVER_RATE_LIMIT": "-1",
		"HANDOVER_SERVER_DATABASE_URL": "postgres://u:hunter2@h:port/d",
	})
	for _, want := range []string{
		"HANDOVER_OIDC_CLIENT_ID: is missing", "HANDOVER_OIDC_CLIENT_SECRET: is missing", "HANDOVER_PUBLIC_URL: is missing",
		"HANDOVER_TRUSTED_PROXIES: ", "HANDOVER_RATE_LIMIT: ",
	} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, err, "HANDOVER_SERVER_DATABASE_URL: is not a PostgreSQL URL")
	require.NotContains(t, err.Error(), "hunter2")
	_, err = load(t, config.ServerGroup, environment{"HANDOVER_PUBLIC_URL": "handover.example"})
	require.ErrorContains(t, err, "HANDOVER_PUBLIC_URL: ")
}
