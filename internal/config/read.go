package config

import (
	"cmp"
	"encoding/base64"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"handover/internal/codec"
)

// Defaults of the SDK, written out for the log and the address check.
const (
	defaultTemporalAddress   = "127.0.0.1:7233"
	defaultTemporalNamespace = "default"
)

func (r *reader) database() Database {
	url := r.postgres(flagDatabaseURL)
	if url == "" {
		r.mistake("DATABASE_URL or --"+flagDatabaseURL, "is missing; want postgres://user@host:5432/database")
	}
	return Database{URL: url, PoolSize: r.number(flagDatabasePoolSize, 1)}
}

// postgres reads a URL of PostgreSQL that may be empty.
func (r *reader) postgres(flag string) Secret {
	url, source := r.value(flag)
	if _, err := pq.NewConnector(url); url != "" && err != nil {
		// Without the driver's text, which repeats parts of the value.
		r.mistake(source, "is not a PostgreSQL URL that the driver takes; want postgres://user@host:5432/database")
	}
	return Secret(url)
}

// temporal applies the flags over what the SDK reads from the environment and the
// profile. The file and the certificates are the SDK's to check.
func (r *reader) temporal() client.Options {
	profile, _ := r.value(flagTemporalProfile)
	p, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{
		ConfigFileProfile: profile,
		EnvLookup:         r.env,
	})
	if err != nil {
		r.mistake("Temporal", "%w", err)
		return client.Options{}
	}
	source := "TEMPORAL_ADDRESS"
	if address, flag := r.value(flagTemporalAddress); address != "" {
		p.Address, source = address, flag
	}
	if namespace, _ := r.value(flagTemporalNS); namespace != "" {
		p.Namespace = namespace
	}
	p.Address = cmp.Or(p.Address, defaultTemporalAddress)
	p.Namespace = cmp.Or(p.Namespace, defaultTemporalNamespace)
	r.checkAddress(p.Address, source)
	opts, err := p.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err != nil {
		r.mistake("Temporal", "%w", err)
	}
	// Messages are small, and packing them is a twentieth of the CPU of all programs together.
	opts.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	if r.keys = r.payloadKeys(); r.keys != nil {
		r.keys.Apply(&opts)
	}
	return opts
}

// payloadKeys is what encrypts what Temporal keeps, nil where nothing does.
func (r *reader) payloadKeys() *codec.Codec {
	text, source := r.value(flagPayloadKeys)
	if text == "" {
		return nil
	}
	var keys []codec.Key
	for part := range strings.SplitSeq(text, ",") {
		id, raw, ok := named(part)
		if !ok {
			r.mistake(source, "key %d is not id:base64, such as 2026:$(openssl rand -base64 %d)", len(keys)+1, codec.KeySize) // without the value
			return nil
		}
		keys = append(keys, codec.Key{ID: id, Secret: raw})
	}
	c, err := codec.New(keys...)
	if err != nil {
		r.mistake(source, "%w", err)
		return nil
	}
	return c
}

// codec needs keys and an origin where it has readers.
func (r *reader) codec() (c Codec) {
	text, source := r.value(flagCodecReaders)
	if text == "" {
		return c
	}
	for part := range strings.SplitSeq(text, ",") {
		id, err := uuid.Parse(strings.TrimSpace(part))
		if err != nil {
			r.mistake(source, "%q is not the ID of a member", part)
		}
		c.Readers = append(c.Readers, id.String())
	}
	if c.Origin = strings.TrimSuffix(r.url(flagCodecOrigin), "/"); c.Origin == "" {
		r.mistake("HANDOVER_CODEC_ORIGIN", "is missing: HANDOVER_CODEC_READERS needs it")
	}
	if r.keys == nil {
		r.mistake("HANDOVER_PAYLOAD_KEYS", "is missing or no key: HANDOVER_CODEC_READERS needs it")
		return c
	}
	c.Decoder = r.keys
	return c
}

func (r *reader) log() Log {
	var l Log
	level, source := r.value(flagLogLevel)
	if err := l.Level.UnmarshalText([]byte(level)); err != nil {
		r.mistake(source, "%q is none of debug, info, warn, error", level)
	}
	l.Format, source = r.value(flagLogFormat)
	if l.Format != FormatJSON && l.Format != FormatText {
		r.mistake(source, "%q is none of json, text", l.Format)
	}
	return l
}

