package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"handover/offboarding"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/problem"
)

// The headers of idempotency.
const (
	HeaderKey      = "Idempotency-Key"
	HeaderReplayed = "Idempotency-Replayed"
)

const (
	// keyLease is how long whoever answers a request may not be heard of before a
	// repeat takes over.
	keyLease = 30 * time.Second
	maxKey   = 255
	// recordWithin is how long it may take to keep an answer.
	recordWithin = 5 * time.Second
)

// keySpace is what the IDs of keys are made in.
var keySpace = uuid.MustParse("7e8f2a54-5a0d-4f0e-9a29-3f0a8f4cbb6f")

// keyed is a request that carries a key, while it is answered.
type keyed struct {
	id      string    // of the key and its caller
	request uuid.UUID // what everything that it makes is named by
	attempt int
	kept    any // what repeats get instead of the answer's body, nil for the body
}

type keyedKey struct{}

func keyedOf(ctx context.Context) *keyed {
	k, _ := ctx.Value(keyedKey{}).(*keyed)
	return k
}

// updateID is the Temporal update ID of a request: the same for every repeat of it
// under its idempotency key, so that it is not done twice. Without a key it is one
// of its own.
func (a *API) updateID(ctx context.Context) string { return "http/" + a.newID(ctx, "update") }

// newID is the ID of something that a request makes, the same for every repeat of
// it under its idempotency key; name tells several of one request apart. Who
// inserts a row under it inserts nothing where the row is there.
func (a *API) newID(ctx context.Context, name string) string {
	if k := keyedOf(ctx); k != nil {
		return uuid.NewSHA1(k.request, []byte(name)).String()
	}
	return uuid.Must(uuid.NewV7()).String()
}

// ShownOnce is an answer of which something is shown once: what is kept for the
// repeats of its request is the body without it.
type ShownOnce interface{ WithoutSecret() (body any) }

// keep remembers what repeats of the request are to get.
func keep(ctx context.Context, out any) {
	if once, ok := out.(ShownOnce); ok {
		if k := keyedOf(ctx); k != nil {
			k.kept = once.WithoutSecret()
		}
	}
}

// describeKey says in the API's description that a route takes a key.
func describeKey(op *huma.Operation) {
	longest := maxKey
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: HeaderKey, In: "header",
		Description: "A name for this request, such as a UUID: whoever repeats it under the same key within 24 hours gets the same answer, and nothing is done twice",
		Schema:      &huma.Schema{Type: huma.TypeString, MinLength: new(int), MaxLength: &longest, Pattern: `^[\x21-\x7e]+$`},
	})
	op.Errors = append(op.Errors, http.StatusConflict, http.StatusUnprocessableEntity)
}

// once answers a write that carries an Idempotency-Key once: repeats get the
// answer that was given, and who repeats a request that nobody answers any more
// does it again under the same names.
func (a *API) once(hc huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hc)
	keys := r.Header.Values(HeaderKey)
	if len(keys) == 0 {
		next(hc)
		return
	}
	ctx := r.Context()
	answer, err := a.answerOnce(hc, r, keys, next)
	if err != nil {
		problem.Write(w, r, a.log, err)
		return
	}
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.Status)
	if _, err := w.Write(answer.Body); err != nil {
		a.log.DebugContext(ctx, "the caller has gone", "error", err)
	}
}

func (a *API) answerOnce(hc huma.Context, r *http.Request, keys []string, next func(huma.Context)) (*postgres.KeyedAnswer, error) {
	ctx := r.Context()
	if len(keys) > 1 || !validKey(keys[0]) {
		return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, HeaderKey,
			fmt.Sprintf("%s must be one text of 1 to %d visible ASCII characters", HeaderKey, maxKey))
	}
	caller, err := auth.From(ctx)
	if err != nil || caller == nil {
		return nil, errors.Join(err, errors.New("a write without a caller"))
	}
	body, err := io.ReadAll(r.Body) // it is here already
	if err != nil {
		return nil, err
	}
	claim := postgres.KeyedRequest{
		ID: keyID(caller, keys[0]), Fingerprint: fingerprint(r, keys[0], body), RequestID: uuid.NewString(), Lease: keyLease,
	}
	at := a.now().UTC()
	use, err := a.gate.ClaimKey(ctx, claim, at)
	switch {
	case err != nil:
		return nil, err
	case use.Reused:
		return nil, problem.New(ctx, problem.CodeKeyReused, "the "+HeaderKey+" was used for another request")
	case use.Answer != nil:
		use.Answer.Header[HeaderReplayed] = []string{"true"}
		return use.Answer, nil
	case use.Attempt == 0:
		wait := max(1, int(math.Ceil(use.BusyUntil.Sub(at).Seconds())))
		return nil, problem.New(ctx, problem.CodeKeyInUse, "the request with this "+HeaderKey+" is still being answered").
			With("Retry-After", strconv.Itoa(wait))
	}
	request, err := uuid.Parse(use.RequestID)
	if err != nil {
		return nil, err
	}
	return a.answerKeyed(hc, r, body, &keyed{id: claim.ID, request: request, attempt: use.Attempt}, next), nil
}

