package pgserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"handover/internal/dirlock"
)

// cluster is one data directory and the server on it.
//
// A durable state directory holds "lock", "password" (0600), "server.log" and
// "cluster": the directory that the account owns, or a symbolic link to it where it
// had to go elsewhere. A throw-away cluster has all of that inside the home itself.
type cluster struct {
	owner     account
	logf      func(string, ...any)
	throwAway bool
	settings  []string

	home     string // owned by the account; holds the data directory
	logPath  string
	password string

	lock    *dirlock.Lock
	watcher *watcher
	server  *process
}

func (c *cluster) data() string { return filepath.Join(c.home, "data") }

func (c *cluster) prepareThrowAway() error {
	c.throwAway = true
	home, err := c.owner.makeHome(os.TempDir(), "handover-postgres-")
	if err != nil {
		return err
	}
	c.home = home
	c.logPath = filepath.Join(home, "server.log")
	c.password = rand.Text()
	c.watcher, err = watch(home)
	return err
}

func (c *cluster) prepareDurable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // what is secret inside has modes of its own
		return err
	}
	lock, err := dirlock.Take(filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	c.lock = lock
	home, err := c.durableHome(dir)
	if err != nil {
		return err
	}
	c.home = home
	c.logPath = filepath.Join(dir, "server.log")
	if c.password, err = keptPassword(filepath.Join(dir, "password"), c.data()); err != nil {
		return err
	}
	c.watcher, err = watch("")
	return err
}

func (c *cluster) durableHome(dir string) (string, error) {
	name := filepath.Join(dir, "cluster")
	home, err := filepath.EvalSymlinks(name)
	if err == nil {
		if !c.owner.canEnter(home) {
			return "", fmt.Errorf("user %q cannot enter %s any more; it could when the database was made", c.owner.name, home)
		}
		return home, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, err := os.Lstat(name); err == nil {
		return "", fmt.Errorf("%s points to a directory that is gone; remove %s to begin with an empty database", name, dir)
	}
	home, err = c.owner.makeHome(dir, "cluster-")
	if err != nil {
		return "", err
	}
	if filepath.Dir(home) == dir {
		return name, os.Rename(home, name)
	}
	c.logf("user %s cannot enter %s; the database is in %s", c.owner.name, dir, home)
	return home, os.Symlink(home, name)
}

// Remove deletes a durable state directory and the database in it, wherever that had
// to go. It returns dirlock.ErrHeld while a server runs on it; what is not there is
// no error.
func Remove(dir string) (err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := dirlock.Take(filepath.Join(dir, "lock"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	home, err := filepath.EvalSymlinks(filepath.Join(dir, "cluster"))
	if err == nil {
		err = os.RemoveAll(home)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(dir)
}

// keptPassword reads the cluster's password, or makes one for a cluster yet to be made.
func keptPassword(path, data string) (string, error) {
	kept, err := os.ReadFile(path) //nolint:gosec // our own state directory
	if err == nil && len(kept) > 0 {
		return strings.TrimSpace(string(kept)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if _, err := os.Stat(data); err == nil {
		return "", fmt.Errorf("%s is missing, and the database in %s has one", path, data)
	}
	password := rand.Text()
	return password, os.WriteFile(path, []byte(password+"\n"), 0o600)
}

// close stops the server and gives back everything that prepare and start took.
func (c *cluster) close() error {
	var errs []error
	if c.server != nil {
		sig := syscall.SIGINT // fast: ends sessions, writes a checkpoint
		if c.throwAway {
			sig = syscall.SIGQUIT // immediate: nothing is worth writing
		}
		errs = append(errs, c.server.stop(sig))
		c.server = nil
	}
	if c.watcher != nil {
		c.watcher.dismiss()
	}
	if c.throwAway && c.home != "" {
		errs = append(errs, os.RemoveAll(c.home))
	}
	if c.lock != nil {
		errs = append(errs, c.lock.Release())
	}
	return errors.Join(errs...)
}
