package temporalserver

import (
	"maps"
	"path/filepath"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const clusterName = "active"

// serverConfig is one node of each service on one store.
func serverConfig(store, visibility *config.SQL, shards int32, p ports) *config.Config {
	cfg := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     "default",
			VisibilityStore:  "visibility",
			NumHistoryShards: shards,
			DataStores:       map[string]config.DataStore{"default": {SQL: store}, "visibility": {SQL: visibility}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: p.frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(p.frontend),
			string(primitives.HistoryService):  service(p.history),
			string(primitives.MatchingService): service(p.matching),
			string(primitives.WorkerService):   service(p.worker),
		},
		PublicClient: config.PublicClient{HostPort: p.frontend},
	}
	cfg.Global.Membership.MaxJoinDuration = 30 * time.Second
	cfg.Archival.History.State = config.ArchivalDisabled
	cfg.Archival.Visibility.State = config.ArchivalDisabled
	cfg.NamespaceDefaults.Archival.History.State = config.ArchivalDisabled
	cfg.NamespaceDefaults.Archival.Visibility.State = config.ArchivalDisabled
	return cfg
}

func service(address string) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: portOf(address), BindOnIP: hostOf(address)}}
}

func serverOptions(cfg *config.Config, p ports, opts Options) ([]temporal.ServerOption, error) {
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{
		Level:      opts.LogLevel,
		OutputFile: filepath.Join(opts.Dir, "temporal.log"),
	}))
	authorizer, err := authorization.GetAuthorizerFromConfig(&cfg.Global.Authorization)
	if err != nil {
		return nil, err
	}
	claimMapper, err := authorization.GetClaimMapperFromConfig(&cfg.Global.Authorization, logger)
	if err != nil {
		return nil, err
	}
	return []temporal.ServerOption{
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claimMapper }),
		temporal.WithDynamicConfigClient(settings(opts)),
		// Fixed hosts in place of gossip: after a crash, gossip would first try to
		// reach the addresses of the process that is gone.
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: {All: []string{p.frontend}, Self: p.frontend},
			primitives.HistoryService:  {All: []string{p.history}, Self: p.history},
			primitives.MatchingService: {All: []string{p.matching}, Self: p.matching},
			primitives.WorkerService:   {All: []string{p.worker}, Self: p.worker},
		}),
	}, nil
}

// settings are the dynamic configuration.
func settings(opts Options) dynamicconfig.StaticClient {
	c := dynamicconfig.StaticClient{
		// Updates carry the answers of claims, requests and decisions.
		dynamicconfig.FrontendEnableUpdateWorkflowExecution.Key():              true,
		dynamicconfig.FrontendEnableUpdateWorkflowExecutionAsyncAccepted.Key(): true,
		// The default of 20 a second makes every hop on the one shard last 50 ms.
		dynamicconfig.TransferProcessorMaxPollRPS.Key(): 2000,
		// Several partitions and few pollers starve some executions.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
	}
	if opts.Postgres == "" {
		maps.Copy(c, skipping)
	}
	return c
}

// skipping lets one execution be moved through its days; see FastForward. It costs the
// server a fifth of its rate.
var skipping = dynamicconfig.StaticClient{
	dynamicconfig.WorkflowTimeSkippingEnabled.Key():           true,
	dynamicconfig.WorkflowTimeSkippingMaxSkipPerSession.Key(): 100_000,
	dynamicconfig.TimerProcessorMaxPollRPS.Key():              2000,
	dynamicconfig.VisibilityProcessorMaxPollRPS.Key():         2000,
	// How far ahead timers are read, for nodes whose clocks differ, and so how late a
	// short one fires: the default of a second is also what each timer takes that a
	// fast-forward comes to.
	dynamicconfig.TimerProcessorMaxTimeShift.Key(): 50 * time.Millisecond,
}
