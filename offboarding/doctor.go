package offboarding

import "time"

// Drift is what should not be between Temporal, the database and the audit: left by
// a restored backup, a workflow that was terminated, or somebody who went past the rules.
// Its check says what it is and how it is mended.
type Drift string

// The drifts, as Checks has them.
const (
	DriftNoWorker              Drift = "no_worker"
	DriftCaseWithoutWorkflow   Drift = "case_without_workflow"
	DriftSettlingWithout       Drift = "reactivation_without_workflow"
	DriftWorkflowAhead         Drift = "workflow_ahead_of_case"
	DriftWorkflowBehind        Drift = "workflow_behind_case"
	DriftCaseUnknown           Drift = "workflow_without_case"
	DriftCaseClosed            Drift = "workflow_of_closed_case"
	DriftNoAnswer              Drift = "workflow_does_not_answer"
	DriftStuck                 Drift = "case_is_stuck"
	DriftStaleTrouble          Drift = "trouble_that_is_over"
	DriftBulkWithoutWorkflow   Drift = "bulk_without_workflow"
	DriftBulkUnknown           Drift = "bulk_that_was_lost"
	DriftArchivalMissing       Drift = "archival_without_workflow"
	DriftDeletionUndone        Drift = "deletion_undone"
	DriftDeletionBrokenOff     Drift = "deletion_broken_off"
	DriftWebhookBehind         Drift = "webhook_behind"
	DriftLiveAccess            Drift = "live_access_of_inactive"
	DriftStillActive           Drift = "leaver_still_active"
	DriftStillInWorkspace      Drift = "leaver_still_in_workspace"
	DriftPendingRequests       Drift = "requests_of_closed_case"
	DriftLockedWrongly         Drift = "document_locked_wrongly"
	DriftNotLocked             Drift = "document_not_locked"
	DriftPausedWrongly         Drift = "schedule_paused_wrongly"
	DriftDocumentsWithoutCase  Drift = "documents_without_case"
	DriftInactiveWithDocuments Drift = "inactive_without_case"
	DriftDuplicateCases        Drift = "duplicate_open_cases"
	DriftUntouchedDuplicate    Drift = "duplicate_scheduled_case"
	DriftGuards                Drift = "guard_missing"
	DriftInvariant             Drift = "invariant_broken"
)

// Check is what can be known of a drift before it is looked for.
type Check struct {
	Drift Drift  `json:"check"`
	Wrong string `json:"wrong"` // what is wrong, for a person
	Mend  string `json:"mend"`  // how it is mended, or what a person does
	Human bool   `json:"human"` // nothing is done by itself
}

