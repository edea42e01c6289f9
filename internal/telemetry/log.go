package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// traceID names the trace that a line of the log belongs to.
const traceID = "trace_id"

// Logger is the logger whose lines name their trace, beside what they say.
func (t *Telemetry) Logger(log *slog.Logger) *slog.Logger {
	if t.spans == nil {
		return log
	}
	return slog.New(traced{log.Handler()})
}

type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String(traceID, span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }

// missing is what is said where something cannot be told; nothing else goes wrong for it.
const missing = "metrics or traces are missing"

// End is Close for a process that ends: what cannot be sent is no failure of its work.
func (t *Telemetry) End(log *slog.Logger) {
	if err := t.Close(); err != nil {
		log.Warn(missing, "error", err)
	}
}

// ReportTo makes OpenTelemetry write what goes wrong, such as traces that cannot be
// sent, to the log; it knows one place for all of a process.
func ReportTo(log *slog.Logger) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn(missing, "error", err) }))
}
