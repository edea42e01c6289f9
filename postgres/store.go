// Package postgres keeps Handover's state in PostgreSQL, with sqlx and lib/pq.
// Every method of Store is one transaction, every statement is prepared once per
// connection, and every time comes from the caller.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Store implements activities.Store and what the command line reads.
type Store struct {
	db         *sqlx.DB
	mu         sync.RWMutex
	statements map[string]*sqlx.Stmt // by the query's text; nil while it is being prepared
	batchSize  int                   // documents a sweep changes in one transaction
	claims     turns                 // by the document
	walled     bool                  // it is behind the wall
}

// DefaultBatchSize is how many documents a sweep changes in one transaction at the most:
// a sweep that knows how long they take takes fewer, so that nobody waits long for a row.
const DefaultBatchSize = 2000

// Open connects to the database that a lib/pq URL names. It does not wait for
// the database; the first statement does.
func Open(url string, maxConnections int) (*Store, error) {
	return OpenBy(sql.OpenDB, url, maxConnections)
}

// OpenBy is Open by another function than sql.OpenDB, such as one that traces.
func OpenBy(open func(driver.Connector) *sql.DB, url string, maxConnections int) (*Store, error) {
	connector, err := pq.NewConnector(url)
	if err != nil {
		return nil, fmt.Errorf("the database URL cannot be read") //nolint:err113 // the driver's text would show the password
	}
	db := sqlx.NewDb(open(uncompiled{connector}), "postgres")
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return New(db), nil
}

// uncompiled connects so that PostgreSQL compiles no statement (jit): it would at each
// execution of one that looks expensive, and take longer than the statement does. It is
// said after the connection is there, for a pooler in between may not know the parameter.
type uncompiled struct{ driver.Connector }

// Connect is one more connection.
func (c uncompiled) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if e, ok := conn.(driver.ExecerContext); ok { // lib/pq's are
		if _, err := e.ExecContext(ctx, "SET jit = off", nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// New returns a store on an open database.
func New(db *sqlx.DB) *Store {
	return &Store{db: db, batchSize: DefaultBatchSize, statements: map[string]*sqlx.Stmt{}}
}

// WithBatchSize returns a store on the same database whose sweeps change so many
// documents in one transaction.
func (s *Store) WithBatchSize(n int) *Store {
	other := New(s.db)
	other.batchSize, other.walled = n, s.walled
	return other
}

// DB is the database, for migrations and checks.
func (s *Store) DB() *sqlx.DB { return s.db }

// Close closes the connections.
func (s *Store) Close() error { return s.db.Close() }

// Ping asks whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return clean("connect", s.db.PingContext(ctx)) }

// find reads one row by a statement that is a transaction of its own; false when there is
// none.
func (s *Store) find(ctx context.Context, dest any, query string, args ...any) (bool, error) {
	s.prepare(ctx, query)
	get := func() error { return s.db.GetContext(ctx, dest, query, args...) }
	if stmt := s.prepared(query); stmt != nil {
		get = func() error { return stmt.GetContext(ctx, dest, args...) }
	}
	err := get()
	if err == sql.ErrNoRows { //nolint:errorlint // database/sql returns it unwrapped
		return false, nil
	}
	return err == nil, err
}

// exec runs a statement that is a transaction of its own and returns how many rows it
// changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int, error) {
	s.prepare(ctx, query)
	run := func() (sql.Result, error) { return s.db.ExecContext(ctx, query, args...) }
	if stmt := s.prepared(query); stmt != nil {
		run = func() (sql.Result, error) { return stmt.ExecContext(ctx, args...) }
	}
	return changed(run())
}

// changed is how many rows a statement changed.
func changed(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// tx is a transaction whose statements are prepared once per connection.
type tx struct {
	*sqlx.Tx
	store *Store
	ctx   context.Context //nolint:containedctx // a tx lives as long as the call that carries the context
	fresh []string        // queries that were used for the first time
}

// begin begins a transaction, behind the wall with what it is about.
func (s *Store) begin(ctx context.Context, options *sql.TxOptions) (*tx, error) {
	raw, err := s.db.BeginTxx(ctx, options)
	if err != nil {
		return nil, err
	}
	t := &tx{Tx: raw, store: s, ctx: ctx}
	if s.walled {
		if err := t.nameOrganizations(); err != nil {
			t.end()
			return nil, err
		}
	}
	return t, nil
}

// end ends a transaction; after a commit it does nothing.
func (t *tx) end() { _ = t.Rollback() }

// inTx runs fn in one transaction and gives back a clean error.
func (s *Store) inTx(ctx context.Context, op string, fn func(*tx) error) error {
	t, err := s.begin(ctx, nil)
	if err != nil {
		return clean(op, err)
	}
	defer t.end() // after a commit this does nothing
	if err := fn(t); err != nil {
		return clean(op, err)
	}
	if err := t.Commit(); err != nil {
		return clean(op, err)
	}
	for _, query := range t.fresh {
		s.prepare(ctx, query)
	}
	return nil
}

// prepare makes a query's statement for all connections, once. It is a help only: where
// it fails, the query is prepared in the next transaction that uses it.
func (s *Store) prepare(ctx context.Context, query string) {
	if s.prepared(query) != nil {
		return
	}
	s.mu.Lock()
	_, ok := s.statements[query]
	if !ok {
		s.statements[query] = nil // whoever comes meanwhile does without
	}
	s.mu.Unlock()
	if ok {
		return
	}
	stmt, err := s.db.PreparexContext(ctx, query) //nolint:sqlclosecheck // lives as long as the store
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.statements, query)
		return
	}
	s.statements[query] = stmt
}

func (s *Store) prepared(query string) *sqlx.Stmt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.statements[query]
}

// stmt is the prepared statement of a query, nil when the query is new. A new one is
// run as it is: to prepare it for all connections takes one more of them, and
// transactions that hold them all would wait for each other.
func (t *tx) stmt(query string) *sqlx.Stmt {
	if stmt := t.store.prepared(query); stmt != nil {
		return t.StmtxContext(t.ctx, stmt)
	}
	t.fresh = append(t.fresh, query)
	return nil
}

// get reads one row into dest; sql.ErrNoRows when there is none.
func (t *tx) get(dest any, query string, args ...any) error {
	if stmt := t.stmt(query); stmt != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return stmt.GetContext(t.ctx, dest, args...)
	}
	return t.GetContext(t.ctx, dest, query, args...)
}

// find is get for a row that may be missing.
func (t *tx) find(dest any, query string, args ...any) (bool, error) {
	err := t.get(dest, query, args...)
	if err == sql.ErrNoRows { //nolint:errorlint // database/sql returns it unwrapped
		return false, nil
	}
	return err == nil, err
}

// list reads all rows into dest.
func (t *tx) list(dest any, query string, args ...any) error {
	if stmt := t.stmt(query); stmt != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return stmt.SelectContext(t.ctx, dest, args...)
	}
	return t.SelectContext(t.ctx, dest, query, args...)
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int, error) {
	run := func() (sql.Result, error) { return t.ExecContext(t.ctx, query, args...) }
	if stmt := t.stmt(query); stmt != nil {
		run = func() (sql.Result, error) { return stmt.ExecContext(t.ctx, args...) }
	}
	return changed(run())
}