func (r *reader) worker() Worker {
	address, source := r.value(flagHealthAddress)
	r.checkAddress(address, source)
	return Worker{HealthAddress: address, DrainTimeout: r.duration(flagDrainTimeout)}
}

// deployment is the name and the build of a versioned worker; Temporal joins the two by a dot.
func (r *reader) deployment() (name, buildID string) {
	name, source := r.value(flagDeployment)
	if strings.ContainsAny(name, ".: ") {
		r.mistake(source, "%q has a dot, a colon or a space", name)
	}
	buildID, _ = r.value(flagBuildID)
	return name, buildID
}

func (r *reader) server() Server {
	address, source := r.value(flagListenAddress)
	r.checkAddress(address, source)
	health, source := r.value(flagHealthAddress)
	r.checkAddress(health, source)
	public := strings.TrimSuffix(r.url(flagPublicURL), "/")
	return Server{
		PublicURL: public, OIDC: r.oidc(public), Address: address, HealthAddress: health, DrainTimeout: r.duration(flagDrainTimeout),
		RateLimit: r.number(flagRateLimit, 0), Worker: r.flag(flagWithWorker), TrustedProxies: r.networks(flagTrustedProxies),
		MaxRequests: r.number(flagMaxRequests, 0), MaxStreams: r.number(flagMaxStreams, 1), Codec: r.codec(), DatabaseURL: r.postgres(flagServerDatabase),
	}
}

// oidc needs all of its settings or none, and a public URL for the way back.
func (r *reader) oidc(publicURL string) OIDC {
	var o OIDC
	o.Issuer = r.url(flagOIDCIssuer)
	id, _ := r.value(flagOIDCClientID)
	secret, _ := r.value(flagOIDCClientSecret)
	o.ClientID, o.ClientSecret = id, Secret(secret)
	if o.Issuer == "" {
		return OIDC{}
	}
	for _, needed := range [][2]string{
		{id, "HANDOVER_OIDC_CLIENT_ID"}, {secret, "HANDOVER_OIDC_CLIENT_SECRET"}, {publicURL, "HANDOVER_PUBLIC_URL"},
	} {
		if needed[0] == "" {
			r.mistake(needed[1], "is missing: HANDOVER_OIDC_ISSUER needs it")
		}
	}
	return o
}

// url is an http or https URL without anything behind its path, "" for none.
func (r *reader) url(flag string) string {
	text, source := r.value(flag)
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		r.mistake(source, "is not a URL such as https://handover.example.com")
	}
	return text
}

func (r *reader) networks(flag string) (networks []netip.Prefix) {
	text, source := r.value(flag)
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			r.mistake(source, "%q is not a network such as 10.0.0.0/8", part)
		}
		networks = append(networks, network.Masked())
	}
	return networks
}

// minKey is the fewest bytes of a key.
const minKey = 32

func (r *reader) webhooks() Webhooks {
	var w Webhooks
	text, source := r.value(flagSecretKey)
	for key := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
		if err != nil || len(raw) < minKey {
			r.mistake(source, "a key is not at least %d bytes in base64, such as openssl rand -base64 32 makes", minKey) // without the value
			break
		}
		w.Keys = append(w.Keys, Secret(raw))
	}
	w.AllowPrivate = r.flag(flagAllowPrivate)
	return w
}

func (r *reader) flag(flag string) bool {
	text, source := r.value(flag)
	on, err := strconv.ParseBool(text)
	if err != nil {
		r.mistake(source, "%q is neither true nor false", text)
	}
	return on
}

func (r *reader) number(flag string, least int) int {
	text, source := r.value(flag)
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		r.mistake(source, "%q is not a whole number of at least %d", text, least)
	}
	return n
}

func (r *reader) duration(flag string) time.Duration {
	text, source := r.value(flag)
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.mistake(source, "%q is not a duration such as 30s or 2m", text)
	}
	return d
}

func (r *reader) checkAddress(address, source string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		r.mistake(source, "%q is not host:port", address)
	}
}
