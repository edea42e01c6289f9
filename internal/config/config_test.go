package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"handover/internal/config"
)

const all = config.DatabaseGroup | config.TemporalGroup | config.LogGroup | config.WorkerGroup

// environment is a process environment in which Temporal's file is not the machine's.
type environment map[string]string

func (e environment) Environ() (vars []string) {
	for k, v := range e {
		vars = append(vars, k+"="+v)
	}
	return vars
}

func (e environment) LookupEnv(name string) (string, bool) {
	v, ok := e[name]
	if name == "TEMPORAL_CONFIG_FILE" && !ok {
		return os.DevNull, true
	}
	return v, ok
}

func load(t *testing.T, groups config.Group, env environment, args ...string) (*config.Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	l := config.Bind(flags, groups)
	require.NoError(t, flags.Parse(args))
	return l.Load(env)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := load(t, all, environment{"DATABASE_URL": "postgres://u@h/d", "HANDOVER_LOG_LEVEL": ""})
	require.NoError(t, err)
	require.Equal(t, "postgres://u@h/d", c.Database.URL.Reveal())
	require.Equal(t, 20, c.Database.PoolSize)
	require.Equal(t, "127.0.0.1:7233", c.Temporal.HostPort)
	require.Equal(t, "default", c.Temporal.Namespace)
	require.Equal(t, config.Log{Level: slog.LevelInfo, Format: config.FormatJSON}, c.Log)
	require.Equal(t, config.Worker{HealthAddress: "127.0.0.1:8081", DrainTimeout: 30 * time.Second, MaxConcurrentActivities: 1000, MaxConcurrentLocalActivities: 1000, MaxCachedWorkflows: 1000}, c.Worker)
}

func TestFlagWinsOverEnvironment(t *testing.T) {
	t.Parallel()
	c, err := load(t, all, environment{
		"DATABASE_URL": "postgres://u@h/env", "HANDOVER_DRAIN_TIMEOUT": "1m", "HANDOVER_LOG_LEVEL": "warn",
		"TEMPORAL_ADDRESS": "env:7233", "TEMPORAL_NAMESPACE": "env", "TEMPORAL_API_KEY": "k",
	}, "--database-url=postgres://u@h/flag", "--temporal-address=flag:1", "--log-level=DEBUG")
	require.NoError(t, err)
	require.Equal(t, "postgres://u@h/flag", c.Database.URL.Reveal())
	require.Equal(t, "flag:1", c.Temporal.HostPort)
	require.Equal(t, "env", c.Temporal.Namespace)
	require.NotNil(t, c.Temporal.Credentials)
	require.NotNil(t, c.Temporal.ConnectionOptions.TLS, "an API key turns TLS on")
	require.Equal(t, slog.LevelDebug, c.Log.Level)
	require.Equal(t, time.Minute, c.Worker.DrainTimeout)
}

func TestTemporalProfile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(file, []byte("[profile.eu]\naddress = \"eu:7233\"\nnamespace = \"eu\"\n"), 0o600))
	c, err := load(t, config.TemporalGroup, environment{"TEMPORAL_CONFIG_FILE": file}, "--temporal-profile=eu")
	require.NoError(t, err)
	require.Equal(t, "eu:7233", c.Temporal.HostPort)
	require.Equal(t, "eu", c.Temporal.Namespace)

	_, err = load(t, config.TemporalGroup, environment{"TEMPORAL_CONFIG_FILE": file}, "--temporal-profile=us")
	require.ErrorContains(t, err, "profile us")
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, all, environment{
		"DATABASE_URL":                       "postgres://u:hunter2@h:port/d?sslmode=hunter2",
		"HANDOVER_DATABASE_POOL_SIZE":        "0",
		"HANDOVER_LOG_FORMAT":                "xml",
		"HANDOVER_DRAIN_TIMEOUT":             "soon",
		"TEMPORAL_ADDRESS":                   "nowhere",
		"TEMPORAL_TLS_CLIENT_CERT_DATA":      "hunter2",
		"HANDOVER_MAX_CONCURRENT_ACTIVITIES": "-1",
	}, "--log-level=loud", "--health-address=:http")
	require.Error(t, err)
	for _, want := range []string{
		"DATABASE_URL: ", "HANDOVER_DATABASE_POOL_SIZE: ", "HANDOVER_LOG_FORMAT: ", "HANDOVER_DRAIN_TIMEOUT: ",
		"TEMPORAL_ADDRESS: ", "Temporal: invalid TLS", "HANDOVER_MAX_CONCURRENT_ACTIVITIES: ", "--log-level: ", "--health-address: ",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "hunter2")

	_, err = load(t, config.DatabaseGroup, environment{})
	require.EqualError(t, err, "configuration: DATABASE_URL or --database-url: is missing; want postgres://user@host:5432/database")
}

func TestUnboundGroupsAskForNothing(t *testing.T) {
	t.Parallel()
	c, err := load(t, config.LogGroup, environment{})
	require.NoError(t, err)
	require.Empty(t, c.Database.URL.Reveal())
}

func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	d := config.Database{URL: "postgres://u:hunter2@h/d"}
	encoded, err := json.Marshal(d)
	require.NoError(t, err)
	var logged bytes.Buffer
	config.Log{Format: config.FormatText}.Logger(&logged).Info("x", "url", d.URL, "database", d)
	for _, text := range []string{string(encoded), logged.String(), fmt.Sprintf("%v %+v %#v %s", d, d, d, d.URL)} {
		require.NotContains(t, text, "hunter2")
		require.Contains(t, text, "[secret]")
	}
}
