package telemetry

import (
	"fmt"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/client"
	temporalotel "go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
)

// Temporal makes a connection tell what its clients and workers do. A trace begins
// where a case is asked for something and goes on in what the worker does for it.
func (t *Telemetry) Temporal(options *client.Options) error {
	options.MetricsHandler = temporalotel.NewMetricsHandler(temporalotel.MetricsHandlerOptions{
		Meter: t.meter, UseMonotonicCounters: true, OnError: func(error) {}, // a metric that cannot be kept stops no case
	})
	if t.spans == nil {
		return nil
	}
	traced, err := t.tracing()
	if err != nil {
		return err
	}
	options.Interceptors = append(options.Interceptors, traced)
	return nil
}

func (t *Telemetry) tracing() (interceptor.Interceptor, error) {
	tracer, err := temporalotel.NewTracer(temporalotel.TracerOptions{
		Tracer: t.spans.Tracer(scope), TextMapPropagator: parentOnly{}, DisableBaggage: true,
		AllowInvalidParentSpans: true, // whatever stands in the header of whoever starts a case, the case goes on
	})
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return interceptor.NewTracingInterceptor(named{tracer}), nil
}

// named gives log lines the name of the trace that our own lines have.
type named struct{ interceptor.Tracer }

// GetLogger adds the trace's ID to what a workflow or activity logs.
func (n named) GetLogger(logger log.Logger, ref interceptor.TracerSpanRef) log.Logger {
	span, ok := ref.(interface{ SpanContext() trace.SpanContext })
	if !ok || !span.SpanContext().IsValid() {
		return logger
	}
	return log.With(logger, traceID, span.SpanContext().TraceID().String())
}
