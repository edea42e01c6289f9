package app

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A proxy that does not pass the question for health on does not make the server away.
func TestWhoRefusesToSayIsThere(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		context.DeadlineExceeded, fmt.Errorf("health check: %w", context.DeadlineExceeded), serviceerror.NewUnavailable("gone"),
		status.Error(codes.Unavailable, "connection refused"), serviceerror.NewDeadlineExceeded("late"),
	} {
		require.True(t, unanswered(err), "%v", err)
	}
	for _, err := range []error{
		nil, serviceerror.NewUnimplemented("unknown service grpc.health.v1.Health"), serviceerror.NewPermissionDenied("no", ""),
		status.Error(codes.Unauthenticated, "who are you"), errors.New("something else"),
	} {
		require.False(t, unanswered(err), "%v", err)
	}
}
