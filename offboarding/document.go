package offboarding

// Access is what a document allows those with a grant.
type Access string

// The states of a document's access.
const (
	AccessEditable Access = "editable"
	AccessReadOnly Access = "read_only"
	AccessArchived Access = "archived"
)

// DocumentKinds are the kinds of documents that can be imported.
var DocumentKinds = []string{"document", "workbook", "data_model", "dataset", "article", "sheet", "doc"}

// GrantLevel is what a member may do with a document; offboarding never removes
// a grant.
type GrantLevel string

// The grant levels; "" is no grant.
const (
	GrantNone GrantLevel = ""
	GrantView GrantLevel = "view"
	GrantEdit GrantLevel = "edit"
)

// ScheduleKinds are the kinds of schedules (seed 000).
var ScheduleKinds = []string{"materialization", "export"}

// CredentialKinds are the kinds of client credentials (seed 000).
var CredentialKinds = []string{"api", "embed"}
