// Package codec decrypts for Temporal's web UI what Temporal keeps of cases. It is
// Temporal's remote codec protocol, with who may ask: members whom the operator names,
// whatever organization they are of, for histories are of all organizations.
package codec

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"handover/offboarding"
	"handover/server/auth"
	"handover/server/problem"
)

// Options are what decrypting takes.
type Options struct {
	Decoder converter.PayloadCodec
	Readers []string // IDs of members
	Origin  string   // of the web UI
	Auth    *auth.Auth
	Log     *slog.Logger
}

const (
	path    = "/codec/decode"
	maxBody = 8 << 20 // a page of a history at most, as Temporal bounds it
)

// New adds the route.
func New(mux *http.ServeMux, o Options) {
	mux.HandleFunc("OPTIONS "+path, o.preflight)
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		o.allow(w, r)
		answer, err := o.decode(w, r)
		if err != nil {
			problem.Write(w, r, o.Log, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(answer) // the caller has gone; nobody is left to tell
	})
}

// allow lets a page of the web UI's origin, and no other, read the answer.
func (o *Options) allow(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Origin")
	if r.Header.Get("Origin") != o.Origin {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", o.Origin)
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	return true
}

// preflight is what a browser asks before it lets a page of another origin ask.
func (o *Options) preflight(w http.ResponseWriter, r *http.Request) {
	if o.allow(w, r) {
		w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Namespace")
		w.Header().Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

func (o *Options) decode(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	ctx := r.Context()
	caller, err := auth.From(ctx)
	if r.Header.Get("Origin") == o.Origin { // whose own token, which the web UI may send, is not ours
		caller, err = o.Auth.SignedIn(r)
	}
	switch {
	case err != nil:
		return nil, err
	case caller == nil:
		return nil, problem.New(ctx, problem.CodeUnauthenticated, "sign in to Handover in this browser first").With("WWW-Authenticate", `Bearer realm="handover"`)
	case !slices.Contains(o.Readers, caller.Member.ID):
		return nil, offboarding.Refuse("", offboarding.CodeNotAuthorized, "", "only members named in HANDOVER_CODEC_READERS may have histories decrypted")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, problem.New(ctx, problem.CodeTooLarge, "the body is larger than 8 MB")
	}
	if err != nil {
		return nil, err
	}
	var in commonpb.Payloads
	if protojson.Unmarshal(body, &in) != nil {
		return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, "", "the body is not a Payloads object of Temporal in JSON")
	}
	out, err := o.Decoder.Decode(in.GetPayloads())
	if err != nil { // the codec's words: a key that is not known, or a payload that was changed
		return nil, offboarding.Refuse("", offboarding.CodeInvalidArgument, "payloads", err.Error())
	}
	o.Log.InfoContext(ctx, "payloads decrypted", "member_id", caller.Member.ID, "payloads", len(out))
	return protojson.Marshal(&commonpb.Payloads{Payloads: out})
}
