package offboarding

// RequestStatus is the state of an ownership request.
type RequestStatus string

// The states of an ownership request.
const (
	RequestPending    RequestStatus = "pending"
	RequestApproved   RequestStatus = "approved"
	RequestRejected   RequestStatus = "rejected"
	RequestSuperseded RequestStatus = "superseded"
	RequestWithdrawn  RequestStatus = "withdrawn"
)
