// Package testspans is a collector of traces for tests.
package testspans

import (
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Spans are those that processes have sent.
type Spans struct {
	mu   sync.Mutex
	all  []Span
	sent []*collector.ExportTraceServiceRequest
}

// Span is one of them, and the service that it is of.
type Span struct {
	*tracev1.Span
	Service string
}

// Trace is the ID of the span's trace.
func (s Span) Trace() string { return hex.EncodeToString(s.GetTraceId()) }

// Collect starts a collector, and returns the settings that send traces to it. It ends
// with the test.
func Collect(t testing.TB) (*Spans, []string) {
	t.Helper()
	s := &Spans{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := read(r)
		if err != nil || r.URL.Path != "/v1/traces" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.take(request)
	}))
	t.Cleanup(server.Close)
	return s, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"}
}

func read(r *http.Request) (*collector.ExportTraceServiceRequest, error) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	request := &collector.ExportTraceServiceRequest{}
	return request, errors.Join(err, proto.Unmarshal(data, request))
}

func (s *Spans) take(request *collector.ExportTraceServiceRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, request)
	for _, resource := range request.GetResourceSpans() {
		service := ""
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, one := range scope.GetSpans() {
				s.all = append(s.all, Span{one, service})
			}
		}
	}
}

// List is all that has come so far.
func (s *Spans) List() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// Sent is what has come so far as it was sent, with what it says of who sends it.
func (s *Spans) Sent() []*collector.ExportTraceServiceRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}
