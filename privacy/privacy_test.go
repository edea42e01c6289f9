package privacy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// channel is somewhere that more people can look than those whose business it is.
type channel struct {
	name, text string
	proof      string // is in it, so it was read
	binary     bool
}

// TestNobodyIsTold runs a day of the data set through worker and server, and looks for
// everybody in all that these tell and leave behind. Then somebody is deleted, and
// nothing of them is left.
func TestNobodyIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.tell()
	if t.Failed() {
		return // the day went otherwise
	}
	t.Run("nothing is left of who was deleted", h.delete)
	h.scrape()
	workflows := h.workflows()
	histories, read := h.histories(workflows)
	h.server.stop(t)
	h.worker.stop(t)
	h.reader.Close()
	h.plain.Close()
	require.NoError(t, h.temporal.Stop())
	leaverID := h.id(leaver)
	for _, c := range []channel{
		{"the log of the worker", h.worker.out.String(), `"msg":"worker started"`, false},
		{"the log of the server", h.server.out.String(), `"ref_id":"`, false},
		{"traces", h.traces(), "RunActivity:EraseMember", false},
		{"metrics", h.metrics.String(), "handover_cases_troubled 1", false},
		{"webhooks", h.webhooks.String(), leaverID, false},
		{"what Temporal lists", text(t, workflows...), "offboarding/" + leaverID, false},
		{"histories, as they are kept", histories, "offboarding/" + leaverID, true},
		{"histories, for who has the key", withoutTexts(read), `"disposition":"retain"`, false},
		{"what the Temporal server has written down", h.written(), "offboarding/" + leaverID, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, c.text, c.proof, "it was read")
			t.Logf("%d bytes", len(c.text))
			find := h.needles.known
			if c.binary { // where five letters are there by chance
				find = h.needles.in
			}
			require.Empty(t, find(c.text))
		})
	}
}

// withoutTexts leaves out what people have written as reasons and notes: with the key it
// can be read, and docs/security.md says so.
func withoutTexts(history string) string {
	return strings.ReplaceAll(strings.ReplaceAll(history, written, ""), writtenOfDel, "")
}

// text is what messages of Temporal have in them, byte for byte.
func text[M proto.Message](t *testing.T, messages ...M) string {
	t.Helper()
	var b strings.Builder
	for _, m := range messages {
		raw, err := proto.Marshal(m)
		require.NoError(t, err)
		b.Write(raw)
		b.WriteByte('\n')
	}
	return b.String()
}

// workflows are all that Temporal lists: their IDs, memos, search attributes and summaries.
func (h *house) workflows() (all []*workflowservice.DescribeWorkflowExecutionResponse) {
	h.t.Helper()
	var listed []*workflowpb.WorkflowExecutionInfo
	waitFor(h.t, "Temporal lists the last workflow", func() error {
		response, err := h.plain.ListWorkflow(h.t.Context(), &workflowservice.ListWorkflowExecutionsRequest{PageSize: 1000})
		if err != nil {
			return err
		}
		listed = response.GetExecutions()
		if !slices.ContainsFunc(listed, func(w *workflowpb.WorkflowExecutionInfo) bool { return w.GetType().GetName() == "MemberDeletion" }) {
			return fmt.Errorf("%d are listed", len(listed))
		}
		return nil
	})
	for _, w := range listed {
		described, err := h.plain.DescribeWorkflowExecution(h.t.Context(), w.GetExecution().GetWorkflowId(), w.GetExecution().GetRunId())
		require.NoError(h.t, err)
		all = append(all, described)
	}
	require.Greater(h.t, len(all), 8)
	return all
}

// histories are those of all workflows, as they are kept and as who has the key reads them.
func (h *house) histories(workflows []*workflowservice.DescribeWorkflowExecutionResponse) (kept, read string) {
	h.t.Helper()
	var events []*historypb.HistoryEvent
	for _, w := range workflows {
		e := w.GetWorkflowExecutionInfo().GetExecution()
		history := h.plain.GetWorkflowHistory(h.t.Context(), e.GetWorkflowId(), e.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			require.NoError(h.t, err)
			events = append(events, event)
		}
	}
	kept = text(h.t, events...)
	opened := 0
	for _, event := range events {
		require.NoError(h.t, proxy.VisitPayloads(h.t.Context(), event, proxy.VisitPayloadsOptions{
			Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
				opened += len(payloads)
				return h.keys.Decode(payloads)
			},
		}))
	}
	require.Greater(h.t, opened, 100)
	return kept, text(h.t, events...)
}

// traces is all that was sent to the collector.
func (h *house) traces() string {
	h.t.Helper()
	var b strings.Builder
	for _, request := range h.spans.Sent() {
		out, err := protojson.Marshal(request)
		require.NoError(h.t, err)
		b.Write(out)
	}
	return b.String()
}

// written is every file of the Temporal server: its database, and its log.
func (h *house) written() string {
	h.t.Helper()
	var b strings.Builder
	files, err := filepath.Glob(filepath.Join(h.temporalDir, "*"))
	require.NoError(h.t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(h.t, err)
		b.Write(content)
	}
	return b.String()
}
