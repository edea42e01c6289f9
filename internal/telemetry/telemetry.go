// Package telemetry is what a process tells about itself: metrics for Prometheus,
// always, and traces by OpenTelemetry where the OTEL_ variables say where to.
//
// Neither has personal data or a value without bound in it: labels are routes as
// they are registered, methods, status classes and phases, and what a span may carry
// is listed in spans.go.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.30.0"
)

// Telemetry is the metrics and traces of one process.
type Telemetry struct {
	registry *prometheus.Registry
	meters   *sdkmetric.MeterProvider
	meter    metric.Meter
	spans    *sdktrace.TracerProvider // nil where no traces are asked for
}

// scope names what this project measures itself.
const scope = "handover"

// Buckets of every histogram of seconds: from a read by its index to a start that
// waited for a worker, and to a case that waited for its database.
var seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

// New is the telemetry of the service with that name. Traces are exported as the
// standard variables say, and not at all unless OTEL_EXPORTER_OTLP_ENDPOINT,
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_TRACES_EXPORTER is set.
func New(ctx context.Context, service string) (*Telemetry, error) {
	if !tracing() {
		return NewTo(ctx, service, nil)
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("the OTEL_ settings cannot be used: %w", err)
	}
	return NewTo(ctx, service, exporter)
}

// NewTo is New with an exporter of its own; nil is none.
func NewTo(ctx context.Context, service string, exporter sdktrace.SpanExporter) (*Telemetry, error) {
	// Without the detectors of hosts and processes: a command line may hold a password.
	identity, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName(service)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t := &Telemetry{registry: prometheus.NewRegistry()}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(t.registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(identity), sdkmetric.WithView(sdkmetric.NewView(
		sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram, Unit: "s"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: seconds}},
	)))
	t.meter = t.meters.Meter(scope)
	if exporter == nil {
		return t, nil
	}
	t.spans = sdktrace.NewTracerProvider(sdktrace.WithBatcher(discreet{exporter}), sdktrace.WithResource(identity))
	return t, nil
}

// tracing reports whether traces are to go anywhere.
func tracing() bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// Metrics answers a scrape.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // what can be told is told
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}

// flushing is how long the last spans may take to be sent.
const flushing = 5 * time.Second

// Close sends what has not been sent yet.
func (t *Telemetry) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushing)
	defer cancel()
	err := t.meters.Shutdown(ctx)
	if t.spans != nil {
		if flushed := t.spans.Shutdown(ctx); flushed != nil {
			err = errors.Join(err, fmt.Errorf("the last traces were not sent: %w", flushed))
		}
	}
	return err
}
