package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
)

// gauges are what must not grow, with how much more at the end than in the middle is
// still noise, beside a tenth.
var gauges = []struct {
	name, metric string
	slack        float64
}{
	{"live heap, MB", "go_memstats_next_gc_bytes", 6},
	{"goroutines", "go_goroutines", 60},
	{"open files", "process_open_fds", 30},
	{"connections", "db_sql_connection_open", 4},
	{"memory, MB", "process_resident_memory_bytes", 40},
}

// TestSoak lets a server and a worker work for SOAK minutes, and fails where what they
// hold grows. `make soak` runs it.
func TestSoak(t *testing.T) {
	minutes, err := strconv.ParseFloat(os.Getenv("SOAK"), 64)
	if err != nil || minutes <= 0 {
		t.Skip("takes as many minutes as SOAK says")
	}
	p := newPlace(t)
	db := p.prepare(t)
	o := fixture.New(t, db)
	_, health := p.worker(t, "HANDOVER_LOG_LEVEL=warn")
	s := p.server(t, "HANDOVER_RATE_LIMIT=0", "HANDOVER_LOG_LEVEL=warn").ready(t)
	admin, owner, maker := p.credential(t, o.Admin), p.credential(t, o.Owner), p.credential(t, o.Manager)

	ctx, stop := context.WithTimeout(t.Context(), time.Duration(minutes*float64(time.Minute)))
	defer stop()
	var load sync.WaitGroup
	var requests, cases, failed atomic.Int64
	send := func(k key, method, path string, body any) object {
		status, answer, err := s.call(t, k, method, path, body)
		requests.Add(1)
		if err != nil || status >= 500 && status != http.StatusServiceUnavailable {
			failed.Add(1)
			t.Logf("%s %s: %d %v %v", method, path, status, answer, err)
		}
		return answer
	}
	var making sync.Mutex // the fixture counts its members
	fresh := func() (leaver, document string) {
		making.Lock()
		defer making.Unlock()
		leaver = o.Maker()
		document = o.Document(leaver, "")
		o.Grant(document, o.Manager, "edit")
		return leaver, document
	}
	for range 4 { // cases from their start to their end
		load.Go(func() {
			for ctx.Err() == nil {
				leaver, document := fresh()
				send(admin, http.MethodPost, "/v1/offboardings", object{"member_id": leaver, "disposition": "retain"})
				send(maker, http.MethodPost, "/v1/documents/"+document+"/claim", nil)
				cases.Add(1)
			}
		})
	}
	for _, path := range []string{"/v1/members", "/v1/offboardings", "/v1/overview", "/v1/audit-events?limit=20", "/v1/nothing", "/v1/members/nobody"} {
		load.Go(func() { // readers
			for ctx.Err() == nil {
				send(owner, http.MethodGet, path, nil)
			}
		})
	}
	for range 2 { // those who open a stream, look for a moment and go
		load.Go(func() {
			leaver, _ := fresh()
			started := send(admin, http.MethodPost, "/v1/offboardings", object{"member_id": leaver, "disposition": "retain"})
			for ctx.Err() == nil {
				s.glance(ctx, admin, fmt.Sprint("/v1/offboardings/", started["case_id"], "/events"))
			}
		})
	}

	every := max(2*time.Second, time.Duration(minutes*float64(time.Minute))/40)
	samples := map[string][]float64{}
	var names []string
	for _, of := range []struct{ who, at string }{{"server", s.health}, {"worker", health}} {
		for _, g := range gauges {
			names = append(names, of.who+" "+g.name)
		}
	}
	t.Logf("%8s %10s %8s  %s", "minute", "requests", "cases", strings.Join(names, "  "))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if ctx.Err() != nil {
			break
		}
		line := ""
		for _, of := range []struct{ who, at string }{{"server", s.health}, {"worker", health}} {
			_, text, err := ask(of.at, "/metrics")
			require.NoError(t, err)
			for _, g := range gauges {
				name := of.who + " " + g.name
				value := sum(text, g.metric)
				require.Positive(t, value, "%s: there is no %s", of.who, g.metric)
				if strings.HasSuffix(g.name, "MB") {
					value /= 1 << 20
				}
				samples[name] = append(samples[name], value)
				line += fmt.Sprintf("%*.0f", len(name)+2, value)
			}
		}
		t.Logf("%8.1f %10d %8d%s", time.Since(began).Minutes(), requests.Load(), cases.Load(), line)
	}
	load.Wait()
	require.Zero(t, failed.Load(), "requests failed")
	require.Positive(t, cases.Load())
	for _, of := range []string{"server ", "worker "} {
		for _, g := range gauges {
			all := samples[of+g.name]
			require.GreaterOrEqual(t, len(all), 6, "too few samples for a trend")
			middle, end := median(all[len(all)/3:2*len(all)/3]), median(all[2*len(all)/3:])
			assert.LessOrEqual(t, end, 1.1*middle+g.slack, "%s%s grows: %.0f in the middle, %.0f at the end", of, g.name, middle, end)
		}
	}
	require.Zero(t, o.Count(`SELECT count(*) FROM cases WHERE closed_at IS NULL AND trouble_step <> ''`), "cases are stuck")
}

// glance follows a stream for its first bytes.
func (s *site) glance(ctx context.Context, k key, path string) {
	ctx, done := context.WithCancel(ctx)
	defer done()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+path, nil)
	if err != nil {
		return
	}
	r.SetBasicAuth(k.ID, k.Secret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	_, _ = response.Body.Read(make([]byte, 100))
	_ = response.Body.Close()
}

// sum is the sum of a metric over its labels.
func sum(text, metric string) (total float64) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), metric)
		if ok && strings.IndexAny(rest, "{ ") == 0 {
			n, _ := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64) // Prometheus writes numbers
			total += n
		}
	}
	return total
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
