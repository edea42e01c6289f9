// Package testdb gives each test a migrated database of its own.
//
// One throw-away server runs per test process (or the one of DATABASE_URL, whose
// role must be allowed to create databases and roles). The migrations run once, into
// a template that PostgreSQL copies; a test that fails leaves its copy on a given
// server for a look at it.
package testdb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq" // and the driver "postgres"
	"github.com/peterldowns/pgtestdb"

	"handover/internal/pgserver"
	"handover/schema"
)

// maxConns bounds a test's pool, so that many tests at once fit into the server.
const maxConns = 10

// Main runs the package's tests and stops the server that they made start:
//
//	func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }
//
// It returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintf(os.Stderr, "stop the test PostgreSQL: %v\n", err)
		return max(code, 1)
	}
	return code
}

// The server starts with the first test that wants one: a run of tests that need
// none is not made to wait. It dies with the process where Main is forgotten.
var (
	mu     sync.Mutex
	server *pgserver.Server
)

func start() (*pgserver.Server, error) {
	mu.Lock()
	defer mu.Unlock()
	if server != nil {
		return server, nil
	}
	s, err := pgserver.Start(context.Background(), pgserver.Options{})
	if err != nil {
		return nil, err
	}
	server = s
	return s, nil
}

func stop() error {
	mu.Lock()
	defer mu.Unlock()
	if server == nil {
		return nil
	}
	return server.Stop()
}

// New is a connection pool on a new migrated database. The test's end closes it and
// drops the database.
func New(t testing.TB) *sqlx.DB {
	t.Helper()
	return Open(t, URL(t))
}

// Open is a connection pool on a database of URL. The test's end closes it.
func Open(t testing.TB, database string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Open("postgres", database)
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the test database: %v", err)
		}
	})
	return db
}

// URL is the lib/pq connection URL of a new migrated database, for a test that
// connects by itself. The test's end drops the database.
func URL(t testing.TB) string {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatalf("start the test PostgreSQL: %v", err)
	}
	conf, err := parse(s.URL())
	if err != nil {
		t.Fatalf("the test PostgreSQL: %v", err)
	}
	return pgtestdb.Custom(t, conf, migrator{}).URL()
}

// AppURL is the connection URL of a role as worker and server have it in production: it
// may add to the audit and not change it, and has no DDL. owner is what URL gave.
func AppURL(t testing.TB, owner string) string {
	t.Helper()
	role, password := Role(t, owner)
	db, err := sqlx.Open("postgres", owner)
	if err == nil {
		err = errors.Join(schema.Grant(t.Context(), db.DB, role), db.Close())
	}
	if err != nil {
		t.Fatalf("grant to the test's role: %v", err)
	}
	return as(t, owner, url.UserPassword(role, password))
}

// Server is a connection pool as the server has it in production for those who are known,
// on a database of New: its role has a wall before it (fixture.Behind).
func Server(t testing.TB, db *sqlx.DB) *sqlx.DB {
	t.Helper()
	var name string
	if err := db.GetContext(t.Context(), &name, `SELECT current_database()`); err != nil {
		t.Fatalf("which test database is it: %v", err)
	}
	u := own(t)
	u.Path = "/" + name
	return Open(t, walled(t, db, u.String()))
}

// ServerURL is the same for a database of URL, for a test that connects by itself.
func ServerURL(t testing.TB, owner string) string {
	t.Helper()
	db, err := sqlx.Open("postgres", owner)
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	defer func() { _ = db.Close() }()
	return walled(t, db, owner)
}

func walled(t testing.TB, db *sqlx.DB, database string) string {
	t.Helper()
	role, password := Role(t, database)
	if err := schema.GrantServer(t.Context(), db.DB, role); err != nil {
		t.Fatalf("build a wall before the test's role: %v", err)
	}
	return as(t, database, url.UserPassword(role, password))
}

// Role is a new role, which may do nothing. The test's end drops it.
func Role(t testing.TB, owner string) (role, password string) {
	t.Helper()
	db, err := sqlx.Open("postgres", AdminURL(t, owner))
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	role, password = "handover_"+strings.ToLower(rand.Text()), rand.Text()
	if _, err := db.ExecContext(t.Context(), `CREATE ROLE `+role+` LOGIN PASSWORD `+pq.QuoteLiteral(password)); err != nil {
		t.Fatalf("make the test's role: %v", err)
	}
	t.Cleanup(func() {
		drop := func() error {
			_, err := db.ExecContext(context.WithoutCancel(t.Context()), `DROP OWNED BY `+role+`; DROP ROLE `+role)
			return err
		}
		err := drop()
		for failed := new(pq.Error); errors.As(err, &failed) && failed.Code == "40P01"; { // a worker of the test still works on what has policies of the role
			err = drop()
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Errorf("drop the test's role: %v", err)
		}
	})
	return role, password
}

// AdminURL is the connection URL of the server's own role for a database of URL.
func AdminURL(t testing.TB, owner string) string {
	t.Helper()
	return as(t, owner, own(t).User)
}

// own is the connection URL of the server's own role.
func own(t testing.TB) *url.URL {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatalf("start the test PostgreSQL: %v", err)
	}
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal("the URL of the test PostgreSQL cannot be read")
	}
	return u
}

// as is a connection URL with another role.
func as(t testing.TB, address string, who *url.Userinfo) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the URL of the test database cannot be read")
	}
	u.User = who
	return u.String()
}

func parse(dsn string) (pgtestdb.Config, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" || u.User == nil {
		// Not the parser's error: it would repeat the password.
		return pgtestdb.Config{}, errors.New("want a DATABASE_URL like postgres://user:password@host:5432/database")
	}
	port := u.Port()
	if port == "" {
		port = "5432"
	}
	password, _ := u.User.Password()
	return pgtestdb.Config{
		DriverName: "postgres",
		Host:       u.Hostname(),
		Port:       port,
		User:       u.User.Username(),
		Password:   url.QueryEscape(password),
		Database:   u.EscapedPath()[min(1, len(u.EscapedPath())):],
		Options:    u.RawQuery,
		// A worker or a failing test may be slow to let go.
		ForceTerminateConnections: true,
	}, nil
}

// migrator brings the template up with the project's migrations.
type migrator struct{}

// Hash names the template by the migrations' content, so that a template on a given
// server is used again until they change.
func (migrator) Hash() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(schema.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := schema.FS.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:16]), err
}

// Migrate runs the migrations.
func (migrator) Migrate(ctx context.Context, db *sql.DB, _ pgtestdb.Config) error {
	_, err := schema.Migrate(ctx, db)
	return err
}
