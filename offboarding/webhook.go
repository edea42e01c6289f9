package offboarding

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WebhookStatus says whether an endpoint is sent anything.
type WebhookStatus string

// The statuses of a webhook.
const (
	WebhookActive   WebhookStatus = "active"
	WebhookDisabled WebhookStatus = "disabled" // what is pending waits until it is active again; nothing new is kept for it
)

// Why a webhook was disabled by itself; "" is by an admin.
const (
	DisabledGone    = "gone"    // it answered 410
	DisabledFailing = "failing" // nothing that was sent arrived for DeliverFor
)

// MaxWebhooks is how many an organization may have.
const MaxWebhooks = 20

// SecretOverlap is how long the secret before a roll signs beside the new one.
const SecretOverlap = 24 * time.Hour

// WebhookTest is the type of a test event. It is sent to whom it is asked for,
// whatever events they want.
const WebhookTest = "webhook.test"

// WebhookEvents are the events that a webhook can be told: what happens in a case
// or to a document, holds, and the end of an account. Other events are not sent.
var WebhookEvents = []string{
	EventScheduleOffboarding, EventRescheduleOffboarding, EventCancelOffboarding, EventFailOffboarding, EventChangeNewOwner,
	EventAdvanceOffboarding, EventCompleteOffboarding, EventRevokeCredentials, EventRevokeSessions, EventDeactivateMember,
	EventReactivateMember, EventDeleteMember, EventRemoveFromWorkspace, EventReturnToWorkspace, EventArchiveMember,
	EventTransferDocs, EventClaimDocOwnership, EventReturnDocs, EventArchiveDocs, EventUnarchiveDocs, EventArchiveSchedules,
	EventUnarchiveSchedules, EventPauseSchedules, EventResumeSchedules, EventPlaceLegalHold, EventLiftLegalHold,
	EventMarkDocsReadOnly, EventMarkDocsEditable, EventGrantEdit, EventCreateFolder, EventRequestDocOwnership,
	EventApproveDocOwnership, EventRejectDocOwnership, EventSupersedeDocOwnership, EventWithdrawDocOwnership,
	EventEscalateRequest, EventExtendGrace, EventRemindGraceEnding, EventRepairDrift,
}

// Webhook is an endpoint of an organization. Its secret is not part of it.
type Webhook struct {
	ID             string        `db:"id" json:"webhook_id"`
	OrganizationID string        `db:"organization_id" json:"organization_id"`
	URL            string        `db:"url" json:"url"`
	Description    string        `db:"description" json:"description"`
	Events         []string      `db:"-" json:"events"` // none: all of WebhookEvents
	Status         WebhookStatus `db:"status" json:"status"`
	DisabledReason string        `db:"disabled_reason" json:"disabled_reason,omitempty"` // "" where an admin did it
	CreatedBy      string        `db:"created_by" json:"created_by"`
	CreatedAt      time.Time     `db:"created_at" json:"created_at"`
	// OldSecretUntil is until when the secret before the last roll signs too.
	OldSecretUntil *time.Time `db:"previous_until" json:"old_secret_until,omitempty"`
	WebhookHealth
}

// WebhookChange asks to create a webhook, or to change one; what is nil stays as
// it is, and is empty in a new one.
type WebhookChange struct {
	WebhookID      string
	OrganizationID string // of a new one
	AdminID        string
	Origin         string // rule O1
	URL            *string
	Description    *string
	Events         *[]string
	Status         *WebhookStatus
	SecretRef      string // of a new one: names the secret
	AllowPrivate   bool   // the configuration lets webhooks be plain HTTP and go to private addresses
	At             time.Time
}

// WebhookFacts is what the rules need to know about a webhook.
type WebhookFacts struct {
	Admin    Actor
	Found    bool // it exists in the admin's reach; of a new one, the organization
	Webhook  Webhook
	Webhooks int // that the organization has
}

