package pgserver

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/dirlock"
)

// The test binary started with this set is a process that starts a server on the
// named directory ("-": throw-away), reports it, and waits to be killed.
const childDir = "PGSERVER_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	// These tests are about the servers that we run, not about a given one.
	if err := os.Unsetenv("DATABASE_URL"); err != nil {
		panic(err)
	}
	if dir := os.Getenv(childDir); dir != "" {
		child(strings.TrimPrefix(dir, "-"))
	}
	os.Exit(m.Run())
}

func child(dir string) {
	c, err := newCluster(Options{Dir: dir, Logf: func(string, ...any) {}})
	if err != nil {
		panic(err)
	}
	port, err := c.start(context.Background(), 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.url(port, databaseName), c.server.cmd.Process.Pid, c.watcher.cmd.Process.Pid, c.home)
	select {}
}

// killed is what a killed process had running.
type killed struct {
	url              string
	postgres, parent int
	watcher          int
	home             string
	kill             func(watcherToo bool)
}

func startChild(t *testing.T, dir string) killed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"=-"+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	f := strings.Fields(line)
	require.Len(t, f, 4)
	k := killed{url: f[0], parent: cmd.Process.Pid, home: f[3]}
	k.postgres, err = strconv.Atoi(f[1])
	require.NoError(t, err)
	k.watcher, err = strconv.Atoi(f[2])
	require.NoError(t, err)
	k.kill = func(watcherToo bool) {
		t.Helper()
		if watcherToo {
			require.NoError(t, syscall.Kill(k.watcher, syscall.SIGKILL))
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	return k
}

// stateDir is a durable directory. The account cannot enter a test's temporary
// directory when we are root, so the database goes elsewhere and wants removing.
func stateDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	t.Cleanup(func() { require.NoError(t, Remove(dir)) })
	return dir
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, Logf: t.Logf})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

func query(t *testing.T, dsn, statement string) (answer string) {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	err = db.QueryRowContext(t.Context(), statement).Scan(&answer)
	if err != sql.ErrNoRows { //nolint:errorlint // database/sql returns it bare
		require.NoError(t, err)
	}
	return answer
}

func TestThrowAway(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	require.Equal(t, "UTF8 C", query(t, s.URL(), `SELECT pg_encoding_to_char(encoding) || ' ' || datcollate FROM pg_database WHERE datname = 'handover'`))
	require.Equal(t, "off", query(t, s.URL(), `SHOW fsync`))
	data := query(t, s.URL(), `SHOW data_directory`)
	require.NoError(t, s.Stop())
	require.NoDirExists(t, filepath.Dir(data))
}

func TestPasswordIsAsked(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(start(t, "").URL())
	require.NoError(t, err)
	u.User = url.UserPassword("handover", "guess")
	db, err := sql.Open("postgres", u.String())
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	require.ErrorContains(t, db.PingContext(t.Context()), "password authentication failed")
}

func TestDurableKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := start(t, dir)
	query(t, s.URL(), `CREATE TABLE kept AS SELECT 'x' AS x`)
	require.NoError(t, s.Stop())

	s = start(t, dir)
	require.Equal(t, "x", query(t, s.URL(), `SELECT x FROM kept`))
	require.Equal(t, "on", query(t, s.URL(), `SHOW fsync`))
	info, err := os.Stat(filepath.Join(dir, "password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	_, err = Start(t.Context(), Options{Dir: dir})
	require.ErrorIs(t, err, dirlock.ErrHeld)
	require.ErrorIs(t, Remove(dir), dirlock.ErrHeld)
}

func TestThrowAwayDiesWithAKilledProcess(t *testing.T) {
	t.Parallel()
	k := startChild(t, "")
	k.kill(false)
	require.Eventually(t, func() bool { return !alive(k.postgres) }, 10*time.Second, 20*time.Millisecond)
	require.Eventually(t, func() bool { _, err := os.Stat(k.home); return os.IsNotExist(err) }, 10*time.Second, 20*time.Millisecond)
}

func TestDurableDiesWithAKilledProcess(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	k := startChild(t, dir)
	query(t, k.url, `CREATE TABLE kept AS SELECT 'x' AS x`)
	k.kill(false)
	// At once: the shutdown may be going on.
	s := start(t, dir)
	require.Equal(t, "x", query(t, s.URL(), `SELECT x FROM kept`))
}

func TestOrphanIsStoppedByTheNextStart(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	k := startChild(t, dir)
	query(t, k.url, `CREATE TABLE kept AS SELECT 'x' AS x`)
	k.kill(true)
	require.True(t, alive(k.postgres), "the server should have been left behind")
	s := start(t, dir)
	require.False(t, alive(k.postgres))
	require.Equal(t, "x", query(t, s.URL(), `SELECT x FROM kept`))
}

func TestStalePidFile(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	k := startChild(t, dir)
	query(t, k.url, `CREATE TABLE kept AS SELECT 'x' AS x`)
	require.NoError(t, syscall.Kill(k.postgres, syscall.SIGKILL))
	k.kill(true)
	// The number in the file may have become somebody else's: ours here.
	pidFile := filepath.Join(k.home, "data", "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(content), "\n")
	require.NoError(t, os.WriteFile(pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600))

	s := start(t, dir)
	require.Equal(t, "x", query(t, s.URL(), `SELECT x FROM kept`))
}

// alive is false for a zombie too: a killed child's orphans have no parent that reaps them at once.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
