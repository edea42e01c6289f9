package telemetry

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// OpenDB is sql.OpenDB with a span for each statement of a trace, its text as it
// stands in the code. Without traces it is sql.OpenDB.
func (t *Telemetry) OpenDB(connector driver.Connector) *sql.DB {
	if t.spans == nil {
		return sql.OpenDB(connector)
	}
	return otelsql.OpenDB(connector,
		otelsql.WithTracerProvider(t.spans), otelsql.WithMeterProvider(noop.NewMeterProvider()),
		otelsql.WithAttributes(attribute.String("db.system.name", "postgresql")),
		// Not by the library: it has two names for it, and takes the older one.
		otelsql.WithAttributesGetter(func(_ context.Context, _ otelsql.Method, query string, _ []driver.NamedValue) []attribute.KeyValue {
			if query == "" {
				return nil
			}
			return []attribute.KeyValue{attribute.String("db.query.text", query)}
		}),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			DisableQuery:         true,
			OmitConnResetSession: true, OmitConnPrepare: true, OmitRows: true, OmitConnectorConnect: true, DisableErrSkip: true,
			// What nobody asked for, such as a health check, begins no trace.
			SpanFilter: func(ctx context.Context, _ otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return trace.SpanContextFromContext(ctx).IsValid()
			},
		}))
}

// Pool tells how the connections of a part of the process are used.
func (t *Telemetry) Pool(db *sql.DB, whose string) error {
	if _, err := otelsql.RegisterDBStatsMetrics(db, otelsql.WithMeterProvider(t.meters),
		otelsql.WithAttributes(attribute.String("pool", whose))); err != nil {
		return fmt.Errorf("metrics of the database: %w", err)
	}
	return nil
}
