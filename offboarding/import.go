package offboarding

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Import is an organization as its files describe it. Rows refer to each other
// by external ID and by folder path; every reference of an Import that
// ReadImport returns leads somewhere.
type Import struct {
	Organization Organization // without IDs
	// ParentSlug is the slug of the organization above, "" for none; whether there
	// is one is seen in the database.
	ParentSlug                  string
	ProvisioningAdminExternalID string // "" for none
	Members                     []ImportMember
	Folders                     []ImportFolder
	Documents                   []ImportDocument
	Grants                      []ImportGrant
	Schedules                   []ImportSchedule
	Credentials                 []ImportCredential
	Workspaces                  []ImportWorkspace
	WorkspaceMembers            []ImportWorkspaceMember
}

// ImportMember is a row of members.csv. Every member arrives active.
type ImportMember struct {
	ExternalID        string
	Email             string
	DisplayName       string
	Role              Role
	AccountType       AccountType
	ManagerExternalID string // "" for none
	ManagedBy         string // identity provider, "" for none
	TimeZone          string // IANA name, "" for the organization's
}

// ImportFolder is a row of folders.csv: a shared folder.
type ImportFolder struct {
	Path string // names joined by "/"; those in between need no row
}

// ImportDocument is a row of documents.csv.
type ImportDocument struct {
	ExternalID      string
	Title           string
	Kind            string
	FolderPath      string // "" is the owner's My Documents
	OwnerExternalID string // a maker

	WorkspaceExternalID string // "" for none
}

// ImportWorkspace is a row of workspaces.csv.
type ImportWorkspace struct {
	ExternalID string
	Name       string
}

// ImportWorkspaceMember is a row of workspace_members.csv.
type ImportWorkspaceMember struct {
	WorkspaceExternalID string
	MemberExternalID    string
	Role                WorkspaceRole
}

// ImportGrant is a row of grants.csv.
type ImportGrant struct {
	DocumentExternalID string
	MemberExternalID   string
	Level              GrantLevel
	LastEditedAt       time.Time // when the member last edited the document; zero where nobody knows
}

// ImportSchedule is a row of schedules.csv.
type ImportSchedule struct {
	DocumentExternalID string
	Kind               string
	Cron               string
}

// ImportCredential is a row of credentials.csv.
type ImportCredential struct {
	MemberExternalID string
	Kind             string
	Name             string
}

// ImportSummary says what an import loaded.
type ImportSummary struct {
	OrganizationID string `json:"organization_id"`
	Members        int    `json:"members"`
	Folders        int    `json:"folders"` // those in between included
	Documents      int    `json:"documents"`
	Grants         int    `json:"grants"`
	Schedules      int    `json:"schedules"`
	Credentials    int    `json:"credentials"`
	Workspaces     int    `json:"workspaces"`
}

// The files of an organization. An import does not read LeaversFile.
const (
	OrganizationFile = "organization.json"
	MembersFile      = "members.csv"
	FoldersFile      = "folders.csv"
	DocumentsFile    = "documents.csv"
	GrantsFile       = "grants.csv"
	SchedulesFile    = "schedules.csv"
	CredentialsFile  = "credentials.csv"
	LeaversFile      = "leavers.csv"

	WorkspacesFile       = "workspaces.csv"
	WorkspaceMembersFile = "workspace_members.csv"
)

// importFiles is the order in which the files are read, so that what a row
// refers to has been read before it, and in which their errors are listed.
var importFiles = []string{
	OrganizationFile, MembersFile, WorkspacesFile, WorkspaceMembersFile, FoldersFile, DocumentsFile, GrantsFile, SchedulesFile,
	CredentialsFile,
}

// optionalFiles may be missing: not every organization has workspaces.
var optionalFiles = []string{WorkspacesFile, WorkspaceMembersFile}

// RowError is what is wrong with one row of a file.
type RowError struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`  // of the file, from 1; 0 is the file as a whole
	Field  string `json:"field,omitempty"` // column or key, "" is the row as a whole
	Reason string `json:"reason"`
	Name   string `json:"-"` // what the row names in the column that rows are known by, "" where that cannot be told
}

// Error is the error as file:line: field: reason.
func (e RowError) Error() string {
	text := e.File
	if e.Line > 0 {
		text = fmt.Sprintf("%s:%d", text, e.Line)
	}
	if e.Field != "" {
		text += ": " + e.Field
	}
	return text + ": " + e.Reason
}

// ImportError is everything that is wrong with the files of an organization.
type ImportError struct {
	Rows []RowError `json:"rows"`
}

// Error lists every error, each on its own line.
func (e *ImportError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "nothing was imported, errors in the files: %d", len(e.Rows))
	for _, row := range e.Rows {
		text.WriteString("\n  " + row.Error())
	}
	return text.String()
}

// ReadImport reads an organization from its files and checks every row. Its
// error is an *ImportError that lists all that is wrong.
func ReadImport(dir fs.FS) (Import, error) {
	i := newImporter()
	readers := map[string]func(file string, f fs.File){
		OrganizationFile: i.readOrganization, MembersFile: i.readMembers, FoldersFile: i.readFolders,
		DocumentsFile: i.readDocuments, GrantsFile: i.readGrants, SchedulesFile: i.readSchedules,
		CredentialsFile: i.readCredentials, WorkspacesFile: i.readWorkspaces, WorkspaceMembersFile: i.readWorkspaceMembers,
	}
	for _, file := range importFiles {
		f, err := dir.Open(file)
		if errors.Is(err, fs.ErrNotExist) && slices.Contains(optionalFiles, file) {
			i.known[file] = true // it has no rows
			continue
		}
		if err != nil {
			i.fail(file, 0, "", openReason(err))
			continue
		}
		readers[file](file, f)
		_ = f.Close() // it was only read
	}
	i.checkSeats()
	if len(i.errs) == 0 {
		return i.in, nil
	}
	slices.SortStableFunc(i.errs, func(a, b RowError) int {
		return cmp.Or(cmp.Compare(slices.Index(importFiles, a.File), slices.Index(importFiles, b.File)), cmp.Compare(a.Line, b.Line))
	})
	return Import{}, &ImportError{Rows: i.errs}
}

func openReason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "the file is missing"
	}
	return fmt.Sprintf("the file cannot be read: %v", err)
}