// Checks are all checks of starter doctor, in the order in which they are made.
// docs/operations.md has them as a table.
var Checks = []Check{
	{DriftNoWorker, "no worker asks for the work of cases", "start one; what workflows know cannot be compared until then", true},
	{
		DriftCaseWithoutWorkflow, "a case is open and no workflow runs it: terminated, failed, or lost with Temporal",
		"a workflow is started under the case's ID, and takes the case over as the database has it", false,
	},
	{
		DriftSettlingWithout, "a member is active again and nothing settles the documents",
		"the reactivation is started again, and finishes what is left", false,
	},
	{
		DriftWorkflowAhead, "a workflow is further than its case, or has ended: the database is older than Temporal",
		"the workflow is set back to its beginning: it goes on where the database is, and is told its messages again", false,
	},
	{
		DriftWorkflowBehind, "a case is further than its workflow, or has other times: Temporal is older than the database",
		"another workflow takes the case over as the database has it, in the place of this one", false,
	},
	{
		DriftCaseUnknown, "a workflow runs, or has completed, whose case the database does not know",
		"the workflow is set back to its beginning: the start is judged again, and opens the case", false,
	},
	{DriftCaseClosed, "a workflow runs though its case has closed", "the workflow is terminated", false},
	{DriftNoAnswer, "a workflow runs and does not answer", "read the worker's log; a workflow that an older build cannot replay needs the newer one", true},
	{DriftStuck, "a step of a case fails again and again", "mend what the error names; the case then goes on by itself", true},
	{DriftStaleTrouble, "a case is shown as stuck and is not", "the trouble is taken off the lists", false},
	{
		DriftBulkWithoutWorkflow, "a list of leavers has not come to its end and no workflow works on it",
		"its workflow is started again, and goes on with the rows that are left", false,
	},
	{
		DriftBulkUnknown, "a list of leavers is unknown to the database, or less far than its workflow",
		"its workflow is set back to its beginning, and goes on where the database is", false,
	},
	{
		DriftArchivalMissing, "a leaver whom Entra manages waits to be archived, and no workflow does it",
		"the workflow is started for the same time", false,
	},
	{
		DriftDeletionUndone, "a member was deleted and is in the database again",
		"unless they are back on purpose, `starter doctor --repair --check deletion_undone`: the deletion is done again", true,
	},
	{DriftDeletionBrokenOff, "a deletion was terminated before its end", "`starter delete` again, unless somebody wanted it to stop", true},
	{DriftWebhookBehind, "messages to a webhook are due and nobody sends them", "its workflow is woken", false},
	{
		DriftLiveAccess, "a member who is not active has a live credential or session",
		"it is revoked", false,
	},
	{
		DriftStillActive, "a member is active though their case has deactivated them",
		"what is live is revoked and the member made inactive, since when the case says", false,
	},
	{DriftStillInWorkspace, "a member belongs to a workspace that their case has removed them from", "they are taken out of it", false},
	{DriftPendingRequests, "requests wait in a case that has closed", "they are superseded, or withdrawn where the leaver has come back", false},
	{
		DriftLockedWrongly, "a document is read-only though its owner is active, or its case is not",
		"it is editable again", false,
	},
	{DriftNotLocked, "a document can be edited though the grace of its owner's case has ended", "it becomes read-only", false},
	{DriftPausedWrongly, "a schedule is paused though its document is not read-only", "it goes on", false},
	{
		DriftDocumentsWithoutCase, "a member who has left owns documents, and the case has completed",
		"the case is opened again in read_only, until the documents have owners", false,
	},
	{
		DriftInactiveWithDocuments, "a member who is not active owns documents, and no case has made them inactive",
		"reactivate them and offboard them", true,
	},
	{DriftUntouchedDuplicate, "a member has two open cases, one of which has done nothing yet", "that one is canceled", false},
	{DriftDuplicateCases, "a member has two open cases, and both have begun", "decide which is right, and close the other by hand", true},
	{DriftGuards, "a trigger of the schema is switched off, or a unique index is missing or invalid", "enable or rebuild it; `starter migrate` into an empty database has all of them", true},
	{DriftInvariant, "a promise is broken that no other check explains", "look at what is named, and at the audit about it", true},
}

// CheckOf is the check of a drift.
func CheckOf(d Drift) Check {
	for _, c := range Checks {
		if c.Drift == d {
			return c
		}
	}
	return Check{Drift: d}
}

// Finding is one drift that was found: IDs and words of the domain only.
type Finding struct {
	Drift          Drift  `db:"-" json:"check"`
	OrganizationID string `db:"organization_id" json:"organization_id,omitempty"`
	MemberID       string `db:"member_id" json:"member_id,omitempty"`
	CaseID         string `db:"case_id" json:"case_id,omitempty"`
	DocumentID     string `db:"document_id" json:"document_id,omitempty"`
	WorkflowID     string `db:"-" json:"workflow_id,omitempty"`
	Detail         string `db:"detail" json:"detail,omitempty"` // such as "grace, and the workflow completed"
	Mended         bool   `db:"-" json:"mended"`
	Error          string `db:"-" json:"error,omitempty"` // why it could not be mended
}

// Subject is what a finding is about, in the audit.
func (f Finding) Subject() (Subject, string) {
	switch {
	case f.DocumentID != "":
		return SubjectDocument, f.DocumentID
	case f.CaseID != "":
		return SubjectCase, f.CaseID
	case f.MemberID != "":
		return SubjectMember, f.MemberID
	}
	return SubjectOrganization, f.OrganizationID
}

// DoctorOrigin is the origin of what starter doctor does (rule O1).
const DoctorOrigin = "SCRIPT,Handover,doctor"

// Repair is who mends a drift, and when.
type Repair struct {
	ActorID string
	At      time.Time
}

// OpenCase is an open case as the doctor compares it with its workflow.
type OpenCase struct {
	Case
	Reactivation string `db:"reactivation"` // JSON, "" for none
	Awaited      bool   `db:"awaited"`      // a list of leavers has opened it, and is to start its workflow
}
