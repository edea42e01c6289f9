// Package dirlock keeps two processes from one state directory.
package dirlock

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// ErrHeld says that another living process holds the lock.
var ErrHeld = errors.New("in use by another process")

// held keeps every lock reachable: one whose owner is garbage would be closed, and
// so given back, by the file's finalizer.
var held sync.Map

// Lock is a held lock. The kernel drops it with the process, however that ends, so
// a lock file that lies around means nothing.
type Lock struct{ file *os.File }

// Take takes the lock on the file at path, making the file if need be. It does not
// wait: a lock that is held is ErrHeld.
func Take(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the caller's own state directory
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrHeld
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	l := &Lock{f}
	held.Store(l, nil)
	return l, nil
}

// Release gives the lock back.
func (l *Lock) Release() error {
	held.Delete(l)
	return l.file.Close()
}
