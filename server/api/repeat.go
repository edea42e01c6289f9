package api

import (
	"context"

	"github.com/google/uuid"
)

type repeatKey struct{}

// withKey keeps the ID that an idempotency key and its caller come to with a
// request's context.
func withKey(ctx context.Context, key uuid.UUID) context.Context {
	return context.WithValue(ctx, repeatKey{}, key)
}

// updateID is the Temporal update ID of a request: made from its idempotency key,
// so that whoever repeats the request, at whichever server, sends the same update
// and nothing is done twice. Without a key it is one of its own.
func (a *API) updateID(ctx context.Context) string { return "http/" + a.newID(ctx, "update") }

// newID is the ID of something that a request makes, the same for every repeat of
// it under its idempotency key; name tells several of one request apart. Who
// inserts a row under it inserts nothing where the row is there.
func (a *API) newID(ctx context.Context, name string) string {
	if key, ok := ctx.Value(repeatKey{}).(uuid.UUID); ok {
		return uuid.NewSHA1(key, []byte(name)).String()
	}
	return uuid.Must(uuid.NewV7()).String()
}
