package temporalserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"go.temporal.io/server/common/config"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// sqliteConfig is the store in one file. The write-ahead log doubles the throughput
// of the rollback journal. A durable store syncs each commit; what a throw-away one
// may lose with the machine's power, nobody will look for.
func sqliteConfig(file string, durable bool) *config.SQL {
	sync := "off"
	if durable {
		sync = "full"
	}
	return &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: file,
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  sync,
			"busy_timeout": "10000",
		},
	}
}

// setUpStore makes the schema in a new file, and the namespace if it is absent.
//
// A file without its mark beside it is one whose making was cut short: nothing has
// run on it yet, and it is made anew.
func setUpStore(cfg *config.Config, store *config.SQL, opts Options) error {
	mark := store.DatabaseName + ".ready"
	_, err := os.Stat(mark)
	if errors.Is(err, fs.ErrNotExist) {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(store.DatabaseName + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := sqlite.SetupSchema(store); err != nil {
			return fmt.Errorf("set up the schema: %w", err)
		}
		err = os.WriteFile(mark, nil, 0o600)
	}
	if err != nil {
		return err
	}
	ns, err := sqlite.NewNamespaceConfig(cfg.ClusterMetadata.CurrentClusterName, opts.Namespace, false, nil)
	if err != nil {
		return fmt.Errorf("namespace %s: %w", opts.Namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(opts.Retention)
	return sqlite.CreateNamespaces(store, ns) // leaves one that is there as it is
}
