package offboarding

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DeliveryStatus is how far a delivery is.
type DeliveryStatus string

// The statuses of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryFailed    DeliveryStatus = "failed" // given up
)

// DeliveryStatuses lists them.
var DeliveryStatuses = []DeliveryStatus{DeliveryPending, DeliveryDelivered, DeliveryFailed}

// How long a delivery is tried, and how long ended ones can be looked up.
const (
	DeliverFor     = 72 * time.Hour // from the first attempt
	KeepDeliveries = 30 * 24 * time.Hour
	MaxRetryAfter  = time.Hour // of what a receiver may ask for
)

// retries are the times between two attempts, as Standard Webhooks suggests; the
// last attempt is made at the end of DeliverFor.
var retries = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// What went wrong with an attempt, in a word. No more is kept: an answer's text or
// an address may say too much.
const (
	FailedStatus   = "status"          // an answer that is not 2xx
	FailedRedirect = "redirect"        // which is not followed
	FailedTimeout  = "timeout"         //
	FailedName     = "name"            // of the host is not known
	FailedAddress  = "private_address" // the name stands for one that is not of the internet
	FailedTLS      = "tls"             //
	FailedConnect  = "connection"      // none, or it broke
)

// WebhookTarget is where a batch is sent, and the secrets that sign, the newest first.
type WebhookTarget struct {
	WebhookID  string
	URL        string
	SecretRefs []string
}

// WebhookMessage is one event on its way to one webhook.
type WebhookMessage struct {
	ID   string // the same at every attempt
	Body []byte
}

// WebhookAttempt is what one attempt came to.
type WebhookAttempt struct {
	Status     int           // of HTTP, 0 where there was no answer
	Error      string        // a word, "" where it arrived
	RetryAfter time.Duration // that the receiver asks for, 0 for nothing
	Took       time.Duration
}

// Arrived reports whether the receiver has taken the message.
func (a WebhookAttempt) Arrived() bool { return a.Error == "" }

// Delivery is one event to one webhook, as it is looked up.
type Delivery struct {
	ID             int64          `db:"id" json:"-"`
	MessageID      string         `db:"-" json:"delivery_id"`
	WebhookID      string         `db:"webhook_id" json:"webhook_id"`
	EventID        int64          `db:"event_id" json:"event_id"`
	Event          string         `db:"event" json:"event"`
	CreatedAt      time.Time      `db:"created_at" json:"created_at"` // when the event happened
	Status         DeliveryStatus `db:"status" json:"status"`
	Attempts       int            `db:"attempts" json:"attempts"`
	FirstAttemptAt *time.Time     `db:"first_attempt_at" json:"first_attempt_at,omitempty"`
	LastAttemptAt  *time.Time     `db:"last_attempt_at" json:"last_attempt_at,omitempty"`
	NextAttemptAt  *time.Time     `db:"next_attempt_at" json:"next_attempt_at,omitempty"`
	EndedAt        *time.Time     `db:"ended_at" json:"ended_at,omitempty"` // when it was delivered or given up
	LastStatus     int            `db:"last_status" json:"last_status,omitempty"`
	LastError      string         `db:"last_error" json:"last_error,omitempty"`
	LastMS         int            `db:"last_ms" json:"last_duration_ms,omitempty"`
}

// messagePrefix begins the ID of every message.
const messagePrefix = "msg_"

// MessageID is the ID by which a receiver deduplicates.
func MessageID(delivery int64) string { return messagePrefix + strconv.FormatInt(delivery, 10) }

// ParseMessageID reads a MessageID.
func ParseMessageID(text string) (delivery int64, ok bool) {
	digits, ok := strings.CutPrefix(text, messagePrefix)
	delivery, err := strconv.ParseInt(digits, 10, 64)
	return delivery, ok && err == nil && MessageID(delivery) == text
}

// DeliveryFilter selects deliveries of a webhook, the newest first.
type DeliveryFilter struct {
	WebhookID string
	Status    DeliveryStatus
	Event     string
	Cursor    string
	Limit     int
}

// PayloadVersion is the version of what is sent. Fields are added without a new one.
const PayloadVersion = 1

// payload is what is sent, in the form of Standard Webhooks.
type payload struct {
	Type      string      `json:"type"`
	Timestamp time.Time   `json:"timestamp"` // when it happened
	Data      payloadData `json:"data"`
}

type payloadData struct {
	Version        int             `json:"version"`
	EventID        int64           `json:"event_id"` // of the audit
	OrganizationID string          `json:"organization_id"`
	CaseID         string          `json:"case_id,omitempty"`
	MemberID       string          `json:"member_id,omitempty"`
	DocumentID     string          `json:"document_id,omitempty"`
	ActorID        string          `json:"actor_id,omitempty"`
	Origin         string          `json:"origin,omitempty"`
	SubjectKind    Subject         `json:"subject_kind"`
	SubjectID      string          `json:"subject_id"`
	Before         json.RawMessage `json:"before"`
	After          json.RawMessage `json:"after"`
}

// PayloadOf is what is sent about an audit event whose details have no texts in them.
func PayloadOf(kind string, e AuditEvent) []byte {
	body, err := json.Marshal(payload{Type: kind, Timestamp: e.At.UTC(), Data: payloadData{
		Version: PayloadVersion, EventID: e.ID, OrganizationID: e.OrganizationID, CaseID: e.CaseID, MemberID: e.MemberID, DocumentID: e.DocumentID,
		ActorID: e.ActorID, Origin: e.Origin, SubjectKind: e.SubjectKind, SubjectID: e.SubjectID, Before: e.Before, After: e.After,
	}})
	if err != nil {
		panic(err) // plain types, and JSON that the database has checked
	}
	return body
}

