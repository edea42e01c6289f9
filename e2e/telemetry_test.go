package e2e_test

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"handover/internal/fixture"
	"handover/internal/testspans"
)

// TestOneRequestIsOneTrace from HTTP through Temporal to the statements that the worker
// runs for it; nobody can be recognized in it, and what the log says of the request
// has its ID.
func TestOneRequestIsOneTrace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	admin := p.credential(t, o.Admin)
	collected, settings := testspans.Collect(t)
	// External IDs are the HR system's, and it may take addresses for them.
	o.Exec(`UPDATE members SET external_id = $2 WHERE id = $1`, o.Leaver, "ada@"+emailDomain)
	o.Document(o.Leaver, "")
	worker, health := p.worker(t, settings...)
	s := p.server(t, settings...).ready(t)
	waitFor(t, "the worker is ready", says(worker, health, "/readyz", http.StatusOK, "ok"))
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	s.answers(t, admin, http.MethodPost, "/v1/offboardings", object{"member_id": "external:ada@" + emailDomain, "disposition": "retain"},
		http.StatusCreated, "Traceparent", "00-"+theirs+"-b7ad6b7169203331-01", "Baggage", "who=ada", "Tracestate", "who=ada")
	refused := s.answers(t, admin, http.MethodPost, "/v1/offboardings", object{"member_id": o.Admin}, http.StatusForbidden)
	s.answers(t, admin, http.MethodGet, "/v1/offboardings?secret=hunter2", nil, http.StatusBadRequest)
	// What has not been sent yet is sent at the end.
	for _, process := range []*process{s.process, worker} {
		require.NoError(t, process.cmd.Process.Signal(syscall.SIGTERM))
		require.Zero(t, process.wait(t), process.err.String())
	}

	all := collected.List()
	byTrace := map[string][]string{}
	for _, one := range all {
		text, err := protojson.Marshal(one.Span)
		require.NoError(t, err)
		for _, private := range []string{emailDomain, displayName, "ada", "hunter2", "127.0.0.1", theirs[:8] + "00", o.Leaver, o.Admin} {
			require.NotContains(t, string(text), private)
		}
		byTrace[one.Trace()] = append(byTrace[one.Trace()], one.Service+" "+one.GetName())
	}
	roots := 0
	for trace, names := range byTrace {
		if !slices.Contains(names, "handover-server POST /v1/offboardings") {
			continue
		}
		roots++
		require.NotEqual(t, theirs, trace)
		if hasStatement(all, trace, "handover-worker", "WITH leaver") {
			for _, want := range []string{
				"handover-worker RunWorkflow:Offboarding", "handover-worker RunActivity:Admit",
			} {
				require.Contains(t, names, want)
			}
			require.True(t, hasStatement(all, trace, "handover-server", "SELECT"), "no SELECT of the server in the trace")
		} else {
			waitFor(t, "the log tells which trace a problem belongs to", func() error {
				for line := range strings.Lines(s.err.String()) {
					if strings.Contains(line, refused["refId"].(string)) && strings.Contains(line, `"trace_id":"`+trace+`"`) {
						return nil
					}
				}
				return errors.New("no line has both IDs")
			})
		}
	}
	require.Equal(t, 2, roots, "%v", byTrace)
	requireLogs(t, s.process)
	requireLogs(t, worker)
}

// hasStatement looks for a statement of the service in a trace.
func hasStatement(all []testspans.Span, trace, service, begins string) bool {
	for _, one := range all {
		if one.Trace() != trace || one.Service != service {
			continue
		}
		for _, a := range one.GetAttributes() {
			if a.GetKey() == "db.query.text" && strings.HasPrefix(strings.TrimSpace(a.GetValue().GetStringValue()), begins) {
				return true
			}
		}
	}
	return false
}

// Where traces cannot be sent, everything else goes on.
func TestTracesThatCannotBeSentStopNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	admin := p.credential(t, o.Admin)
	s := p.server(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+freeAddress(), "OTEL_BSP_SCHEDULE_DELAY=100").ready(t)
	s.answers(t, admin, http.MethodGet, "/v1/members/me", nil, http.StatusOK)
	waitFor(t, "the log says so", func() error {
		if !strings.Contains(s.err.String(), "metrics or traces are missing") {
			return errors.New(s.err.String())
		}
		return nil
	})
	s.answers(t, admin, http.MethodGet, "/v1/members/me", nil, http.StatusOK)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, s.wait(t), s.err.String())
	requireLogs(t, s.process)
	for _, wrong := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL=pigeon", "OTEL_TRACES_EXPORTER=pigeon"} {
		r := execute(t, work, p.env("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", wrong), "server", "--listen-address", freeAddress(), "--health-address", freeAddress())
		require.Equal(t, 1, r.code, wrong)
		require.Contains(t, r.err, "OTEL_")
	}
}

// ours are the names of metrics in a text.
var ours = regexp.MustCompile(`\b(?:handover|temporal|db_sql|go|process)_[a-z0-9_]*[a-z0-9]\b`)

// TestWhatIsWatchedIsThere: every metric that the dashboard and the examples of alerts ask
// for is told by a server or a worker that has done something.
func TestWhatIsWatchedIsThere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	worker, health := p.worker(t)
	s := p.server(t).ready(t)
	waitFor(t, "the worker is ready", says(worker, health, "/readyz", http.StatusOK, "ok"))
	s.answers(t, p.credential(t, o.Admin), http.MethodGet, "/v1/members/me", nil, http.StatusOK)
	document := o.Document(o.Leaver, "")
	o.Grant(document, o.Manager, "edit")
	f := p.begin(t, object{"member_id": o.Leaver, "requested_by": o.Admin, "disposition": "retain"})
	f.until("phase", "grace")
	_, err := f.update("claim-request", object{"document_id": document, "member_id": o.Admin})
	require.Error(t, err)
	told := ""
	listen := func() {
		for process, address := range map[*process]string{s.process: s.health, worker: health} {
			waitFor(t, "it is told", says(process, address, "/metrics", http.StatusOK, "go_goroutines"))
			_, text, err := ask(address, "/metrics")
			require.NoError(t, err)
			told += "\n" + text
		}
	}
	listen()
	for _, private := range []string{emailDomain, displayName, o.Leaver, o.Admin, o.ID, document} {
		require.NotContains(t, told, private)
	}
	for _, want := range []string{
		`handover_cases_open{phase="grace"} 1`, `handover_documents_waiting 1`, `handover_cases_troubled 0`,
		`handover_start_to_revoked_seconds_count{`,
	} {
		require.Contains(t, told, "\n"+want)
	}
	_, err = f.update("claim-request", object{"document_id": document, "member_id": o.Manager})
	require.NoError(t, err)
	_, err = f.result()
	require.NoError(t, err)
	listen() // what a worker tells of a case that has ended
	watched := 0
	for _, file := range []string{"../docs/grafana/handover.json", "../docs/operations.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range ours.FindAllString(string(text), -1) {
			switch name {
			case "handover_app", "handover_server", // roles of the database
				"handover_not_signed_total": // of workers that hear what is signed only: see TestAWorkerHearsWhatIsSigned
				continue
			}
			watched++
			sample := strings.Contains(told, "\n"+name+"{") || strings.Contains(told, "\n"+name+" ")
			histogram := strings.HasSuffix(file, ".md") && strings.Contains(told, "\n# TYPE "+name+" histogram\n")
			if !sample && !histogram {
				t.Errorf("%s asks for %s, which nobody tells", file, name)
			}
		}
	}
	require.Greater(t, watched, 25)
	if t.Failed() {
		t.Log(told)
	}
}
