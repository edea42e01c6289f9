package offboarding

import (
	"strings"
	"time"
)

// Group is a workspace as the identity provider sees it.
type Group struct {
	ID         string
	Name       string
	ProviderID string // externalId: what the provider knows the workspace by, "" for nothing
	MemberIDs  []string
	Members    []GroupMember // where they were asked for
	CreatedAt  time.Time
	UpdatedAt  time.Time // the latest change by the provider
}

// GroupMember is somebody who belongs to a workspace.
type GroupMember struct {
	ID   string `db:"id"`
	Name string `db:"display_name"`
}

// PendingMember is somebody whose place in a workspace is left to a case: to one
// that removes them, as they own documents there, or to the open one under
// WorkflowID, which has removed them and brings them back (rule W1).
type PendingMember struct {
	MemberID   string `db:"member_id"`
	WorkflowID string `db:"workflow_id"`
}

// maxGroup is how many members a provider's group may have.
const maxGroup = 100_000

// CheckGroup judges what can be seen in a group alone.
func CheckGroup(g Group) []Violation {
	var f form
	if strings.TrimSpace(g.Name) == "" {
		f.bad("", "displayName", "displayName is required")
	}
	for _, field := range [][2]string{{"displayName", g.Name}, {"externalId", g.ProviderID}} {
		if reason := checkText(field[1], maxField); reason != "" {
			f.bad("", field[0], field[0]+" "+reason)
		}
	}
	if len(g.MemberIDs) > maxGroup {
		f.bad("", "members", "the group has too many members")
	}
	return f
}
