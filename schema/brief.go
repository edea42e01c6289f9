package schema

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// ErrBusy says that a table was in use for so long that a migration could not have it.
var ErrBusy = errors.New("a table is in use by a long transaction")

// How long a migration waits for a table, while whoever comes after it waits too; how long
// it lets everybody pass before it tries again; and how often it tries.
const (
	lockWait  = "2s"
	lockPause = time.Second
	lockTries = 100
)

// brief keeps the others from waiting behind a migration that waits for a table. A
// migration that builds indexes beside everybody else's work waits as long as it takes:
// nobody waits for that.
type brief struct {
	lock.SessionLocker
	wait string
}

// SessionLock begins the session of a migration.
func (b *brief) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if err := b.SessionLocker.SessionLock(ctx, conn); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, `SELECT set_config('lock_timeout', $1, false)`, b.wait)
	return err
}

// SessionUnlock ends it; the connection goes back to its pool.
func (b *brief) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, `RESET lock_timeout`)
	return errors.Join(err, b.SessionLocker.SessionUnlock(ctx, conn))
}

// up does one migration after the other, and those again that could not have a table.
func (b *brief) up(ctx context.Context, p *goose.Provider) error {
	for {
		err := untilFree(ctx, func() (err error) {
			if b.wait, err = b.next(ctx, p); err != nil {
				return err
			}
			_, err = p.UpByOne(ctx)
			return err
		})
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// untilFree does something again and again while it cannot have a table.
func untilFree(ctx context.Context, do func() error) error {
	for tries := 0; ; {
		err := do()
		var failed interface{ SQLState() string }
		if !errors.As(err, &failed) || failed.SQLState() != "55P03" { // lock_not_available
			return err
		}
		if tries++; tries == lockTries {
			return errors.Join(ErrBusy, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// next is how long the next migration waits for a table, "0" for as long as it takes.
func (b *brief) next(ctx context.Context, p *goose.Provider) (string, error) {
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return "", err
	}
	for _, source := range p.ListSources() {
		if source.Version <= at {
			continue
		}
		text, err := FS.ReadFile(source.Path)
		if err == nil && strings.Contains(string(text), "INDEX CONCURRENTLY") {
			return "0", nil
		}
		return lockWait, err
	}
	return lockWait, nil
}
