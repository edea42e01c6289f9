package console_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
)

// watched is a way to the database that notes what is asked.
type watched struct {
	driver.Connector
	mu    sync.Mutex
	asked []question
}

// question is a statement with its parameters; begin of a transaction has no text.
type question struct {
	text string
	args []driver.NamedValue
}

func (w *watched) note(text string, args []driver.NamedValue) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, question{text, args})
}

// take gives what was asked since it was taken last.
func (w *watched) take() []question {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = nil
	return asked
}

// Connect is one more connection.
func (w *watched) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := w.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &watchedConn{conn.(driverConn), w}, nil
}

// driverConn is what lib/pq's connections can do that is used here.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.QueryerContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
}

type watchedConn struct {
	driverConn
	w *watched
}

func (c *watchedConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	c.w.note("", nil)
	return c.driverConn.BeginTx(ctx, o)
}

func (c *watchedConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.w.note(text, args)
	return c.driverConn.QueryContext(ctx, text, args)
}

func (c *watchedConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.w.note(text, args)
	return c.driverConn.ExecContext(ctx, text, args)
}

func (c *watchedConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	s, err := c.driverConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &watchedStmt{s.(driverStmt), c.w, text}, nil
}

// driverStmt is what lib/pq's statements can do.
type driverStmt interface {
	driver.Stmt
	driver.StmtQueryContext
	driver.StmtExecContext
}

type watchedStmt struct {
	driverStmt
	w    *watched
	text string
}

func (s *watchedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.w.note(s.text, args)
	return s.driverStmt.QueryContext(ctx, args)
}

func (s *watchedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.w.note(s.text, args)
	return s.driverStmt.ExecContext(ctx, args)
}

// statements counts what was asked, transactions aside.
func statements(asked []question) (n int) {
	for _, q := range asked {
		if q.text != "" {
			n++
		}
	}
	return n
}

// wholly tells, for what was asked, which tables its plans read from end to end: those
// for these parameters and those for any.
func wholly(t testing.TB, db *sqlx.DB, asked []question, tables ...string) (found []string) {
	t.Helper()
	for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
		tx, err := db.Beginx()
		require.NoError(t, err)
		for i, q := range asked {
			switch {
			case q.text == "" || strings.HasPrefix(q.text, "SELECT set_config("):
				if q.text == "" {
					require.NoError(t, tx.Rollback())
					tx, err = db.Beginx()
					require.NoError(t, err)
					q.text = "SET LOCAL plan_cache_mode = " + mode
				}
				_, err = tx.ExecContext(t.Context(), q.text)
				require.NoError(t, err)
				continue
			}
			name := fmt.Sprintf("asked_%d", i)
			_, err = tx.ExecContext(t.Context(), "PREPARE "+name+" AS "+q.text)
			require.NoError(t, err, q.text)
			var plan []byte
			require.NoError(t, tx.Get(&plan, "EXPLAIN (FORMAT JSON) EXECUTE "+name+literals(q.args)), q.text)
			_, err = tx.ExecContext(t.Context(), "DEALLOCATE "+name)
			require.NoError(t, err)
			var nodes []map[string]any
			require.NoError(t, json.Unmarshal(plan, &nodes))
			for _, table := range scanned(nodes[0]) {
				for _, whole := range tables {
					if table == whole {
						found = append(found, fmt.Sprintf("%s (%s): %s", table, mode, q.text))
					}
				}
			}
		}
		require.NoError(t, tx.Rollback())
	}
	return found
}

func literals(args []driver.NamedValue) string {
	if len(args) == 0 {
		return ""
	}
	all := make([]string, len(args))
	for i, a := range args {
		switch v := a.Value.(type) {
		case nil:
			all[i] = "NULL"
		case []byte:
			all[i] = fmt.Sprintf(`'\x%x'`, v)
		default:
			all[i] = literal(v)
		}
	}
	return " (" + strings.Join(all, ", ") + ")"
}

func literal(v any) string {
	if at, ok := v.(interface{ Format(string) string }); ok {
		return pq.QuoteLiteral(at.Format("2006-01-02T15:04:05.999999Z07:00"))
	}
	return pq.QuoteLiteral(fmt.Sprint(v))
}

// scanned are the tables that a plan reads from end to end.
func scanned(node any) (tables []string) {
	switch node := node.(type) {
	case map[string]any:
		if node["Node Type"] == "Seq Scan" {
			tables = append(tables, fmt.Sprint(node["Relation Name"]))
		}
		for _, part := range node {
			tables = append(tables, scanned(part)...)
		}
	case []any:
		for _, part := range node {
			tables = append(tables, scanned(part)...)
		}
	}
	return tables
}

// read is how many rows of the tables and of their indexes were read so far, by
// connections of a pool of one. Indexes of words and of ranges do not count: they find
// places, all at once, and what is read there counts.
func read(t testing.TB, db *sqlx.DB) map[string]int {
	t.Helper()
	_, err := db.ExecContext(t.Context(), `SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()`)
	require.NoError(t, err)
	var rows []struct {
		Table string `db:"relname"`
		N     int    `db:"n"`
	}
	require.NoError(t, db.Select(&rows, `SELECT t.relname, coalesce(t.seq_tup_read, 0) + coalesce(sum(i.idx_tup_read), 0)::bigint AS n
		FROM pg_stat_user_tables t LEFT JOIN (pg_stat_user_indexes i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree')
		USING (relid) GROUP BY t.relid, t.relname, t.seq_tup_read`))
	out := map[string]int{}
	for _, row := range rows {
		out[row.Table] = row.N
	}
	return out
}