// answerKeyed answers a request that is this server's to answer, and keeps the
// answer if it is final: one that says that nothing was decided is not.
func (a *API) answerKeyed(hc huma.Context, r *http.Request, body []byte, k *keyed, next func(huma.Context)) *postgres.KeyedAnswer {
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), keyedKey{}, k))
	defer cancel()
	go a.holdLease(ctx, k)
	answered := false
	defer func() {
		if !answered { // a repeat need not wait for the lease's end
			a.record(ctx, "the lease was not given up", func(ctx context.Context) error {
				return a.gate.LeaseKey(ctx, k.id, k.attempt, a.now().UTC())
			})
		}
	}()
	_, w := humago.Unwrap(hc)
	kept := &keptAnswer{ResponseWriter: w, header: http.Header{}}
	r = r.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader(body))
	next(humago.NewContext(hc.Operation(), r, kept))
	out := postgres.KeyedAnswer{Status: kept.status, Header: kept.header, Body: kept.body.Bytes()}
	if out.Status == 0 {
		out.Status = http.StatusOK
	}
	if out.Status < 500 && out.Status != http.StatusTooManyRequests {
		record := out
		if k.kept != nil {
			record.Body, _ = json.Marshal(k.kept) // huma has written the same type
		}
		if record.Body == nil {
			record.Body = []byte{}
		}
		answered = a.record(ctx, "an answer was not kept", func(ctx context.Context) error {
			return a.gate.AnswerKey(ctx, k.id, k.attempt, record, a.now().UTC())
		})
	}
	return &out
}

// record writes to the database what must not end with the request.
func (a *API) record(ctx context.Context, failed string, write func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordWithin)
	defer cancel()
	if err := write(ctx); err != nil {
		a.log.ErrorContext(ctx, failed, "error", err, "ref_id", problem.RefID(ctx))
		return false
	}
	return true
}

// holdLease says that the request is still being answered, until it is.
func (a *API) holdLease(ctx context.Context, k *keyed) {
	tick := time.NewTicker(keyLease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.gate.LeaseKey(ctx, k.id, k.attempt, a.now().UTC().Add(keyLease)); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "a lease was not prolonged", "error", err, "ref_id", problem.RefID(ctx))
		}
	}
}

func validKey(key string) bool {
	for _, c := range []byte(key) {
		if c < '!' || c > '~' {
			return false
		}
	}
	return len(key) > 0 && len(key) <= maxKey
}

// keyID is the ID of a caller's key. Callers are credentials, or people whichever
// session they have.
func keyID(c *auth.Caller, key string) string {
	who := "member " + c.Member.ID
	if c.CredentialID != "" {
		who = "credential " + c.CredentialID
	}
	return uuid.NewHash(sha256.New(), keySpace, []byte(who+"\x00"+key), 8).String()
}

// fingerprint tells requests apart. The key is in it, so that nobody finds out from
// the fingerprint what was in a short body.
func fingerprint(r *http.Request, key string, body []byte) []byte {
	h := sha256.New()
	parts := []string{key, r.Method, r.URL.EscapedPath(), r.URL.RawQuery}
	for _, name := range []string{"Content-Type", "Prefer", "Handover-Confirm-Email", "Handover-Integration-Source", "Smartsheet-Integration-Source"} {
		parts = append(parts, strings.Join(r.Header.Values(name), "\x00")) // which say what is asked for, as the body does
	}
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	h.Write(body)
	return h.Sum(nil)
}

// keptAnswer keeps an answer until it is recorded.
type keptAnswer struct {
	http.ResponseWriter // for deadlines
	header              http.Header
	status              int
	body                bytes.Buffer
}

func (k *keptAnswer) Header() http.Header { return k.header }

func (k *keptAnswer) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *keptAnswer) Write(p []byte) (int, error) { return k.body.Write(p) }

// Unwrap lets http.ResponseController reach what is below.
func (k *keptAnswer) Unwrap() http.ResponseWriter { return k.ResponseWriter }
