package chaos_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"sync/atomic"
	"syscall"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"

	"handover/offboarding"
)

// A point is where a process can die: a commit of a step, and which side of it. It is
// written "<workflow>/<activity>/<step>/<commit> before" or "after"; a step that commits
// nothing has one, "/0 after": it has been done and Temporal does not know yet.
const (
	before = " before"
	after  = " after"
)

// deaths ends its own process at a point, and tells which points it has come to.
type deaths struct {
	armed atomic.Pointer[string]
	tell  func(point string) // nil for nobody
}

func (d *deaths) arm(point string) { d.armed.Store(&point) }

// at is called at each point.
func (d *deaths) at(point string) {
	if d.tell != nil {
		d.tell(point)
	}
	if armed := d.armed.Load(); armed != nil && *armed == point {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // of itself: it cannot be refused
		select {}                                      // nothing is done any more, not even in the moment until then
	}
}

// execution is one run of an activity.
type execution struct {
	name    string
	commits atomic.Int32
	deaths  *deaths
}

type executionKey struct{}

// commits is called when something is about to be committed; what it returns, afterwards.
func commits(ctx context.Context) (done func(error)) {
	e, ok := ctx.Value(executionKey{}).(*execution)
	if !ok {
		return func(error) {} // nobody's step
	}
	point := fmt.Sprintf("%s/%d", e.name, e.commits.Add(1))
	e.deaths.at(point + before)
	return func(err error) {
		if err == nil {
			e.deaths.at(point + after)
		}
	}
}

// mortal are the interceptors of a worker that knows which step it does.
type mortal struct {
	interceptor.WorkerInterceptorBase
	deaths *deaths
}

func (m *mortal) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &mortalActivity{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, deaths: m.deaths}
}

type mortalActivity struct {
	interceptor.ActivityInboundInterceptorBase
	deaths *deaths
}

func (m *mortalActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	e := &execution{name: info.WorkflowType.Name + "/" + info.ActivityType.Name, deaths: m.deaths}
	if step := stepOf(in.Args); step != "" {
		e.name += "/" + step
	}
	out, err := m.Next.ExecuteActivity(context.WithValue(ctx, executionKey{}, e), in)
	if err == nil && e.commits.Load() == 0 {
		e.deaths.at(e.name + "/0" + after)
	}
	return out, err
}

var (
	ids      = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	messages = regexp.MustCompile(`update/message-\d+`)
	runs     = regexp.MustCompile(`/[0-9a-f]{8}/`) // of a case that is taken over
	times    = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)`)
)

// stepOf is the name of the step in an activity's input, without the IDs and times in it.
func stepOf(args []any) string {
	if len(args) == 0 {
		return ""
	}
	in := reflect.Indirect(reflect.ValueOf(args[0]))
	step, ok := in.Interface().(offboarding.Step)
	if !ok && in.Kind() == reflect.Struct {
		if f := in.FieldByName("Step"); f.IsValid() {
			step, _ = f.Interface().(offboarding.Step)
		}
	}
	name := messages.ReplaceAllString(step.Name, "update/MESSAGE")
	return runs.ReplaceAllString(times.ReplaceAllString(ids.ReplaceAllString(name, "ID"), "TIME"), "/ID/")
}

// writes finds the statements that change something.
var writes = regexp.MustCompile(`(?i)\b(INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\w+(\s+\w+)?\s+SET)\b`)

// mortalConnector makes connections on which each commit is a point.
type mortalConnector struct{ driver.Connector }

func (c mortalConnector) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &mortalConn{connection: raw.(connection)}, nil
}

// connection is what lib/pq's can do.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type mortalConn struct {
	connection
	inTx  bool
	wrote bool // in this transaction
}

// statement takes note of a statement; outside of a transaction, one that writes is a
// commit. What it returns is called afterwards.
func (c *mortalConn) statement(ctx context.Context, query string) (done func(error)) {
	switch {
	case !writes.MatchString(query):
	case c.inTx:
		c.wrote = true
	default:
		return commits(ctx)
	}
	return func(error) {}
}

func (c *mortalConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.connection.BeginTx(ctx, opts)
	c.inTx, c.wrote = err == nil, false
	return &mortalTx{Tx: tx, conn: c, ctx: ctx}, err
}

func (c *mortalConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	raw, err := c.connection.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &mortalStmt{statement: raw.(statement), conn: c, query: query}, nil
}

func (c *mortalConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	done := c.statement(ctx, query)
	result, err := c.connection.ExecContext(ctx, query, args)
	done(err)
	return result, err
}

func (c *mortalConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	done := c.statement(ctx, query)
	rows, err := c.connection.QueryContext(ctx, query, args)
	return &mortalRows{Rows: rows, done: done}, err
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type mortalStmt struct {
	statement
	conn  *mortalConn
	query string
}

func (s *mortalStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	done := s.conn.statement(ctx, s.query)
	result, err := s.statement.ExecContext(ctx, args)
	done(err)
	return result, err
}

func (s *mortalStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	done := s.conn.statement(ctx, s.query)
	rows, err := s.statement.QueryContext(ctx, args)
	return &mortalRows{Rows: rows, done: done}, err
}

// mortalRows are those of a statement that is over when they have been read.
type mortalRows struct {
	driver.Rows
	done func(error)
}

func (r *mortalRows) Close() error {
	err := r.Rows.Close()
	r.done(err)
	return err
}

type mortalTx struct {
	driver.Tx
	conn *mortalConn
	ctx  context.Context //nolint:containedctx // says whose the transaction is
}

func (t *mortalTx) Commit() error {
	done := func(error) {}
	if t.conn.wrote {
		done = commits(t.ctx)
	}
	t.conn.inTx = false
	err := t.Tx.Commit()
	done(err)
	return err
}

func (t *mortalTx) Rollback() error {
	t.conn.inTx = false
	return t.Tx.Rollback()
}
