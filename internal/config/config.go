// Package config is the typed configuration of the mains, from flags and the
// environment: a flag wins over the environment, the environment over the default.
//
// A main binds the groups that it needs, parses, and loads; Load reports every
// mistake at once. No error and no log line holds the value of a secret.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"handover/offboarding"
)

// Group is a set of settings that a main may need.
type Group uint

// The groups.
const (
	// DatabaseGroup is --database-url and --database-pool-size.
	DatabaseGroup Group = 1 << iota
	// TemporalGroup is --temporal-address, -namespace and -profile, --payload-keys, --signing-key, and all TEMPORAL_*
	// variables and profiles of the SDK, with TLS and API keys.
	TemporalGroup
	// LogGroup is --log-level and --log-format.
	LogGroup
	// WorkerGroup is what a long-running process has besides: its health address,
	// drain timeout and limits.
	WorkerGroup
	// ServerGroup is what the HTTP server has: where it listens and how it is reached.
	ServerGroup
)

// Config is the configuration. A group that was not bound is left zero.
type Config struct {
	Database Database
	Temporal client.Options
	Log      Log
	Worker   Worker
	Server   Server
	Webhooks Webhooks
	Signing  Signing
}

// Database says how to reach PostgreSQL.
type Database struct {
	// URL of lib/pq.
	URL Secret
	// PoolSize bounds the open connections of this process.
	PoolSize int
}

// Log says what is logged, and how.
type Log struct {
	Level slog.Level
	// Format is FormatJSON or FormatText.
	Format string
}

// Formats of the log.
const (
	FormatJSON = "json"
	FormatText = "text"
)

// Worker is what a worker process has besides.
type Worker struct {
	// HealthAddress is where /livez, /readyz and /metrics are served.
	HealthAddress string
	// DrainTimeout is how long running activities may take to end after SIGTERM.
	DrainTimeout time.Duration
	// MaxConcurrentActivities and MaxConcurrentLocalActivities bound what runs at
	// once; 0 is the SDK's default. Workflow tasks have the SDK's limit: a smaller
	// one refuses eager starts.
	MaxConcurrentActivities      int
	MaxConcurrentLocalActivities int
	// MaxCachedWorkflows is how many workflows the process keeps in memory between two
	// tasks; the history of another is read again when something happens to it. 0 is
	// the SDK's default.
	MaxCachedWorkflows int
	// Deployment is the worker deployment that the process is a version of, "" for a
	// worker that is not versioned; BuildID is which, "" for what the executable says.
	Deployment, BuildID string
}

// Server is what the HTTP server has besides.
type Server struct {
	// Address is where it listens.
	Address string
	// HealthAddress is where /livez, /readyz and /metrics are served, apart from the
	// API's address: what reaches that is the world.
	HealthAddress string
	// DrainTimeout is how long running requests may take to end after SIGTERM.
	DrainTimeout time.Duration
	// RateLimit is how many requests a second each caller may make, 0 for no limit.
	RateLimit int
	// MaxRequests and MaxStreams are how many requests, and streams, the process answers
	// at once; 0 requests is no limit, of streams either.
	MaxRequests, MaxStreams int
	// PublicURL is where callers reach the server, "" for where it listens.
	PublicURL string
	// OIDC is who signs people in; without an issuer nobody does.
	OIDC OIDC
	// DatabaseURL is that of the role behind the wall, which is used for those who are known;
	// "" is the URL of Database.
	DatabaseURL Secret
	// Worker says to run a worker in the same process, on the same connection.
	Worker bool
	// TrustedProxies are networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Codec is for the web UI of Temporal.
	Codec Codec
}

// Codec says for whom the server decrypts what Temporal keeps, in Temporal's web UI.
type Codec struct {
	// Decoder decrypts; nil where nothing is encrypted.
	Decoder converter.PayloadCodec
	// Readers are IDs of members; Origin is where their browser has the web UI from.
	Readers []string
	Origin  string
}

// Webhooks is what sends webhooks and shows their secrets, the worker and the server.
type Webhooks struct {
	// Keys are what the secrets are derived from, as bytes, the first for new ones;
	// none switches webhooks off.
	Keys []Secret
	// AllowPrivate lets webhooks be plain HTTP and go to addresses that are not of the
	// internet.
	AllowPrivate bool
}

// Signing says whether starts and messages carry signatures, and have to.
type Signing struct {
	// Key signs what this process sends to cases; nil: nothing does.
	Key *offboarding.SigningKey
	// Required are the keys one of which has to have signed what a worker of this
	// process acts on; nil: nothing has to be signed.
	Required offboarding.Keyring
}

// OIDC is an OpenID Connect provider, and what it knows the server by.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret Secret
}

// Secret is a value that formats, logs and marshals as "[secret]".
type Secret string

const redacted = "[secret]"

// Reveal is the value.
func (s Secret) Reveal() string { return string(s) }

// String hides the value.
func (s Secret) String() string { return redacted }

// GoString hides the value from %#v.
func (s Secret) GoString() string { return redacted }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