// JudgeWebhook judges who may create or change a webhook (rule A1) and what it may
// be, and answers with the webhook as it is then.
func JudgeWebhook(c WebhookChange, f WebhookFacts) (Webhook, error) {
	violations := f.judge(c.Origin)
	w := f.Webhook
	created := w.ID == ""
	var form form
	if created {
		w = Webhook{ID: c.WebhookID, OrganizationID: c.OrganizationID, Status: WebhookActive, Events: []string{}, CreatedAt: c.At}
		if f.Admin.Member != nil {
			w.CreatedBy = f.Admin.Member.ID
		}
		if c.URL == nil {
			form.bad("", "url", "url is required")
		}
		if f.Webhooks >= MaxWebhooks {
			violations = append(violations, Violation{
				Code: CodeWebhookLimit, Message: "the organization has " + strconv.Itoa(MaxWebhooks) + " webhooks already",
			})
		}
	}
	if c.URL != nil {
		w.URL = *c.URL
		if reason := checkWebhookURL(w.URL, c.AllowPrivate); reason != "" {
			form.bad("", "url", "url "+reason)
		}
	}
	if c.Description != nil {
		w.Description = *c.Description
		form.text("description", w.Description)
	}
	if c.Events != nil {
		w.Events = append([]string{}, *c.Events...)
		slices.Sort(w.Events)
		w.Events = slices.Compact(w.Events)
		for i, event := range *c.Events {
			if !slices.Contains(WebhookEvents, event) {
				form.bad("", "events["+strconv.Itoa(i)+"]", "there is no such event to be told of")
			}
		}
	}
	if c.Status != nil {
		switch *c.Status {
		case WebhookActive:
			w.DisabledReason, w.WebhookHealth = "", WebhookHealth{}
		case WebhookDisabled:
		default:
			form.bad("", "status", "status must be active or disabled")
		}
		w.Status = *c.Status
	}
	return w, RefusalOf(append(violations, form...))
}

// JudgeWebhookUse judges who may delete, roll, test or look into a webhook (rule A1);
// live asks that it be active, as it must to be sent anything.
func JudgeWebhookUse(f WebhookFacts, origin string, live bool) error {
	violations := f.judge(origin)
	if live && f.Found && f.Webhook.Status != WebhookActive {
		violations = append(violations, Violation{Code: CodeWebhookDisabled, Message: "the webhook is disabled; make it active first"})
	}
	return RefusalOf(violations)
}

// judge says whether the admin may do anything about the webhook.
func (f WebhookFacts) judge(origin string) []Violation {
	if !f.Found || f.Admin.Reach == ReachNone {
		return []Violation{{Code: CodeWebhookNotFound, Message: "there is no such webhook in reach"}}
	}
	violations := JudgeAdmin(f.Admin)
	for i := range violations {
		violations[i].Field = ""
	}
	return append(violations, CheckOrigin(origin)...)
}

const maxURL = 2000

// checkWebhookURL says what is wrong with where a webhook is to be sent. Names are
// judged here as far as their text says it, and at each connection by what they
// stand for then.
func checkWebhookURL(text string, allowPrivate bool) string {
	if reason := checkText(text, maxURL); reason != "" {
		return reason
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "is not a URL such as https://hooks.example.com/handover"
	case u.Scheme != "https" && (u.Scheme != "http" || !allowPrivate):
		return "must begin with https://"
	case u.User != nil:
		return "must not hold a name or password; the signature says who sends"
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return "must not have a fragment"
	case !allowPrivate && privateHost(u.Hostname()):
		return "must name a host that the whole internet can reach"
	}
	return ""
}

// privateHost reports whether a host's text alone says that it is not of the
// internet.
func privateHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if address, err := netip.ParseAddr(host); err == nil {
		return !PublicAddress(address)
	}
	if !strings.Contains(host, ".") {
		return true
	}
	for _, suffix := range []string{".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".lan", ".intranet", ".corp"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// notPublic are the networks inside of unicast that are not the internet, as IANA's
// registries of special-purpose addresses have them, and what leads into others.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", // Teredo, documentation, 6to4, AS112
)

// unicast is all of IPv6 that is given out: not loopback, link-local, unique local
// (fc00::/7), multicast, NAT64 (64:ff9b::/96), or IPv4 written as IPv6.
var unicast = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// PublicAddress reports whether an address is one of the internet: what is private,
// local, shared, reserved or multicast is not, nor is what leads there.
func PublicAddress(address netip.Addr) bool {
	if !address.IsValid() || address.Zone() != "" {
		return false
	}
	address = address.Unmap() // ::ffff:10.0.0.1 connects to 10.0.0.1
	if address.Is6() && !unicast.Contains(address) {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(address) })
}
