package activities_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"handover/activities"
	"handover/offboarding"
)

// slow is a receiver that takes what it is sent after fourteen seconds, and an outbox
// with much about one case in it.
type slow struct {
	pending int64
	marks   []int // how much was marked at once
}

func (s *slow) Send(context.Context, offboarding.WebhookTarget, offboarding.WebhookMessage) (offboarding.WebhookAttempt, error) {
	time.Sleep(14 * time.Second)
	return offboarding.WebhookAttempt{Status: 200}, nil
}

func (s *slow) DueDeliveries(_ context.Context, id string, _ time.Time, limit int) (offboarding.WebhookBatch, error) {
	batch := offboarding.WebhookBatch{Target: &offboarding.WebhookTarget{WebhookID: id}}
	for n := range min(s.pending, int64(limit)) {
		batch.Due = append(batch.Due, offboarding.DueDelivery{ID: n, Lane: "a case"})
	}
	return batch, nil
}

func (s *slow) RecordDeliveries(_ context.Context, _ string, results []offboarding.DeliveryResult) error {
	s.marks = append(s.marks, len(results))
	s.pending -= int64(len(results))
	return nil
}

// What a receiver has taken is marked after a minute, however long the rest would
// take: an activity that lasts longer than it may would send all of it again.
func TestASlowReceiverIsMarkedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{pending: 250}
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(activities.NewWebhooks(s, s))
		start := time.Now()
		value, err := env.ExecuteActivity("SendWebhooks", offboarding.SendWebhooksInput{WebhookID: "w", At: start})
		require.NoError(t, err)
		var sent offboarding.WebhooksSent
		require.NoError(t, value.Get(&sent))
		require.Equal(t, 70*time.Second, time.Since(start))
		require.Equal(t, []int{5}, s.marks)
		require.Equal(t, []int{5, 5}, []int{sent.Attempts, sent.Delivered})
		require.NotNil(t, sent.Next, "there is more")
	})
}
