package offboarding

import (
	"encoding/json"
	"time"
)

// The audit events, in the style of seed 002. Every change of state writes
// exactly one, in the same transaction.
const (
	EventScheduleOffboarding   = "ScheduleOffboarding"
	EventRescheduleOffboarding = "RescheduleOffboarding"
	EventCancelOffboarding     = "CancelOffboarding"
	EventFailOffboarding       = "FailOffboarding"
	EventChangeNewOwner        = "ChangeNewOwner"        // the plan fell back to the manager or to retain
	EventAdvanceOffboarding    = "AdvanceOffboarding"    // the case entered another phase
	EventCompleteOffboarding   = "CompleteOffboarding"   // nothing is unowned any more
	EventCreateCredential      = "CreateCredential"      //
	EventRevokeCredentials     = "RevokeCredentials"     // one per credential
	EventSignIn                = "SignIn"                // one per session
	EventSignOut               = "SignOut"               // a session was ended by its member
	EventRevokeSessions        = "RevokeSessions"        // one per session
	EventDeactivateMember      = "DeactivateMember"      //
	EventReactivateMember      = "ReactivateMember"      //
	EventDeleteMember          = "DeleteMember"          // for good (rule X1)
	EventRemoveFromWorkspace   = "RemoveFromWorkspace"   // rule W1
	EventReturnToWorkspace     = "ReturnToWorkspace"     // the removal was undone
	EventArchiveMember         = "ArchiveMember"         // some time after the deactivation
	EventTransferDocs          = "TransferDocs"          // one per document; by disposition, admin or approval
	EventClaimDocOwnership     = "ClaimDocOwnership"     //
	EventReturnDocs            = "ReturnDocs"            // one per document given back at reactivation
	EventArchiveDocs           = "ArchiveDocs"           // one per document
	EventUnarchiveDocs         = "UnarchiveDocs"         // one per document
	EventArchiveSchedules      = "ArchiveSchedules"      // one per schedule
	EventUnarchiveSchedules    = "UnarchiveSchedules"    // one per schedule
	EventPauseSchedules        = "PauseSchedules"        // one per schedule of a document that became read-only
	EventResumeSchedules       = "ResumeSchedules"       // one per schedule
	EventPlaceLegalHold        = "PlaceLegalHold"        //
	EventLiftLegalHold         = "LiftLegalHold"         //
	EventMarkDocsReadOnly      = "MarkDocsReadOnly"      // one per document
	EventMarkDocsEditable      = "MarkDocsEditable"      // one per document
	EventGrantEdit             = "GrantEdit"             // one per document, to a reactivated member
	EventCreateFolder          = "CreateFolder"          // one per folder made for a leaver's documents (rule D1)
	EventRequestDocOwnership   = "RequestDocOwnership"   //
	EventApproveDocOwnership   = "ApproveDocOwnership"   // the request; the document's event is TransferDocs
	EventRejectDocOwnership    = "RejectDocOwnership"    //
	EventSupersedeDocOwnership = "SupersedeDocOwnership" // the document found another owner
	EventWithdrawDocOwnership  = "WithdrawDocOwnership"  // the requester left, or the leaver came back
	EventEscalateRequest       = "EscalateRequest"       // one per request that nobody decided: it went to the owners
	EventExtendGrace           = "ExtendGrace"           //
	EventRemindGraceEnding     = "RemindGraceEnding"     // one per reminder
	EventStartBulk             = "StartBulk"             // one per run
	EventCancelBulk            = "CancelBulk"            // one per run
	EventCompleteBulk          = "CompleteBulk"          // one per run
	EventImportOrganization    = "ImportOrganization"    // one per import
	EventChangeSettings        = "ChangeSettings"        // one per setting that changed
	EventCreateMember          = "CreateMember"          // by the identity provider, as those that follow
	EventUpdateMember          = "UpdateMember"          //
	EventCreateWorkspace       = "CreateWorkspace"       //
	EventUpdateWorkspace       = "UpdateWorkspace"       //
	EventDeleteWorkspace       = "DeleteWorkspace"       //
	EventAddToWorkspace        = "AddToWorkspace"        // one per member
	EventCreateScimToken       = "CreateScimToken"       //
	EventRevokeScimToken       = "RevokeScimToken"       //
	EventCreateWebhook         = "CreateWebhook"         //
	EventUpdateWebhook         = "UpdateWebhook"         // by an admin, or disabled by itself
	EventDeleteWebhook         = "DeleteWebhook"         //
	EventRollWebhookSecret     = "RollWebhookSecret"     //
	EventTestWebhook           = "TestWebhook"           // what a test event is made of
	EventRedeliverWebhook      = "RedeliverWebhook"      // one delivery is to be sent again
	EventRepairDrift           = "RepairDrift"           // one per drift that starter doctor mends
)