// WebhookHealth is how an endpoint has been answering.
type WebhookHealth struct {
	Failures     int        `db:"failures" json:"failures,omitempty"`           // attempts that failed since one went well
	FailingSince *time.Time `db:"failing_since" json:"failing_since,omitempty"` // the first of them
	PausedUntil  *time.Time `db:"paused_until" json:"paused_until,omitempty"`   // nothing is sent before
}

// An endpoint that failed so often in a row is left alone for a while, then asked
// with one delivery: the others are not used up on one that is down.
const (
	failuresToPause = 5
	firstPause      = 5 * time.Second // doubled
	longestPause    = 10 * time.Minute
)

// Paused reports whether the endpoint is to be left alone at a time.
func (h WebhookHealth) Paused(at time.Time) bool {
	return h.PausedUntil != nil && at.Before(*h.PausedUntil)
}

// Failing reports whether the endpoint has failed often enough to be asked with one
// delivery at a time.
func (h WebhookHealth) Failing() bool { return h.Failures >= failuresToPause }

// After is the health after one more attempt.
func (h WebhookHealth) After(a WebhookAttempt, at time.Time) WebhookHealth {
	if a.Arrived() {
		return WebhookHealth{}
	}
	if h.Failures++; h.FailingSince == nil {
		h.FailingSince = &at
	}
	var pause time.Duration
	if h.Failing() {
		pause = longestPause
		if doubled := h.Failures - failuresToPause; doubled < 8 {
			pause = min(firstPause<<doubled, longestPause)
		}
	}
	if a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable {
		pause = max(pause, min(a.RetryAfter, MaxRetryAfter))
	}
	if until := at.Add(pause); pause > 0 && !h.Paused(until) {
		h.PausedUntil = &until
	}
	return h
}

// Disable says why an endpoint is disabled after an attempt, "" where it is not: it
// says itself that it is gone, or it has failed for as long as a delivery is tried.
func (h WebhookHealth) Disable(a WebhookAttempt, at time.Time) string {
	switch {
	case a.Status == http.StatusGone:
		return DisabledGone
	case h.FailingSince != nil && at.Sub(*h.FailingSince) >= DeliverFor:
		return DisabledFailing
	}
	return ""
}

// NextAttempt is when a delivery is tried again that has failed at a time, and false
// where it is given up. attempts counts the one that failed; jitter, between 0 and
// 1, spreads what failed together.
func NextAttempt(attempts int, first, at time.Time, retryAfter time.Duration, jitter float64) (time.Time, bool) {
	end := first.Add(DeliverFor)
	if !at.Before(end) {
		return time.Time{}, false
	}
	wait := retries[min(max(attempts, 1), len(retries))-1]
	wait = max(wait+time.Duration(jitter*0.1*float64(wait)), min(retryAfter, MaxRetryAfter))
	if next := at.Add(wait).Truncate(time.Microsecond); next.Before(end) {
		return next, true
	}
	return end, true
}

// WebhookDeliveryInput starts the workflow WebhookDelivery, which sends what is due to
// one webhook until nothing is pending.
type WebhookDeliveryInput struct {
	WebhookID string `json:"webhook_id"`
}

// WebhookDeliveryStatus is what the workflow WebhookDelivery answers to the query
// `status`.
type WebhookDeliveryStatus struct {
	WebhookID    string     `json:"webhook_id"`
	Attempts     int        `json:"attempts"`       // of this run of the workflow
	Delivered    int        `json:"delivered"`      // of them
	Next         *time.Time `json:"next,omitempty"` // when something is sent next, as far as is known
	Trouble      *Trouble   `json:"trouble,omitempty"`
	WorkflowTime time.Time  `json:"workflow_time"`
}

// SendWebhooksInput asks to send what is due to a webhook at a time.
type SendWebhooksInput struct {
	WebhookID string    `json:"webhook_id"`
	At        time.Time `json:"at"`
}

// WebhooksSent is what sending came to.
type WebhooksSent struct {
	Attempts  int        `json:"attempts,omitempty"`
	Delivered int        `json:"delivered,omitempty"`
	Next      *time.Time `json:"next,omitempty"` // when there is more to send; nil when nothing is pending
}

// DueDelivery is a delivery to be sent now.
type DueDelivery struct {
	ID             int64
	Attempts       int // made before
	FirstAttemptAt *time.Time
	Lane           string // what is in one lane is sent in its order: a case, a document, a member
	Message        WebhookMessage
}

// WebhookBatch is what is due to a webhook. Target is nil where there is nothing to
// send to: it is disabled or deleted.
type WebhookBatch struct {
	Target *WebhookTarget
	Health WebhookHealth
	Due    []DueDelivery // the oldest first
	Next   *time.Time    // where nothing is due: when there is, nil where nothing is pending
}

// DeliveryResult is what an attempt came to, to be kept with its delivery.
type DeliveryResult struct {
	DueDelivery
	WebhookAttempt
	At     time.Time // the attempt's end
	Jitter float64   // between 0 and 1
}
