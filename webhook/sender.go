package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"handover/offboarding"
)

// Limits of one attempt.
const (
	attemptTimeout = 15 * time.Second
	answerRead     = 16 << 10 // of the body, so that the connection can be used again; no more, and nothing of it is kept
	idlePerHost    = 8
)

// Options are what a sender works with.
type Options struct {
	Keys *Keys
	// AllowPrivate lets webhooks go to addresses that are not of the internet.
	AllowPrivate bool
	// Timeout of one attempt; 0 is 15 s.
	Timeout time.Duration
	// Roots vouch for receivers; nil are the system's.
	Roots *x509.CertPool
	// Now is the machine's time, which receivers compare with theirs; nil is time.Now.
	Now func() time.Time
}

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	keys   *Keys
	client *http.Client
	now    func() time.Time
}

// NewSender returns a sender. It uses no proxy, whatever the environment says, and
// follows no redirect: either could lead where the guard of addresses does not see.
func NewSender(o Options) *Sender {
	if o.Timeout == 0 {
		o.Timeout = attemptTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	dialer := &net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}
	if !o.AllowPrivate {
		dialer.Control = guard
	}
	return &Sender{keys: o.Keys, now: o.Now, client: &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    idlePerHost,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 32 << 10,
			DisableCompression:     true, // an answer is not unpacked
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// errPrivate says that a connection would have left the internet.
var errPrivate = errors.New("the address is not of the internet")

// guard looks at the address of each connection just before it is made, so that a
// name which stands for another address a moment later is of no use.
func guard(_, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err != nil || !offboarding.PublicAddress(at.Addr()) {
		return errPrivate
	}
	return nil
}

// Send makes one attempt. What the error's text says is not told: it has the URL.
func (s *Sender) Send(ctx context.Context, to offboarding.WebhookTarget, m offboarding.WebhookMessage) (offboarding.WebhookAttempt, error) {
	at := s.now()
	signatures := make([]string, len(to.SecretRefs))
	for i, ref := range to.SecretRefs {
		secret, err := s.keys.derive(to.WebhookID, ref)
		if err != nil {
			return offboarding.WebhookAttempt{}, err
		}
		signer, err := standardwebhooks.NewWebhookRaw(secret)
		if err == nil {
			signatures[i], err = signer.Sign(m.ID, at, m.Body)
		}
		if err != nil {
			return offboarding.WebhookAttempt{}, errors.New("a message cannot be signed")
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(m.Body))
	if err != nil {
		return offboarding.WebhookAttempt{Error: offboarding.FailedName}, nil //nolint:nilerr // checked when it was registered
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Handover-Webhooks/1")
	request.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	attempt := s.attempt(request)
	attempt.Took = s.now().Sub(at)
	if ctx.Err() != nil && !attempt.Arrived() {
		return attempt, ctx.Err() // told to stop: it was not the receiver
	}
	return attempt, nil
}

func (s *Sender) attempt(request *http.Request) offboarding.WebhookAttempt {
	response, err := s.client.Do(request)
	if err != nil {
		return offboarding.WebhookAttempt{Error: classOf(err)}
	}
	defer func() { _ = response.Body.Close() }() // nothing of it is kept
	_, _ = io.CopyN(io.Discard, response.Body, answerRead)
	out := offboarding.WebhookAttempt{Status: response.StatusCode}
	switch {
	case response.StatusCode >= 200 && response.StatusCode < 300:
	case response.StatusCode >= 300 && response.StatusCode < 400:
		out.Error = offboarding.FailedRedirect
	default:
		out.Error = offboarding.FailedStatus
		out.RetryAfter = retryAfter(response.Header.Get("Retry-After"), s.now())
	}
	return out
}

// retryAfter reads seconds or a date; 0 for none.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

// classOf says in a word what went wrong.
func classOf(err error) string {
	var (
		dns      *net.DNSError
		timeout  net.Error
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
	)
	switch {
	case errors.Is(err, errPrivate):
		return offboarding.FailedAddress
	case errors.As(err, &dns):
		return offboarding.FailedName
	case errors.As(err, &timeout) && timeout.Timeout():
		return offboarding.FailedTimeout
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &verify), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &unknown), errors.As(err, &hostname):
		return offboarding.FailedTLS
	}
	return offboarding.FailedConnect
}
