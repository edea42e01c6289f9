package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// account is whom the server runs as. PostgreSQL refuses to run as root; a process
// that is root runs it as an unprivileged user, any other process as itself.
type account struct {
	credential *syscall.Credential // nil: ourselves
	name       string
}

func serverUser() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return account{}, fmt.Errorf("user %s: %w", name, err)
		}
		return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, name}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody: run as another user or set DATABASE_URL")
}

// command prepares a program of PostgreSQL: run as the account, in dir, in a process
// group of its own so that a Ctrl-C in the terminal reaches us and not the server,
// and with an environment in which nobody's PGDATA or PGHOST gets in the way.
func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // programs of PostgreSQL and the shell only
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	return cmd
}

// own gives a path to the account.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// canEnter tries whether the account can pass through every parent of dir and
// into it. Trying is exact where reading mode bits would miss ACLs and mounts.
func (a account) canEnter(dir string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := a.command(ctx, "/", "/bin/sh", "-c", `cd -- "$1"`, "sh", dir)
	return cmd.Run() == nil
}

// outside is where a cluster goes when the account cannot enter the directory that
// was asked for, as with a checkout below root's home. Nobody's permissions are
// widened for it: the directory is new, random and the account's alone.
const outside = "/var/lib/handover"

// makeHome makes a directory that the account owns and can enter: below parent, or
// else below [outside].
func (a account) makeHome(parent, pattern string) (string, error) {
	home, err := a.makeOwnDir(parent, pattern)
	if err != nil || a.canEnter(home) {
		return home, err
	}
	if err := os.Remove(home); err != nil {
		return "", err
	}
	if err := os.MkdirAll(outside, 0o755); err != nil { //nolint:gosec // the account must pass through it
		return "", err
	}
	if home, err = a.makeOwnDir(outside, pattern); err != nil {
		return "", err
	}
	if !a.canEnter(home) {
		return "", errors.Join(fmt.Errorf("user %s can enter neither %s nor %s", a.name, parent, outside), os.Remove(home))
	}
	return home, nil
}

func (a account) makeOwnDir(parent, pattern string) (string, error) {
	dir, err := os.MkdirTemp(parent, pattern) // mode 0700
	if err != nil {
		return "", err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, a.own(dir)
}
