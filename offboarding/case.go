package offboarding

import "time"

// Phase is where a case stands.
type Phase string

// The phases, in the order in which a case passes them; the last three are
// other ends than completed.
const (
	PhaseScheduled    Phase = "scheduled"
	PhaseRevoking     Phase = "revoking"
	PhaseDeactivated  Phase = "deactivated"
	PhaseTransferring Phase = "transferring"
	PhaseGrace        Phase = "grace"
	PhaseReadOnly     Phase = "read_only"
	PhaseCompleted    Phase = "completed"
	PhaseCanceled     Phase = "canceled"
	PhaseReactivated  Phase = "reactivated"
	PhaseFailed       Phase = "failed"
)

// Phases lists every phase.
var Phases = []Phase{
	PhaseScheduled, PhaseRevoking, PhaseDeactivated, PhaseTransferring, PhaseGrace, PhaseReadOnly,
	PhaseCompleted, PhaseCanceled, PhaseReactivated, PhaseFailed,
}

// Closed reports whether a case in this phase has ended.
func (p Phase) Closed() bool {
	switch p {
	case PhaseCompleted, PhaseCanceled, PhaseReactivated, PhaseFailed:
		return true
	}
	return false
}

// Disposition says what happens to the leaver's documents.
type Disposition string

// The dispositions.
const (
	DispositionTransfer Disposition = "transfer"
	DispositionArchive  Disposition = "archive"
	DispositionRetain   Disposition = "retain"
)

// Dispositions lists every disposition.
var Dispositions = []Disposition{DispositionTransfer, DispositionArchive, DispositionRetain}

// NewOwnerManager is the new_owner_id that means the leaver's manager (rule N2).
const NewOwnerManager = "manager"

// Plan is what a case will do, every reference resolved to an ID.
type Plan struct {
	Disposition      Disposition   `json:"disposition"`
	NewOwnerID       string        `json:"new_owner_id,omitempty"`
	ArchiveSchedules bool          `json:"archive_schedules,omitempty"`
	EffectiveAt      time.Time     `json:"effective_at"`
	GracePeriod      time.Duration `json:"grace_period_ns"`
	// FallbackReason says why the documents go elsewhere than asked, "" when they do not.
	FallbackReason string `json:"fallback_reason,omitempty"`
}

// Case is one offboarding of one member, as lists show it.
type Case struct {
	ID             string      `db:"id" json:"case_id"`
	WorkflowID     string      `db:"workflow_id" json:"workflow_id"`
	OrganizationID string      `db:"organization_id" json:"organization_id"`
	WorkspaceID    string      `db:"workspace_id" json:"workspace_id,omitempty"` // of a removal (rule W1)
	MemberID       string      `db:"member_id" json:"member_id"`
	RequestedBy    string      `db:"requested_by" json:"requested_by"`
	Provider       string      `db:"provider" json:"provider,omitempty"` // on whose behalf, "" for a person's
	Origin         string      `db:"origin" json:"origin,omitempty"`
	Phase          Phase       `db:"phase" json:"phase"`
	Disposition    Disposition `db:"disposition" json:"disposition"`
	NewOwnerID     string      `db:"new_owner_id" json:"new_owner_id,omitempty"`
	FallbackReason string      `db:"fallback_reason" json:"fallback_reason,omitempty"`
	EffectiveAt    time.Time   `db:"effective_at" json:"effective_at"`
	SessionsEndAt  *time.Time  `db:"sessions_end_at" json:"sessions_end_at,omitempty"` // until when the deactivation waits for SSO sessions
	DeactivatedAt  *time.Time  `db:"deactivated_at" json:"deactivated_at,omitempty"`
	GraceEndsAt    *time.Time  `db:"grace_ends_at" json:"grace_ends_at,omitempty"`
	ClosedAt       *time.Time  `db:"closed_at" json:"closed_at,omitempty"`
	TroubleStep    string      `db:"trouble_step" json:"trouble_step,omitempty"`
	TroubleAttempt int         `db:"trouble_attempt" json:"trouble_attempt,omitempty"`
	TroubleError   string      `db:"trouble_error" json:"trouble_error,omitempty"`
}