// AuditEvents lists the names of all events, in the order of their declaration.
var AuditEvents = []string{
	EventScheduleOffboarding, EventRescheduleOffboarding, EventCancelOffboarding, EventFailOffboarding, EventChangeNewOwner,
	EventAdvanceOffboarding, EventCompleteOffboarding, EventCreateCredential, EventRevokeCredentials, EventSignIn, EventSignOut,
	EventRevokeSessions, EventDeactivateMember, EventReactivateMember, EventDeleteMember, EventRemoveFromWorkspace,
	EventReturnToWorkspace, EventArchiveMember, EventTransferDocs, EventClaimDocOwnership, EventReturnDocs, EventArchiveDocs,
	EventUnarchiveDocs, EventArchiveSchedules, EventUnarchiveSchedules, EventPauseSchedules, EventResumeSchedules, EventPlaceLegalHold,
	EventLiftLegalHold, EventMarkDocsReadOnly, EventMarkDocsEditable, EventGrantEdit, EventCreateFolder, EventRequestDocOwnership,
	EventApproveDocOwnership, EventRejectDocOwnership, EventSupersedeDocOwnership, EventWithdrawDocOwnership, EventEscalateRequest,
	EventExtendGrace, EventRemindGraceEnding, EventStartBulk, EventCancelBulk, EventCompleteBulk, EventImportOrganization,
	EventChangeSettings, EventCreateMember, EventUpdateMember, EventCreateWorkspace, EventUpdateWorkspace, EventDeleteWorkspace,
	EventAddToWorkspace, EventCreateScimToken, EventRevokeScimToken, EventCreateWebhook, EventUpdateWebhook, EventDeleteWebhook,
	EventRollWebhookSecret, EventTestWebhook, EventRedeliverWebhook, EventRepairDrift,
}

// Subject is the kind of thing that an audit event changed.
type Subject string

// The subjects.
const (
	SubjectOrganization Subject = "organization"
	SubjectCase         Subject = "case"
	SubjectMember       Subject = "member"
	SubjectDocument     Subject = "document"
	SubjectFolder       Subject = "folder"
	SubjectSchedule     Subject = "schedule"
	SubjectCredential   Subject = "credential"
	SubjectSession      Subject = "session"
	SubjectRequest      Subject = "request"
	SubjectGrant        Subject = "grant"
	SubjectBulk         Subject = "bulk"
	SubjectWorkspace    Subject = "workspace"
	SubjectHold         Subject = "legal_hold"
	SubjectScimToken    Subject = "scim_token"
	SubjectWebhook      Subject = "webhook"
)

// AuditEvent is one row of the audit: who changed what from which state to
// which, when, and in which case. Rows are never changed or deleted, but for texts
// about a member who is deleted (rule X1).
type AuditEvent struct {
	ID             int64           `db:"id" json:"id"`
	OrganizationID string          `db:"organization_id" json:"organization_id"`
	Event          string          `db:"event" json:"event"`
	ActorID        string          `db:"actor_id" json:"actor_id,omitempty"`
	Origin         string          `db:"origin" json:"origin,omitempty"`
	MemberID       string          `db:"member_id" json:"member_id,omitempty"` // the leaver, else the member concerned
	DocumentID     string          `db:"document_id" json:"document_id,omitempty"`
	CaseID         string          `db:"case_id" json:"case_id,omitempty"`
	SubjectKind    Subject         `db:"subject_kind" json:"subject_kind"`
	SubjectID      string          `db:"subject_id" json:"subject_id"`
	Before         json.RawMessage `db:"before" json:"before"`
	After          json.RawMessage `db:"after" json:"after"`
	At             time.Time       `db:"at" json:"at"`
}
