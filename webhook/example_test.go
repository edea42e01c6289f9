package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver takes webhooks: it verifies each, remembers its ID together with what it
// does about it, and answers 2xx once that is safe.
type receiver struct {
	webhook *standardwebhooks.Webhook
	seen    map[string]bool // in a database, written with what the event changes there
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 1<<20))
	if err != nil || r.webhook.Verify(body, request.Header) != nil {
		http.Error(w, "not ours", http.StatusBadRequest)
		return
	}
	var event struct {
		Type string `json:"type"`
		Data struct {
			DocumentID string `json:"document_id"`
			After      struct {
				OwnerID string `json:"owner_id"`
			} `json:"after"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	if id := request.Header.Get(standardwebhooks.HeaderWebhookID); !r.seen[id] {
		r.seen[id] = true
		fmt.Println(event.Type, event.Data.DocumentID, "now belongs to", event.Data.After.OwnerID)
	}
	w.WriteHeader(http.StatusNoContent)
}

// A receiver in Go. Handover sends the same message twice here, as it may.
func Example_receiver() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // from the answer that created the webhook
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		panic(err)
	}
	r := &receiver{webhook: verifier, seen: map[string]bool{}}

	body := `{"type":"ClaimDocOwnership","timestamp":"2026-03-02T09:00:00Z","data":{"version":1,"document_id":"d1","after":{"owner_id":"m2"}}}`
	now := time.Now()
	signature, err := verifier.Sign("msg_1041", now, []byte(body))
	if err != nil {
		panic(err)
	}
	for range 2 {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/hooks", strings.NewReader(body))
		request.Header.Set("webhook-id", "msg_1041")
		request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
		request.Header.Set("webhook-signature", signature)
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, request)
		fmt.Println(answer.Code)
	}
	// Output:
	// ClaimDocOwnership d1 now belongs to m2
	// 204
	// 204
}
