package postgres

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"handover/offboarding"
)

const (
	selectFolderByName   = `SELECT id FROM folders WHERE organization_id = $1 AND owner_id = $2 AND parent_id IS NULL AND name = $3`
	selectFolderByLeaver = `SELECT id FROM folders WHERE organization_id = $1 AND owner_id = $2 AND leaver_id = $3`
	selectFolderBySource = `SELECT id FROM folders WHERE organization_id = $1 AND owner_id = $2 AND source_id = $3`
	lockFolderName       = `SELECT name FROM folders WHERE id = $1 FOR SHARE`
	insertFolder         = `INSERT INTO folders (id, organization_id, owner_id, parent_id, name, leaver_id, source_id, created_at)
	VALUES ($1, $2, $3, nullif($4, '')::uuid, $5, nullif($6, '')::uuid, nullif($7, '')::uuid, $8)
	ON CONFLICT DO NOTHING`
	// The personal folders of a leaver that lead to the given ones, the outermost
	// first: whoever makes likenesses of them makes them in this order.
	selectFolderPaths = `WITH RECURSIVE path AS (
		SELECT id AS start, id, parent_id, name, 0 AS height FROM folders WHERE id = ANY ($1::uuid[]) AND owner_id = $2
		UNION ALL
		SELECT p.start, f.id, f.parent_id, f.name, p.height + 1 FROM folders f JOIN path p ON f.id = p.parent_id WHERE f.owner_id = $2),
	placed AS (SELECT id, parent_id, name, max(height) OVER (PARTITION BY start) - height AS depth FROM path)
	SELECT DISTINCT depth, id, coalesce(parent_id::text, '') AS parent_id, name FROM placed ORDER BY depth, id`
)

// home makes ready the new owner's My Documents / Archived Users / <leaver> for
// documents of the leaver (rule D1, seed 000) and returns the last folder's ID.
// folders are the leaver's own folders that hold some of the documents: each
// gets its likeness inside, so that paths are kept; they are found again by
// their source.
func (t *tx) home(c *caseRow, newOwner string, folders []string, at time.Time) (string, error) {
	var leaf string
	found, err := t.find(&leaf, selectFolderByLeaver, c.OrganizationID, newOwner, c.MemberID)
	if err == nil && !found {
		leaf, err = t.leaf(c, newOwner, at)
	}
	if err != nil || len(folders) == 0 {
		return leaf, err
	}
	var path []struct {
		Depth    int    `db:"depth"`
		ID       string `db:"id"`
		ParentID string `db:"parent_id"`
		Name     string `db:"name"`
	}
	if err := t.list(&path, selectFolderPaths, uuidArray(folders), c.MemberID); err != nil {
		return "", err
	}
	likeness := map[string]string{"": leaf}
	for _, f := range path {
		parent, ok := likeness[f.ParentID]
		if !ok {
			parent = leaf
		}
		if likeness[f.ID], err = t.folder(c, newOwner, parent, f.Name, folderKey{source: f.ID}, at); err != nil {
			return "", err
		}
	}
	return leaf, nil
}

// leaf makes the new owner's My Documents / Archived Users / <leaver>.
func (t *tx) leaf(c *caseRow, newOwner string, at time.Time) (string, error) {
	archived, err := t.folder(c, newOwner, "", offboarding.ArchivedUsersFolder, folderKey{}, at)
	if err != nil {
		return "", err
	}
	var leaver string
	if err := t.get(&leaver, `SELECT display_name FROM members WHERE id = $1`, c.MemberID); err != nil {
		return "", err
	}
	return t.folder(c, newOwner, archived, leaver, folderKey{leaver: c.MemberID}, at)
}

// folderKey says by what a folder is found again: the leaver or the folder that
// it stands for, else its name.
type folderKey struct{ leaver, source string }

// folder finds or makes a personal folder. A name that another folder has gets
// a number: two leavers of one name get two folders (rule D1). A likeness has the name
// that its source has when it is made: a deletion may be giving it another one.
func (t *tx) folder(c *caseRow, owner, parent, name string, key folderKey, at time.Time) (string, error) {
	query, arg := selectFolderByName, name
	switch {
	case key.leaver != "":
		query, arg = selectFolderByLeaver, key.leaver
	case key.source != "":
		query, arg = selectFolderBySource, key.source
	}
	for n := 1; ; n++ {
		var id string
		if found, err := t.find(&id, query, c.OrganizationID, owner, arg); err != nil || found {
			return id, err
		}
		if n == 1 && key.source != "" {
			if err := t.get(&name, lockFolderName, key.source); err != nil {
				return "", err
			}
		}
		numbered := name
		if n > 1 {
			numbered = fmt.Sprintf("%s (%d)", name, n)
		}
		id = uuid.Must(uuid.NewV7()).String()
		made, err := t.exec(insertFolder, id, c.OrganizationID, owner, parent, numbered, key.leaver, key.source, at)
		if err == nil && made == 1 {
			err = t.audit(c, at, change{
				event: offboarding.EventCreateFolder, kind: offboarding.SubjectFolder, subject: id,
				after: state{"owner_id": owner, "parent_id": orNull(parent), "leaver_id": orNull(key.leaver), "source_id": orNull(key.source)},
			})
		}
		if err != nil || made == 1 {
			return id, err
		}
	}
}
