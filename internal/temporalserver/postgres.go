package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	"go.temporal.io/server/tools/common/schema"
	sqltools "go.temporal.io/server/tools/sql"
	"google.golang.org/protobuf/types/known/durationpb"
)

// One shard does one write after the other; on PostgreSQL, which does several at once,
// a few shards use that, and more cost more when nothing is to be done.
const (
	postgresShards      = 4
	postgresConnections = 20 // of one service to each of its databases
)

// postgresConfig is the two stores in a PostgreSQL server, in databases of their own
// beside each other.
func postgresConfig(address string) (store, visibility *config.SQL, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User == nil {
		return nil, nil, errors.New("want a PostgreSQL URL like postgres://user:password@host:5432/") // the parser's error would repeat the password
	}
	password, _ := u.User.Password()
	database := func(name string) *config.SQL {
		return &config.SQL{
			PluginName: postgresql.PluginNamePGX, DatabaseName: name, ConnectAddr: u.Host, ConnectProtocol: "tcp",
			User: u.User.Username(), Password: password,
			MaxConns: postgresConnections, MaxIdleConns: postgresConnections, MaxConnLifetime: time.Hour,
		}
	}
	return database("temporal"), database("temporal_visibility"), nil
}

// setUpPostgres makes the databases and their schemas. It is for databases that are
// not there yet.
func setUpPostgres(store, visibility *config.SQL) error {
	logger := log.NewNoopLogger()
	for name, sql := range map[string]*config.SQL{
		"postgresql/v12/temporal": store, "postgresql/v12/visibility": visibility,
	} {
		created := *sql // which DoCreateDatabase changes
		if err := sqltools.DoCreateDatabase(&created, "postgres", logger); err != nil {
			return fmt.Errorf("create the database %s: %w", sql.DatabaseName, err)
		}
		connection, err := sqltools.NewConnection(sql, logger)
		if err != nil {
			return err
		}
		err = schema.NewSetupSchemaTask(connection, &schema.SetupConfig{InitialVersion: "0.0"}, logger).Run()
		if err == nil {
			err = schema.NewUpdateSchemaTask(connection, &schema.UpdateConfig{DBName: sql.DatabaseName, SchemaName: name}, logger).Run()
		}
		connection.Close()
		if err != nil {
			return fmt.Errorf("set up the schema of %s: %w", sql.DatabaseName, err)
		}
	}
	return nil
}

// register makes the namespace if it is not there yet.
func (s *Server) register(ctx context.Context, opts Options) error {
	c, err := client.NewNamespaceClient(client.Options{HostPort: s.address, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.Register(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: opts.Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(opts.Retention),
		HistoryArchivalState: enumspb.ARCHIVAL_STATE_DISABLED, VisibilityArchivalState: enumspb.ARCHIVAL_STATE_DISABLED,
	})
	var there *serviceerror.NamespaceAlreadyExists
	if errors.As(err, &there) {
		return nil
	}
	return err
}
