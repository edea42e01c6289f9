package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/lib/pq"

	"handover/offboarding"
)

const (
	emailPrefix = "email:"

	findMemberBy = `SELECT ` + memberColumns + ` FROM members m WHERE `

	findMemberByID       = findMemberBy + `m.id = $1::uuid`
	findMemberByEmail    = findMemberBy + `lower(m.email) = lower($1)`
	findMemberByExternal = findMemberBy + `m.external_id = $1`
)

// FindMember finds a member by ID, "external:<external id>", "email:<address>",
// or any of the three without its prefix. organizations are slugs or IDs, none for
// all. A reference that fits members of several organizations is refused with
// ambiguous_member, one that fits nobody with member_not_found.
func (s *Store) FindMember(ctx context.Context, ref string, organizations ...string) (offboarding.Member, error) {
	ref = strings.TrimSpace(ref)
	var found []offboarding.Member
	err := s.inTx(ctx, "look up a member", func(t *tx) error {
		for _, try := range memberQueries(ref) {
			look, query := t.look, try.query
			if query == findMemberByEmail {
				look, query = t.lookUnique, query+` AND `+s.called(`ARRAY[$1]`)
			}
			if err := look(&found, query, "m.organization_id", try.value, organizations); err != nil || len(found) > 0 {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return offboarding.Member{}, err
	case len(found) == 0:
		return offboarding.Member{}, offboarding.Refuse("E1", offboarding.CodeMemberNotFound, "member_id", "there is no such member")
	case len(found) > 1:
		return offboarding.Member{}, offboarding.Refuse("E1", offboarding.CodeAmbiguousMember, "member_id",
			"members of several organizations go by that name; name the organization, or use the member's ID")
	}
	return found[0], nil
}

type lookup struct{ query, value string }

// anywhere is whether a lookup is not narrowed.
func anywhere(organizations []string) bool {
	return len(organizations) == 0 || len(organizations) == 1 && organizations[0] == ""
}

// narrowed narrows a query with one parameter to organizations, by slug or ID, where
// there are any; column is the query's. Each form is a statement of its own, so
// that the planner sees no dead branch, and organizations are found before what is in
// them, so that it goes by the indexes that begin with them.
func narrowed(query, column string, value any, organizations []string) (text string, args []any) {
	if anywhere(organizations) {
		return query, []any{value}
	}
	ids := slices.DeleteFunc(slices.Clone(organizations), func(o string) bool { return !isID(o) })
	return query + ` AND ` + column + ` = ANY (ARRAY(SELECT id FROM organizations WHERE slug = ANY ($2)
		UNION SELECT id FROM organizations WHERE id = ANY ($3::uuid[])))`, []any{value, pq.Array(organizations), uuidArray(ids)}
}

// look runs a lookup within organizations. Two rows tell that a reference is
// ambiguous.
func (t *tx) look(dest any, query, column string, value any, organizations []string) error {
	query, args := narrowed(query, column, value, organizations)
	return t.list(dest, query+` LIMIT 2`, args...)
}

// lookUnique is look by what is unique within an organization, and has no index but one
// that begins with it.
func (t *tx) lookUnique(dest any, query, column string, value any, organizations []string) error {
	if anywhere(organizations) {
		query += ` AND ` + column + ` = ANY (ARRAY(SELECT id FROM organizations))`
	}
	return t.look(dest, query, column, value, organizations)
}

// memberQueries are the ways to read a reference, the likeliest first.
func memberQueries(ref string) []lookup {
	if external, ok := strings.CutPrefix(ref, externalPrefix); ok {
		return []lookup{{findMemberByExternal, external}}
	}
	if email, ok := strings.CutPrefix(ref, emailPrefix); ok {
		return []lookup{{findMemberByEmail, email}}
	}
	external := lookup{findMemberByExternal, ref}
	switch {
	case isID(ref):
		return []lookup{{findMemberByID, ref}, external}
	case strings.Contains(ref, "@"):
		return []lookup{{findMemberByEmail, ref}, external}
	}
	return []lookup{external}
}

const (
	findDocumentBy = `SELECT d.id, d.organization_id, d.external_id, d.title, d.kind, d.access, d.owner_id, coalesce(d.workspace_id::text, '') AS workspace_id,
	m.display_name AS owner_name, m.status AS owner_status
	FROM documents d JOIN members m ON m.id = d.owner_id WHERE `

	findDocumentByID       = findDocumentBy + `d.id = $1::uuid`
	findDocumentByExternal = findDocumentBy + `d.external_id = $1`
)

// FindDocument finds a document by ID or external ID, with or without the prefix
// "external:". organizations are slugs or IDs, none for all. One that does not
// exist is refused as one that is out of reach: no_access.
func (s *Store) FindDocument(ctx context.Context, ref string, organizations ...string) (offboarding.DocumentRow, error) {
	external, prefixed := strings.CutPrefix(strings.TrimSpace(ref), externalPrefix)
	var found []offboarding.DocumentRow
	err := s.inTx(ctx, "look up a document", func(t *tx) error {
		if isID(external) && !prefixed {
			if err := t.look(&found, findDocumentByID, "d.organization_id", external, organizations); err != nil || len(found) > 0 {
				return err
			}
		}
		return t.lookUnique(&found, findDocumentByExternal, "d.organization_id", external, organizations)
	})
	switch {
	case err != nil:
		return offboarding.DocumentRow{}, err
	case len(found) == 0:
		return offboarding.DocumentRow{}, noDocument()
	case len(found) > 1:
		return offboarding.DocumentRow{}, offboarding.Refuse("", offboarding.CodeInvalidArgument, "document_id",
			"documents of several organizations have that external ID; name the organization, or use the document's ID")
	}
	return found[0], nil
}

func noDocument() error {
	return offboarding.Refuse("C2", offboarding.CodeNoAccess, "document_id", "there is no such document in reach")
}

const (
	findWorkspaceBy = `SELECT w.id, w.organization_id, w.external_id, w.name FROM workspaces w WHERE w.deleted_at IS NULL AND `

	findWorkspaceByID       = findWorkspaceBy + `w.id = $1::uuid`
	findWorkspaceByExternal = findWorkspaceBy + `w.external_id = $1`
)

// FindWorkspace finds a workspace by ID or external ID, with or without the prefix
// "external:". organizations are slugs or IDs, none for all.
func (s *Store) FindWorkspace(ctx context.Context, ref string, organizations ...string) (offboarding.Workspace, error) {
	external := strings.TrimPrefix(strings.TrimSpace(ref), externalPrefix)
	var found []offboarding.Workspace
	err := s.inTx(ctx, "look up a workspace", func(t *tx) error {
		if isID(external) {
			if err := t.look(&found, findWorkspaceByID, "w.organization_id", external, organizations); err != nil || len(found) > 0 {
				return err
			}
		}
		return t.lookUnique(&found, findWorkspaceByExternal, "w.organization_id", external, organizations)
	})
	switch {
	case err != nil:
		return offboarding.Workspace{}, err
	case len(found) == 0:
		return offboarding.Workspace{}, offboarding.Refuse("W1", offboarding.CodeWorkspaceNotFound, "workspace_id", "there is no such workspace")
	case len(found) > 1:
		return offboarding.Workspace{}, offboarding.Refuse("W1", offboarding.CodeInvalidArgument, "workspace_id",
			"workspaces of several organizations have that external ID; name the organization, or use the workspace's ID")
	}
	return found[0], nil
}

// Organization finds an organization by slug or ID; "" is the only one there is.
func (s *Store) Organization(ctx context.Context, ref string) (offboarding.Organization, error) {
	const (
		findOnly = `SELECT id FROM organizations LIMIT 2`
		find     = `SELECT id FROM organizations WHERE slug = $1 UNION SELECT id FROM organizations WHERE id = $2::uuid LIMIT 2`
	)
	query, args := find, []any{ref, idOrNull(ref)}
	if ref == "" {
		query, args = findOnly, nil
	}
	var o offboarding.Organization
	err := s.inTx(ctx, "look up an organization", func(t *tx) error {
		var ids []string
		if err := t.list(&ids, query, args...); err != nil {
			return err
		}
		if len(ids) != 1 {
			message := "there is no such organization"
			if len(ids) > 1 {
				message = "there are several organizations; name one"
			}
			return offboarding.Refuse("", offboarding.CodeInvalidArgument, "organization", message)
		}
		var err error
		o, err = t.organization(ids[0])
		return err
	})
	return o, err
}
