package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/contrib/envconfig"

	"handover/internal/codec"
)

// setting is one value with a flag, and mostly an environment variable.
type setting struct {
	flag, env, fallback, usage string
	group                      Group
}

// Names of the flags.
const (
	flagDatabaseURL      = "database-url"
	flagDatabasePoolSize = "database-pool-size"
	flagTemporalAddress  = "temporal-address"
	flagTemporalNS       = "temporal-namespace"
	flagTemporalProfile  = "temporal-profile"
	flagPayloadKeys      = "payload-keys"
	flagSigningKey       = "signing-key"
	flagSignatureKeys    = "signature-keys"
	flagRequireSigned    = "require-signed-messages"
	flagLogLevel         = "log-level"
	flagLogFormat        = "log-format"
	flagHealthAddress    = "health-address"
	flagDrainTimeout     = "drain-timeout"
	flagActivities       = "max-concurrent-activities"
	flagLocalActivities  = "max-concurrent-local-activities"
	flagCachedWorkflows  = "max-cached-workflows"
	flagDeployment       = "deployment"
	flagBuildID          = "build-id"
	flagWithWorker       = "with-worker"
	flagServerDatabase   = "server-database-url"
	flagListenAddress    = "listen-address"
	flagPublicURL        = "public-url"
	flagOIDCIssuer       = "oidc-issuer"
	flagOIDCClientID     = "oidc-client-id"
	flagOIDCClientSecret = "oidc-client-secret"
	flagRateLimit        = "rate-limit"
	flagMaxRequests      = "max-requests"
	flagMaxStreams       = "max-streams"
	flagTrustedProxies   = "trusted-proxies"
	flagSecretKey        = "secret-key"
	flagAllowPrivate     = "webhook-allow-private"
	flagCodecReaders     = "codec-readers"
	flagCodecOrigin      = "codec-origin"
)

// How many requests and streams a server answers at once unless told otherwise.
const (
	DefaultMaxRequests = 256
	DefaultMaxStreams  = 1000
)

// The TEMPORAL_* variables have no env here: the SDK's envconfig reads them.
var settings = []setting{
	{flagDatabaseURL, "DATABASE_URL", "", "PostgreSQL, as a `url`: postgres://user@host:5432/database", DatabaseGroup},
	{flagDatabasePoolSize, "HANDOVER_DATABASE_POOL_SIZE", "20", "open connections at most, a `number`", DatabaseGroup},
	{flagTemporalAddress, "", "", "Temporal frontend, `host:port` (TEMPORAL_ADDRESS, default 127.0.0.1:7233)", TemporalGroup},
	{flagTemporalNS, "", "", "Temporal namespace `name` (TEMPORAL_NAMESPACE, default \"default\")", TemporalGroup},
	{flagTemporalProfile, "", "", "profile `name` in Temporal's configuration file (TEMPORAL_PROFILE)", TemporalGroup},
	{flagPayloadKeys, "HANDOVER_PAYLOAD_KEYS", "", "`keys` that encrypt what Temporal keeps, as id:base64 of 32 bytes, the first for what is new, separated by commas; empty: it is not encrypted", TemporalGroup},
	{flagSigningKey, "HANDOVER_SIGNING_KEY", "", "`key` that signs what is sent to cases, as id:base64 of 32 bytes; empty: it is not signed", TemporalGroup},
	{flagSignatureKeys, "HANDOVER_SIGNATURE_KEYS", "", "public `keys` of all who sign, as id:base64 of 32 bytes, separated by commas", WorkerGroup | ServerGroup},
	{flagRequireSigned, "HANDOVER_REQUIRE_SIGNED_MESSAGES", "false", "`true` refuses starts and messages that none of the signature keys has signed", WorkerGroup | ServerGroup},
	{flagLogLevel, "HANDOVER_LOG_LEVEL", "info", "least `level` to log: debug, info, warn, error", LogGroup},
	{flagLogFormat, "HANDOVER_LOG_FORMAT", FormatJSON, "log `format`: json, text", LogGroup},
	{flagHealthAddress, "HANDOVER_HEALTH_ADDRESS", "127.0.0.1:8081", "`host:port` of /livez, /readyz and /metrics", WorkerGroup},
	{flagDrainTimeout, "HANDOVER_DRAIN_TIMEOUT", "30s", "`duration` that running activities and requests have to end", WorkerGroup | ServerGroup},
	{flagActivities, "HANDOVER_MAX_CONCURRENT_ACTIVITIES", "1000", "activities at once, a `number`; 0: the SDK's default", WorkerGroup | ServerGroup},
	{flagLocalActivities, "HANDOVER_MAX_CONCURRENT_LOCAL_ACTIVITIES", "1000", "local activities at once, a `number`; 0: the SDK's default", WorkerGroup | ServerGroup},
	{flagCachedWorkflows, "HANDOVER_MAX_CACHED_WORKFLOWS", "1000", "workflows kept in memory while they wait, a `number`; 0: the SDK's default", WorkerGroup | ServerGroup},
	{flagDeployment, "HANDOVER_DEPLOYMENT", "", "`name` of the worker deployment; empty: workers are not versioned", WorkerGroup | ServerGroup},
	{flagBuildID, "HANDOVER_BUILD_ID", "", "`id` of this build within the deployment; empty: made of the executable", WorkerGroup | ServerGroup},
	{flagHealthAddress, "HANDOVER_HEALTH_ADDRESS", "127.0.0.1:8082", "`host:port` of /livez, /readyz and /metrics", ServerGroup},
	{flagServerDatabase, "HANDOVER_SERVER_DATABASE_URL", "", "PostgreSQL for the role of starter migrate --server-role, as a `url`: keeps organizations apart; empty: the role of DATABASE_URL does everything", ServerGroup},
	{flagListenAddress, "HANDOVER_LISTEN_ADDRESS", "127.0.0.1:8080", "`host:port` of the HTTP API", ServerGroup},
	{flagWithWorker, "HANDOVER_WITH_WORKER", "false", "`true` runs a worker in this process too, on the same connections: access is gone soonest", ServerGroup},
	{flagPublicURL, "HANDOVER_PUBLIC_URL", "", "`url` at which callers reach the server, such as https://handover.example.com", ServerGroup},
	{flagOIDCIssuer, "HANDOVER_OIDC_ISSUER", "", "OpenID Connect provider that signs people in, a `url`; none: nobody signs in", ServerGroup},
	{flagOIDCClientID, "HANDOVER_OIDC_CLIENT_ID", "", "`id` under which the provider knows the server", ServerGroup},
	{flagOIDCClientSecret, "HANDOVER_OIDC_CLIENT_SECRET", "", "`secret` that the provider has given the server", ServerGroup},
	{flagRateLimit, "HANDOVER_RATE_LIMIT", "50", "requests a second that each caller may make, a `number`; 0: no limit", ServerGroup},
	{flagMaxRequests, "HANDOVER_MAX_REQUESTS", strconv.Itoa(DefaultMaxRequests), "requests answered at once, a `number`; as many more wait for a second, others are told to come again; 0: no limit", ServerGroup},
	{flagMaxStreams, "HANDOVER_MAX_STREAMS", strconv.Itoa(DefaultMaxStreams), "streams of events and exports at once, a `number`", ServerGroup},
	{flagTrustedProxies, "HANDOVER_TRUSTED_PROXIES", "", "`networks` whose X-Forwarded-For is believed, separated by commas, such as 10.0.0.0/8", ServerGroup},
	{flagSecretKey, "HANDOVER_SECRET_KEY", "", "`keys` in base64 that webhooks are signed by, the first for new secrets, separated by commas; empty: no webhooks", WorkerGroup | ServerGroup},
	{flagAllowPrivate, "HANDOVER_WEBHOOK_ALLOW_PRIVATE", "false", "`true` lets webhooks be http:// and go to private addresses", WorkerGroup | ServerGroup},
	{flagCodecReaders, "HANDOVER_CODEC_READERS", "", "`ids` of members for whom Temporal's web UI may decrypt, separated by commas; empty: for nobody", ServerGroup},
	{flagCodecOrigin, "HANDOVER_CODEC_ORIGIN", "", "`origin` of Temporal's web UI, such as https://temporal.example.com", ServerGroup},
}

