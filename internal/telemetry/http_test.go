package telemetry_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"handover/internal/telemetry"
)

// kept is an exporter that keeps what it gets, also after its end.
type kept struct{ spans tracetest.SpanStubs }

func (k *kept) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	k.spans = append(k.spans, tracetest.SpanStubsFromReadOnlySpans(spans)...)
	return nil
}

func (k *kept) Shutdown(context.Context) error { return nil }

func serve(t *testing.T, tells *telemetry.Telemetry) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	mux.HandleFunc("GET /v1/members/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "teapot":
			w.WriteHeader(http.StatusTeapot)
		case "gone":
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, trace.SpanContextFromContext(r.Context()).TraceID().String())
		}
	})
	mux.HandleFunc("/scim/v2/", func(http.ResponseWriter, *http.Request) {})
	handler, err := tells.HTTP(mux, mux)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func request(t *testing.T, server *httptest.Server, method, path string, header http.Header) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
	require.NoError(t, err)
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := server.Client().Transport.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(body)
}

func scrape(t *testing.T, tells *telemetry.Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tells.Metrics().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

// Whatever is asked for, a label is one of ours.
func TestRequestsAreCountedByRoute(t *testing.T) {
	t.Parallel()
	tells, err := telemetry.NewTo(t.Context(), "test", nil)
	require.NoError(t, err)
	server := serve(t, tells)
	for _, path := range []string{
		"/v1/members/ada@acme.example", "/v1/members/teapot", "/v1/members/gone", "/v1//members/ada@acme.example", "/scim/v2/Users/ada@acme.example",
		"/scim/v2", "/ada@acme.example", "/",
	} {
		request(t, server, http.MethodGet, path+"?q=ada@acme.example", nil)
	}
	request(t, server, "ADA-OF-ACME", "/v1/members/ada", nil)
	request(t, server, http.MethodConnect, "/scim/v2", nil)
	text := scrape(t, tells)
	if t.Failed() {
		t.Log(text)
	}
	require.NotContains(t, strings.ToLower(text), "acme")
	for _, line := range []string{
		`handover_http_request_duration_seconds_count{method="GET",route="/v1/members/{id}",status="2xx"} 1`,
		`handover_http_request_duration_seconds_count{method="GET",route="/v1/members/{id}",status="3xx"} 1`,
		`handover_http_request_duration_seconds_count{method="GET",route="/v1/members/{id}",status="4xx"} 1`,
		`handover_http_request_duration_seconds_count{method="GET",route="/v1/members/{id}",status="none"} `,
		`handover_http_request_duration_seconds_count{method="GET",route="/scim/v2/",status="2xx"} 1`,
		`handover_http_request_duration_seconds_count{method="GET",route="unmatched",status="4xx"} 2`,
		`handover_http_request_duration_seconds_count{method="other",route="unmatched",status="4xx"} 1`,
		`handover_http_request_duration_seconds_bucket{method="GET",route="unmatched",status="4xx",le="0.005"} `,
		`handover_http_requests_in_flight{method="GET",route="/v1/members/{id}"} 0`,
		`go_goroutines `, `process_open_fds `,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
}

// A span is named after its route, has nothing of the caller's in it, and its trace
// is ours; the caller's is linked.
func TestSpansAreDiscreet(t *testing.T) {
	t.Parallel()
	var exported kept
	tells, err := telemetry.NewTo(t.Context(), "test", &exported)
	require.NoError(t, err)
	server := serve(t, tells)
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	seen := request(t, server, http.MethodGet, "/v1/members/ada@acme.example?q=ada@acme.example", http.Header{
		"Traceparent": {"00-" + theirs + "-b7ad6b7169203331-01"}, "Tracestate": {"mail=ada"}, "Baggage": {"mail=ada"}, "User-Agent": {"ada"},
	})
	require.NoError(t, tells.Close())
	require.Len(t, exported.spans, 1)
	span := exported.spans[0]
	require.Equal(t, "GET /v1/members/{id}", span.Name)
	require.NotEqual(t, theirs, seen)
	require.Equal(t, seen, span.SpanContext.TraceID().String())
	require.Len(t, span.Links, 1)
	require.Equal(t, theirs, span.Links[0].SpanContext.TraceID().String())
	require.Empty(t, span.Links[0].SpanContext.TraceState().String())
	require.Contains(t, span.Attributes, attribute.Int("http.response.status_code", http.StatusOK))
	for _, a := range span.Attributes {
		require.NotContains(t, a.Value.String(), "ada", a.Key)
		require.NotContains(t, a.Value.String(), "127.0.0.1", a.Key)
	}
}
