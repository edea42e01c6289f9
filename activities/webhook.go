package activities

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"handover/offboarding"
)

// WebhookStore keeps the outbox of webhooks.
type WebhookStore interface {
	// DueDeliveries is what is to be sent to a webhook at a time, the oldest first.
	DueDeliveries(ctx context.Context, webhookID string, at time.Time, limit int) (offboarding.WebhookBatch, error)
	// RecordDeliveries keeps what attempts came to, in the order in which they ended.
	RecordDeliveries(ctx context.Context, webhookID string, results []offboarding.DeliveryResult) error
}

// WebhookSender makes one attempt to send a message. An error says that none was
// made, or that it was broken off from this side.
type WebhookSender interface {
	Send(context.Context, offboarding.WebhookTarget, offboarding.WebhookMessage) (offboarding.WebhookAttempt, error)
}

// Webhooks are the activities of the workflow WebhookDelivery.
type Webhooks struct {
	store  WebhookStore
	sender WebhookSender
}

// NewWebhooks returns the activities on a store and a sender.
func NewWebhooks(store WebhookStore, sender WebhookSender) *Webhooks {
	return &Webhooks{store: store, sender: sender}
}

// How much one activity does.
const (
	sendFor   = time.Minute // then the workflow goes on
	sendBatch = 100         // sent between two marks: sent again, if the process dies in between
	sendLanes = 8           // sent side by side
)

// SendWebhooks sends what is due to one webhook and keeps what became of it. What is
// sent and not marked, because the process died, is sent again under the same ID.
func (w *Webhooks) SendWebhooks(ctx context.Context, in offboarding.SendWebhooksInput) (offboarding.WebhooksSent, error) {
	started := time.Now()
	// The workflow's clock, as it goes on meanwhile.
	clock := func() time.Time { return in.At.Add(time.Since(started)).Truncate(time.Microsecond) }
	var out offboarding.WebhooksSent
	for {
		batch, err := w.store.DueDeliveries(ctx, in.WebhookID, clock(), sendBatch)
		if err != nil {
			return out, err
		}
		if batch.Target == nil || len(batch.Due) == 0 {
			out.Next = batch.Next
			return out, nil
		}
		results, err := w.send(ctx, batch, clock, in.At.Add(sendFor))
		// Also what arrived while the worker was told to stop.
		if len(results) > 0 {
			if err := w.store.RecordDeliveries(context.WithoutCancel(ctx), in.WebhookID, results); err != nil {
				return out, err
			}
		}
		if err != nil {
			return out, err
		}
		for _, r := range results {
			out.Attempts++
			if r.Arrived() {
				out.Delivered++
			}
		}
		select {
		case <-activity.GetWorkerStopChannel(ctx): // another worker goes on
		default:
			if time.Since(started) < sendFor {
				continue
			}
		}
		at := clock()
		out.Next = &at
		return out, nil
	}
}

// sending is a batch while it is sent.
type sending struct {
	mu      sync.Mutex
	health  offboarding.WebhookHealth
	results []offboarding.DeliveryResult
	until   time.Time
	stopped bool  // nothing more is to be sent of this batch
	err     error // why, where it was not the receiver
}

// send sends a batch in lanes: what is about one case keeps its order as long as it
// arrives. It stops where the webhook is to be left alone, and when its time is up: a
// receiver may take its time for each.
func (w *Webhooks) send(
	ctx context.Context, batch offboarding.WebhookBatch, clock func() time.Time, until time.Time,
) ([]offboarding.DeliveryResult, error) {
	var lanes [][]offboarding.DueDelivery
	lane := map[string]int{}
	for _, d := range batch.Due {
		n, known := lane[d.Lane]
		if !known {
			n = len(lanes)
			lane[d.Lane] = n
			lanes = append(lanes, nil)
		}
		lanes[n] = append(lanes[n], d)
	}
	s := &sending{health: batch.Health, until: until}
	next := make(chan []offboarding.DueDelivery)
	var senders sync.WaitGroup
	for range min(sendLanes, len(lanes)) {
		senders.Go(func() {
			for due := range next {
				for _, d := range due {
					if s.over() {
						break
					}
					attempt, err := w.sender.Send(ctx, *batch.Target, d.Message)
					s.ended(ctx, offboarding.DeliveryResult{DueDelivery: d, WebhookAttempt: attempt, At: clock(), Jitter: rand.Float64()}, err) //nolint:gosec // spreads load, keeps no secret
				}
			}
		})
	}
	for _, due := range lanes {
		next <- due
	}
	close(next)
	senders.Wait()
	return s.results, s.err
}

// over reports whether nothing more is to be sent of this batch.
func (s *sending) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

func (s *sending) ended(ctx context.Context, r offboarding.DeliveryResult, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.err, s.stopped = err, true
		return
	}
	s.results = append(s.results, r)
	s.health = s.health.After(r.WebhookAttempt, r.At)
	s.stopped = s.stopped || r.At.After(s.until) || s.health.Paused(r.At) || s.health.Disable(r.WebhookAttempt, r.At) != ""
	activity.RecordHeartbeat(ctx, len(s.results))
}
