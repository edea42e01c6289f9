package offboarding

import (
	"errors"
	"slices"
	"strings"
)

// Code is the stable name of the reason why a request was refused. Codes are
// part of the contract: they travel as the type of a Temporal application
// error, in HTTP answers and in the command line's JSON.
type Code string

// The codes of the rules.
const (
	CodeNotAuthorized       Code = "not_authorized"          // A1, A2
	CodeLastOwner           Code = "last_owner"              // A3
	CodeSelfOffboarding     Code = "self_offboarding"        // A4
	CodeMemberNotFound      Code = "member_not_found"        // E1
	CodeAlreadyInactive     Code = "already_inactive"        // E2
	CodeISPDomain           Code = "isp_domain"              // E3
	CodeDomainNotAssociated Code = "domain_not_associated"   // E4
	CodeExternallyManaged   Code = "externally_managed"      // E5
	CodeNewOwnerNotEligible Code = "new_owner_not_eligible"  // N1
	CodeInvalidArgument     Code = "invalid_argument"        // L1, D3, O1 and every malformed field
	CodeMemberStillActive   Code = "member_still_active"     // T1
	CodeNotEligibleToClaim  Code = "not_eligible_to_claim"   // C1
	CodeAlreadyOwned        Code = "already_owned"           // C1, C2, T1
	CodeNoAccess            Code = "no_access"               // C2
	CodeAlreadyRequested    Code = "already_requested"       // C2
	CodeRequestNotPending   Code = "request_not_pending"     // C3
	CodeBulkLimitExceeded   Code = "bulk_limit_exceeded"     // B1
	CodeSeatLimitExceeded   Code = "seat_limit_exceeded"     // R1
	CodeIDPAuthentication   Code = "idp_authentication"      // R2
	CodeAlreadyExists       Code = "already_exists"          // a member or group under a name that another has
	CodeAlreadyActive       Code = "already_active"          // a reactivation of a member who is active
	CodeWorkspaceNotFound   Code = "workspace_not_found"     // W1
	CodeNotInWorkspace      Code = "not_in_workspace"        // W1
	CodeLegalHold           Code = "legal_hold"              // H1
	CodeHoldNotFound        Code = "hold_not_found"          // H1
	CodeNotSigned           Code = "not_signed"              // no key that the workers know has signed it, or it came before
	CodeWrongPhase          Code = "wrong_phase"             // a message that the case's phase does not allow
	CodeTryAgain            Code = "temporarily_unavailable" // nothing was decided; the caller may send it again
	CodeCaseNotFound        Code = "case_not_found"          // no case under that name, in the caller's reach
	CodeWebhookNotFound     Code = "webhook_not_found"       // no such webhook, in the caller's reach
	CodeWebhookDisabled     Code = "webhook_disabled"        // a disabled webhook is sent nothing
	CodeWebhookLimit        Code = "webhook_limit_exceeded"  // MaxWebhooks
	CodeWebhooksOff         Code = "webhooks_off"            // the configuration has no key to sign with
	CodeDeliveryNotFound    Code = "delivery_not_found"      // no such delivery of the webhook
	CodeAmbiguousMember     Code = "ambiguous_member"        // an external ID that more than one organization uses
	CodeCredentialNotFound  Code = "credential_not_found"    // no credential under that client ID, in the caller's reach
)

// Violation is one rule that one field of a request breaks.
type Violation struct {
	Rule    string `json:"rule,omitempty"`  // number of the rule, as in docs/rules.md
	Code    Code   `json:"code"`            // stable reason
	Field   string `json:"field,omitempty"` // field of the request at fault, in snake_case
	Message string `json:"message"`         // one sentence for a person, free of personal data
}

// Refusal is the error of a request that breaks one or more rules. A refused
// request changed nothing.
type Refusal struct {
	Violations []Violation `json:"violations"`
}

// Refuse returns a refusal with a single violation.
func Refuse(rule string, code Code, field, message string) *Refusal {
	return &Refusal{Violations: []Violation{{Rule: rule, Code: code, Field: field, Message: message}}}
}

// RefusalOf returns a refusal made of the violations, or nil when there are none.
func RefusalOf(violations []Violation) error {
	if len(violations) == 0 {
		return nil
	}
	return &Refusal{Violations: violations}
}

// Error lists every violation, the first one's code in front.
func (r *Refusal) Error() string {
	messages := make([]string, len(r.Violations))
	for i, v := range r.Violations {
		messages[i] = string(v.Code) + ": " + v.Message
	}
	return strings.Join(messages, "; ")
}

// Code is the code of the first violation, the one a caller who can show only
// one should show.
func (r *Refusal) Code() Code {
	if len(r.Violations) == 0 {
		return CodeInvalidArgument
	}
	return r.Violations[0].Code
}

// Has reports whether one of the violations has the code.
func (r *Refusal) Has(code Code) bool {
	for _, v := range r.Violations {
		if v.Code == code {
			return true
		}
	}
	return false
}

// Codes are the codes of all violations, each once.
func (r *Refusal) Codes() []Code {
	var codes []Code
	for _, v := range r.Violations {
		if !slices.Contains(codes, v.Code) {
			codes = append(codes, v.Code)
		}
	}
	return codes
}

// CodeOf returns the code of a refusal anywhere in the chain of err, or "" when
// err is not a refusal.
func CodeOf(err error) Code {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Code()
	}
	return ""
}
