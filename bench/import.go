package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jmoiron/sqlx"

	"handover/offboarding"
	"handover/postgres"
)

// importSize is what an imported organization is made of.
type importSize struct{ members, documents, folders int }

func (s importSize) rows() int { return s.members + 2*s.documents + s.folders }

// imports: an organization from its files, read, checked and loaded, beside a COPY of the
// same rows into the same tables with all their indexes, keys and triggers.
func (b *bench) imports(ctx context.Context) (err error) {
	s, rounds := importSize{members: 30_000, documents: 90_000, folders: 300}, scaled(b.scale, 2, 2, 3)
	if b.scale == quick {
		s = importSize{members: 3_000, documents: 9_000, folders: 50}
	}
	dir, err := os.MkdirTemp("", "handover-bench-import-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // the database's user writes there
		return err
	}
	if err := s.write(dir); err != nil {
		return err
	}
	store, _, closeStore, err := b.database(ctx, "imported")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	if err := load(ctx, store, dir); err != nil {
		return err
	}
	files, err := export(ctx, store.DB(), dir)
	if err != nil {
		return err
	}
	fresh := func(do func(*postgres.Store) error) func(int) (float64, error) {
		return func(int) (seconds float64, err error) {
			store, _, closeStore, err := b.database(ctx, "import_round")
			if err != nil {
				return 0, err
			}
			defer func() { err = errors.Join(err, closeStore()) }()
			if _, err := store.DB().ExecContext(ctx, `CHECKPOINT`); err != nil {
				return 0, err
			}
			seconds, err = timed(func() error { return do(store) })
			b.say("  %d rows: %.3f s", s.rows(), seconds)
			return seconds, err
		}
	}
	ours, bare, err := alternate(rounds,
		fresh(func(store *postgres.Store) error { return load(ctx, store, dir) }),
		fresh(func(store *postgres.Store) error { return copyFrom(ctx, store.DB(), files) }))
	if err != nil {
		return err
	}
	b.row(fmt.Sprintf("%d rows", s.rows()), fmt.Sprintf("%.2f s", ours), fmt.Sprintf("%.2f s", bare), fmt.Sprintf("%.2f", ours/bare),
		"files read, checked and loaded; COPY by the server from files of its own, the same rows, indexes, keys and triggers")
	b.result("import_vs_copy", ours/bare)
	b.result("import_rows_per_second", float64(s.rows())/ours)
	return b.invariants(ctx, store)
}

// write writes the organization's files.
func (s importSize) write(dir string) error {
	const organization = `{"slug": "acme", "name": "Acme", "domains": ["acme.example"], "seat_limit": 0, "claim_policy": "self_serve", "identity_provider": "none"}`
	if err := os.WriteFile(filepath.Join(dir, offboarding.OrganizationFile), []byte(organization), 0o600); err != nil {
		return err
	}
	folder := func(i int) string { return fmt.Sprintf("Team %d/Folder %d", i%(s.folders/10)+1, i%s.folders+1) }
	for _, f := range []struct {
		name, header string
		n            int
		row          func(i int) string
	}{
		{offboarding.MembersFile, "external_id,email,display_name,role,account_type,manager_external_id,managed_by", s.members, func(i int) string {
			role, manager := "contributor", external(i/20)
			if i == 0 {
				role, manager = "owner", ""
			}
			return fmt.Sprintf("%s,%[1]s@acme.example,Member %[1]s,%s,maker,%s,", external(i), role, manager)
		}},
		{offboarding.FoldersFile, "path,kind", s.folders, func(i int) string { return folder(i) + ",shared" }},
		{offboarding.DocumentsFile, "external_id,title,kind,folder_path,owner_external_id", s.documents, func(i int) string {
			path := ""
			if i%2 == 0 {
				path = folder(i / 2)
			}
			return fmt.Sprintf("d%d,Document %[1]d,document,%s,%s", i, path, external(i%s.members))
		}},
		{offboarding.GrantsFile, "document_external_id,member_external_id,level", s.documents, func(i int) string {
			return fmt.Sprintf("d%d,%s,edit", i, external((i+1)%s.members))
		}},
		{offboarding.SchedulesFile, "document_external_id,kind,cron", 0, nil},
		{offboarding.CredentialsFile, "member_external_id,kind,name", 0, nil},
	} {
		if err := writeRows(filepath.Join(dir, f.name), f.header, f.n, f.row); err != nil {
			return err
		}
	}
	return nil
}

func writeRows(path, header string, n int, row func(i int) string) (err error) {
	f, err := os.Create(path) //nolint:gosec // a path of our own
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	_, _ = fmt.Fprintln(w, header) // what goes wrong is told by Flush
	for i := range n {
		_, _ = fmt.Fprintln(w, row(i))
	}
	return w.Flush()
}

// load is what starter import does.
func load(ctx context.Context, store *postgres.Store, dir string) error {
	in, err := offboarding.ReadImport(os.DirFS(dir))
	if err != nil {
		return err
	}
	_, err = store.Import(ctx, in, time.Now().UTC(), nil)
	return err
}

// copied are the tables that an import fills, in the order of their keys.
var copied = []string{"organizations", "members", "folders", "documents", "grants", "audit_events"}

// export writes what an import has loaded into a file for each table.
func export(ctx context.Context, db *sqlx.DB, dir string) (files []string, err error) {
	for _, table := range copied {
		file := filepath.Join(dir, table+".copy")
		if _, err := db.ExecContext(ctx, "COPY "+table+" TO '"+file+"'"); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// copyFrom loads the files in one transaction; the server itself reads them.
func copyFrom(ctx context.Context, db *sqlx.DB, files []string) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit this does nothing
	for i, table := range copied {
		if _, err := tx.ExecContext(ctx, "COPY "+table+" FROM '"+files[i]+"'"); err != nil {
			return err
		}
	}
	return tx.Commit()
}
