package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// told are the attributes that leave the process. Everything else that the libraries
// know of a request or a case stays here: paths and queries hold addresses, and so
// may the texts of errors, the IDs of workflows (external ones are the HR system's)
// and of updates (which a caller chooses).
var told = []attribute.Key{
	"http.request.method", "http.route", "http.response.status_code", "url.scheme", "network.protocol.version",
	"db.system.name", "db.query.text", // with placeholders: no statement has a value in it
	"temporalRunID", "error.type", "exception.type",
}

// discreet exports spans without what is nobody's business.
type discreet struct{ sdktrace.SpanExporter }

// ExportSpans exports the spans with the attributes that may be told.
func (d discreet) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	out := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, span := range spans {
		out[i] = discreetSpan{span}
	}
	return d.SpanExporter.ExportSpans(ctx, out)
}

type discreetSpan struct{ sdktrace.ReadOnlySpan }

func (s discreetSpan) Attributes() []attribute.KeyValue { return only(s.ReadOnlySpan.Attributes()) }

func (s discreetSpan) Status() sdktrace.Status {
	return sdktrace.Status{Code: s.ReadOnlySpan.Status().Code}
}

func (s discreetSpan) Events() []sdktrace.Event {
	events := slices.Clone(s.ReadOnlySpan.Events())
	for i := range events {
		events[i].Attributes = only(events[i].Attributes)
	}
	return events
}

func only(attributes []attribute.KeyValue) []attribute.KeyValue {
	return slices.DeleteFunc(slices.Clone(attributes), func(a attribute.KeyValue) bool { return !slices.Contains(told, a.Key) })
}

// parentOnly carries who the parent of a span is and nothing else: baggage and trace
// state are texts of whoever called, and would end in the histories of cases.
type parentOnly struct{ propagation.TraceContext }

const traceparent = "traceparent"

// Fields are the headers that are read and written.
func (parentOnly) Fields() []string { return []string{traceparent} }

// Extract reads the parent.
func (p parentOnly) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return p.TraceContext.Extract(ctx, propagation.MapCarrier{traceparent: carrier.Get(traceparent)})
}

// Inject writes the parent.
func (p parentOnly) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	all := propagation.MapCarrier{}
	if p.TraceContext.Inject(ctx, all); all[traceparent] != "" {
		carrier.Set(traceparent, all[traceparent])
	}
}