// Loader is a bound set of flags.
type Loader struct {
	flags  *pflag.FlagSet
	groups Group
}

// Bind adds the flags of the groups. All take text: a typed flag would end the
// parsing at the first mistake. WorkerGroup and ServerGroup are not for one main: what
// both have differs in its default, so that both run on one machine.
func Bind(flags *pflag.FlagSet, groups Group) *Loader {
	for _, s := range settings {
		if s.group&groups == 0 {
			continue
		}
		usage := s.usage
		if s.env != "" {
			usage += " (" + s.env + ")"
		}
		flags.String(s.flag, s.fallback, usage)
	}
	return &Loader{flags, groups}
}

// Load reads the parsed flags and the environment; a nil env is the process's own.
// The error joins one error for each mistake, and each names the flag or variable.
func (l *Loader) Load(env envconfig.EnvLookup) (*Config, error) {
	if env == nil {
		env = envconfig.EnvLookupOS
	}
	r := &reader{loader: l, env: env}
	c := &Config{}
	if l.groups&DatabaseGroup != 0 {
		c.Database = r.database()
	}
	if l.groups&TemporalGroup != 0 {
		c.Temporal = r.temporal()
		c.Signing.Key = r.signingKey()
	}
	if l.groups&LogGroup != 0 {
		c.Log = r.log()
	}
	if l.groups&WorkerGroup != 0 {
		c.Worker = r.worker()
	}
	if l.groups&ServerGroup != 0 {
		c.Server = r.server()
		c.Worker.DrainTimeout = c.Server.DrainTimeout
	}
	if l.groups&(WorkerGroup|ServerGroup) != 0 {
		c.Worker.MaxConcurrentActivities, c.Worker.MaxConcurrentLocalActivities = r.number(flagActivities, 0), r.number(flagLocalActivities, 0)
		c.Worker.MaxCachedWorkflows = r.number(flagCachedWorkflows, 0)
		c.Worker.Deployment, c.Worker.BuildID = r.deployment()
		c.Webhooks = r.webhooks()
		c.Signing.Required = r.required(c.Signing.Key)
	}
	if len(r.mistakes) > 0 {
		return nil, fmt.Errorf("configuration: %w", errors.Join(r.mistakes...))
	}
	return c, nil
}

// reader collects the mistakes of one Load.
type reader struct {
	loader   *Loader
	env      envconfig.EnvLookup
	mistakes []error
	keys     *codec.Codec // of --payload-keys, nil for none
}

// value is a setting's text and where it came from, to name it in a mistake.
func (r *reader) value(flag string) (text, source string) {
	f := r.loader.flags.Lookup(flag)
	if f.Changed {
		return f.Value.String(), "--" + flag
	}
	for _, s := range settings {
		// An empty variable is as good as none: that is how compose files pass unset ones.
		if v, ok := r.env.LookupEnv(s.env); s.flag == flag && s.env != "" && ok && v != "" {
			return strings.TrimSpace(v), s.env
		}
	}
	return f.DefValue, "--" + flag
}

func (r *reader) mistake(source, format string, args ...any) {
	r.mistakes = append(r.mistakes, fmt.Errorf(source+": "+format, args...))
}
