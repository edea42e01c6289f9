package problem

import (
	"net/http"

	"handover/offboarding"
)

// The codes of HTTP, beside those of the rules.
const (
	CodeUnauthenticated  offboarding.Code = "unauthenticated"
	CodeInvalidRequest   offboarding.Code = "invalid_request" // a revoked credential, an inactive member (seed 000)
	CodeNotFound         offboarding.Code = "not_found"
	CodeMethodNotAllowed offboarding.Code = "method_not_allowed"
	CodeKeyReused        offboarding.Code = "idempotency_key_reused"
	CodeKeyInUse         offboarding.Code = "idempotency_key_in_use"
	CodeTooLarge         offboarding.Code = "payload_too_large"
	CodeMediaType        offboarding.Code = "unsupported_media_type"
	CodeNotAcceptable    offboarding.Code = "not_acceptable"
	CodeRateLimited      offboarding.Code = "rate_limited"
	CodeCrossOrigin      offboarding.Code = "cross_origin"
	CodeInternal         offboarding.Code = "internal"
)

// Meaning is what a code comes to over HTTP.
type Meaning struct {
	Code   offboarding.Code
	Number int    // errorCode (seed 003): stable, never used for another code
	Status int    // of the answer
	Title  string // the same for every occurrence
}

// Meanings lists every code. A number is never changed or given to another code;
// new codes get new numbers.
var Meanings = []Meaning{
	{offboarding.CodeInvalidArgument, 1001, http.StatusBadRequest, "A field is malformed or missing"},
	{CodeInvalidRequest, 1002, http.StatusUnauthorized, "The credential or its member is no longer active"},
	{CodeUnauthenticated, 1003, http.StatusUnauthorized, "Nobody is signed in"},
	{offboarding.CodeNotAuthorized, 1004, http.StatusForbidden, "The caller may not do this"},
	{CodeNotFound, 1005, http.StatusNotFound, "There is no such thing in reach"},
	{CodeMethodNotAllowed, 1006, http.StatusMethodNotAllowed, "The method is not allowed here"},
	{CodeKeyReused, 1007, http.StatusUnprocessableEntity, "The idempotency key belongs to another request"},
	{CodeKeyInUse, 1008, http.StatusConflict, "The request with this idempotency key is still being answered"},
	{CodeTooLarge, 1009, http.StatusRequestEntityTooLarge, "The body is too large"},
	{CodeMediaType, 1010, http.StatusUnsupportedMediaType, "The media type is not supported"},
	{CodeNotAcceptable, 1011, http.StatusNotAcceptable, "No acceptable media type"},
	{CodeRateLimited, 1012, http.StatusTooManyRequests, "Too many requests"},
	{CodeInternal, 1013, http.StatusInternalServerError, "It failed inside"},
	{CodeCrossOrigin, 1101, http.StatusForbidden, "Another site has sent the request"},
	{offboarding.CodeCredentialNotFound, 1102, http.StatusNotFound, "There is no such credential in reach"},
	{offboarding.CodeNotSigned, 1103, http.StatusServiceUnavailable, "The workers hear only what is signed"},
	{offboarding.CodeTryAgain, 1014, http.StatusServiceUnavailable, "Nothing was decided; try again"},

	{offboarding.CodeMemberNotFound, 2001, http.StatusNotFound, "There is no such member in reach"},
	{offboarding.CodeAmbiguousMember, 2002, http.StatusConflict, "Several members go by that name"},
	{offboarding.CodeAlreadyInactive, 2003, http.StatusConflict, "The member is not active"},
	{offboarding.CodeAlreadyActive, 2004, http.StatusConflict, "The member is active"},
	{offboarding.CodeLastOwner, 2005, http.StatusConflict, "The last active owner stays"},
	{offboarding.CodeSelfOffboarding, 2006, http.StatusForbidden, "Nobody acts on their own account"},
	{offboarding.CodeISPDomain, 2007, http.StatusConflict, "The address is on an ISP domain"},
	{offboarding.CodeDomainNotAssociated, 2008, http.StatusConflict, "The address is on no domain of the organization"},
	{offboarding.CodeExternallyManaged, 2009, http.StatusConflict, "The identity provider manages the member"},
	{offboarding.CodeIDPAuthentication, 2010, http.StatusConflict, "An identity provider authenticates the organization"},
	{offboarding.CodeSeatLimitExceeded, 2011, http.StatusConflict, "No seat is free"},
	{offboarding.CodeWorkspaceNotFound, 2012, http.StatusNotFound, "There is no such workspace in reach"},
	{offboarding.CodeAlreadyExists, 2014, http.StatusConflict, "Another one has that name"},
	{offboarding.CodeNotInWorkspace, 2013, http.StatusConflict, "The member is not in the workspace"},

	{offboarding.CodeNewOwnerNotEligible, 3001, http.StatusConflict, "The new owner is not eligible"},
	{offboarding.CodeMemberStillActive, 3002, http.StatusConflict, "The member is still active"},
	{offboarding.CodeNotEligibleToClaim, 3003, http.StatusForbidden, "The member may not claim"},
	{offboarding.CodeAlreadyOwned, 3004, http.StatusConflict, "The document has an active owner"},
	{offboarding.CodeNoAccess, 3005, http.StatusNotFound, "There is no such document in reach"},
	{offboarding.CodeAlreadyRequested, 3006, http.StatusConflict, "The member has asked already"},
	{offboarding.CodeRequestNotPending, 3007, http.StatusConflict, "The request is not pending"},
	{offboarding.CodeLegalHold, 3008, http.StatusConflict, "A legal hold forbids it"},
	{offboarding.CodeHoldNotFound, 3009, http.StatusNotFound, "There is no such legal hold in reach"},

	{offboarding.CodeCaseNotFound, 4001, http.StatusNotFound, "There is no such case in reach"},
	{offboarding.CodeWrongPhase, 4002, http.StatusConflict, "The case's phase does not allow it"},
	{offboarding.CodeBulkLimitExceeded, 4003, http.StatusConflict, "The list is longer than may go unconfirmed"},

	{offboarding.CodeWebhookNotFound, 5001, http.StatusNotFound, "There is no such webhook in reach"},
	{offboarding.CodeWebhookDisabled, 5002, http.StatusConflict, "The webhook is disabled"},
	{offboarding.CodeWebhookLimit, 5003, http.StatusConflict, "The organization has as many webhooks as it may"},
	{offboarding.CodeWebhooksOff, 5004, http.StatusConflict, "Webhooks are switched off"},
	{offboarding.CodeDeliveryNotFound, 5005, http.StatusNotFound, "There is no such delivery"},
}

// MeaningOf is what a code comes to; one that is not listed is internal.
func MeaningOf(code offboarding.Code) Meaning {
	for _, m := range Meanings {
		if m.Code == code {
			return m
		}
	}
	return MeaningOf(CodeInternal)
}
