package telemetry

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// unmatched is the route of a request that no route takes.
const unmatched = "unmatched"

// Route is the path under which a request's route is registered, such as
// /v1/members/{id}. Whatever a caller sends, there are only as many as routes.
func Route(mux *http.ServeMux, r *http.Request) string {
	if r.Method == http.MethodConnect { // whose pattern may be the path itself
		return unmatched
	}
	_, pattern := mux.Handler(r)
	if _, path, found := strings.Cut(pattern, " "); found {
		pattern = path
	}
	if pattern == "" || pattern == "/" {
		return unmatched
	}
	return pattern
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

func methodOf(r *http.Request) string {
	if slices.Contains(methods, r.Method) {
		return r.Method
	}
	return "other" // anybody can send any word
}

// HTTP measures and traces the requests of a mux on their way to next, which leads to
// the mux. A caller's trace is linked to and not continued: it is not the caller who
// decides what is kept, and nothing else of what they send along is taken up.
func (t *Telemetry) HTTP(mux *http.ServeMux, next http.Handler) (http.Handler, error) {
	duration, err := t.meter.Float64Histogram("handover.http.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to answer a request"))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	inFlight, err := t.meter.Int64UpDownCounter("handover.http.requests.in_flight",
		metric.WithDescription("Requests that are being answered"))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	measured := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		of := []attribute.KeyValue{attribute.String("method", methodOf(r)), attribute.String("route", Route(mux, r))}
		running := metric.WithAttributes(of...)
		inFlight.Add(r.Context(), 1, running)
		a := &answer{ResponseWriter: w}
		finished := false
		defer func() {
			inFlight.Add(r.Context(), -1, running)
			class := fmt.Sprintf("%dxx", cmp.Or(a.status, http.StatusOK)/100)
			if !finished { // the connection was cut
				class = "none"
			}
			duration.Record(r.Context(), time.Since(start).Seconds(), metric.WithAttributes(append(of, attribute.String("status", class))...))
		}()
		next.ServeHTTP(a, r)
		finished = true
	})
	if t.spans == nil {
		return measured, nil
	}
	return otelhttp.NewHandler(measured, "",
		otelhttp.WithTracerProvider(t.spans), otelhttp.WithMeterProvider(noop.NewMeterProvider()), otelhttp.WithPropagators(parentOnly{}),
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return methodOf(r) + " " + Route(mux, r) }),
	), nil
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
