package workflows_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/reflect/protoreflect"

	"handover/activities"
	cases "handover/client"
	"handover/internal/telemetry"
	"handover/offboarding"
	"handover/workflows"
)

// Histories of real cases, which every version of the workflow has to replay.
//
//	go test -run TestRecordHistories ./workflows -record
//
// records those that are missing. What is there stays: a change that needs it
// anew breaks the cases that are open. Make it with workflow.GetVersion, and add
// to the corpus.
const corpus = "testdata/histories"

var record = flag.Bool("record", false, "record the histories of "+corpus)

func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(corpus, "*.json*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			tells, err := telemetry.NewTo(t.Context(), "test", tracetest.NewInMemoryExporter())
			require.NoError(t, err)
			var traced client.Options
			require.NoError(t, tells.Temporal(&traced))
			history := readHistory(t, file)
			for _, options := range []worker.WorkflowReplayerOptions{{}, {Interceptors: workerInterceptors(traced)}} {
				replayer, err := worker.NewWorkflowReplayerWithOptions(options)
				require.NoError(t, err)
				workflows.RegisterWorkflows(replayer)
				log := sdklog.NewStructuredLogger(quiet)
				require.NoError(t, replayer.ReplayWorkflowHistory(log, history), "with %d interceptors", len(options.Interceptors))
			}
			require.NoError(t, tells.Close())
		})
	}
}

// workerInterceptors are those of a connection that its workers use too.
func workerInterceptors(options client.Options) (out []interceptor.WorkerInterceptor) {
	for _, i := range options.Interceptors {
		if both, ok := i.(interceptor.WorkerInterceptor); ok {
			out = append(out, both)
		}
	}
	return out
}

// The cases that are recorded, each driven as far as its history is to go.
var recorded = map[string]func(t *testing.T, s *stand, leaver string) *live{
	"removed-from-a-workspace": func(_ *testing.T, s *stand, leaver string) *live {
		workspace := s.Workspace()
		s.Join(workspace, leaver, offboarding.WorkspaceMember)
		document := s.DocumentIn(workspace, leaver)
		s.Grant(document, s.Manager, offboarding.GrantEdit)
		c := s.start(leaver, func(r *offboarding.Request) { r.WorkspaceID = workspace })
		c.reaches(phase(offboarding.PhaseGrace))
		c.forward(8 * day)
		c.reaches(phase(offboarding.PhaseReadOnly))
		c.claim(document, s.Manager)
		return c.ends(offboarding.PhaseCompleted)
	},
	"waited-for-sso-sessions": func(_ *testing.T, s *stand, leaver string) *live {
		s.Exec(`UPDATE organizations SET sso_sessions = 'wait'`)
		s.SSOSession(leaver, 0)
		c := s.start(leaver, nil)
		c.reaches(func(s offboarding.Status) bool { return s.SessionsEndAt != nil })
		s.Exec(`UPDATE organizations SET sso_sessions = 'revoke'`)
		c.forward(25 * time.Hour)
		return c.ends(offboarding.PhaseCompleted)
	},
	"entras-leaver-open": func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 1)
		c := s.entras(leaver)
		c.reaches(phase(offboarding.PhaseGrace))
		return c
	},
	"entras-leaver-archived": func(_ *testing.T, s *stand, leaver string) *live {
		return s.entras(leaver).ends(offboarding.PhaseCompleted).archives()
	},
	"completed-via-claims": func(t *testing.T, s *stand, leaver string) *live {
		documents := documents(s.Organization, leaver, 2)
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		c.claim(documents[0], s.Manager)
		c.forward(8 * day)
		c.reaches(phase(offboarding.PhaseReadOnly))
		_, err := c.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: documents[1], MemberID: s.Manager})
		require.NoError(t, err)
		return c.ends(offboarding.PhaseCompleted)
	},
	"grace-ended-at-once": func(_ *testing.T, s *stand, leaver string) *live {
		documents := documents(s.Organization, leaver, 2)
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		c.forward(8 * day)
		c.reaches(func(s offboarding.Status) bool { return s.Documents.ReadOnly == 2 })
		for _, document := range documents {
			c.claim(document, s.Manager)
		}
		return c.ends(offboarding.PhaseCompleted)
	},
	"completed-via-requests": func(t *testing.T, s *stand, leaver string) *live {
		documents := documents(s.Organization, leaver, 2)
		asker := s.Maker()
		for _, document := range documents {
			s.Grant(document, asker, offboarding.GrantView)
		}
		c := s.start(leaver, nil)
		for _, document := range documents {
			out, err := c.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: asker})
			require.NoError(t, err)
			c.signal(offboarding.MessageDecision, offboarding.AdminApproval{RequestID: out.RequestID, AdminID: s.Admin, Decision: "reject"})
			out, err = c.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: asker})
			require.NoError(t, err)
			_, err = c.ask(offboarding.MessageDecision, offboarding.AdminApproval{RequestID: out.RequestID, AdminID: s.Admin, Decision: "approve"})
			require.NoError(t, err)
		}
		return c.ends(offboarding.PhaseCompleted)
	},
	"grace-open": func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 1)
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		return c
	},
	"left-at-once-open": func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 2)
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		return c
	},
	"left-at-once-transferred": func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 3)
		return s.start(leaver, func(r *offboarding.Request) { r.NewOwnerID = s.Manager }).ends(offboarding.PhaseCompleted)
	},
	"extended-open": func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 1)
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		c.forward(5 * day) // the first reminder has been given
		until := time.Now().Add(12 * day).UTC().Format(time.RFC3339)
		c.signal(offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: until})
		c.forward(6 * day) // and is given again
		return c
	},
	"read-only-open": func(_ *testing.T, s *stand, leaver string) *live {
		document := documents(s.Organization, leaver, 1)[0]
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		c.forward(16 * day)
		c.reaches(phase(offboarding.PhaseReadOnly))
		c.claim(document, "external:nobody")
		c.reaches(func(s offboarding.Status) bool { return len(s.RefusedMessages) == 1 })
		return c
	},
	"scheduled-open": func(_ *testing.T, s *stand, leaver string) *live {
		c := s.start(leaver, ahead(10*day))
		c.signal(offboarding.MessageReschedule, offboarding.Reschedule{AdminID: s.Admin, EffectiveAt: "2099-01-01"})
		c.signal(offboarding.MessageReschedule, offboarding.Reschedule{AdminID: s.Admin, EffectiveAt: time.Now().Add(20 * day).Format(time.RFC3339)})
		c.reaches(func(s offboarding.Status) bool { return s.MessagesHandled == 2 })
		return c
	},
	"canceled": func(_ *testing.T, s *stand, leaver string) *live {
		c := s.start(leaver, ahead(10*day))
		c.signal(offboarding.MessageCancel, offboarding.Cancel{AdminID: s.Admin})
		return c.ends(offboarding.PhaseCanceled)
	},
	"failed-at-second-look": func(t *testing.T, s *stand, leaver string) *live {
		c := s.start(leaver, ahead(2*day))
		c.reaches(phase(offboarding.PhaseScheduled))
		s.Exec(`UPDATE members SET email = 'm@elsewhere.example' WHERE id = $1`, leaver)
		c.forward(3 * day)
		_, err := c.result()
		require.Error(t, err)
		return c
	},
	"refused-start": func(t *testing.T, s *stand, leaver string) *live {
		c := s.start(leaver, func(r *offboarding.Request) { r.RequestedBy = s.Manager })
		_, err := c.result()
		require.Equal(t, offboarding.CodeNotAuthorized, activities.RefusalFrom(err).Code())
		return c
	},
	"transferred": func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 3)
		return s.start(leaver, func(r *offboarding.Request) { r.NewOwnerID = s.Manager }).ends(offboarding.PhaseCompleted)
	},
	"transferred-to-the-manager-at-second-look": func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 1)
		s.Exec(`UPDATE members SET manager_id = $2 WHERE id = $1`, leaver, s.Manager)
		owner := s.Maker()
		c := s.start(leaver, func(r *offboarding.Request) { ahead(2 * day)(r); r.NewOwnerID = owner })
		c.reaches(phase(offboarding.PhaseScheduled))
		s.Exec(`UPDATE members SET status = 'archived' WHERE id = $1`, owner)
		c.forward(3 * day)
		return c.ends(offboarding.PhaseCompleted)
	},
	"bulk-offboarding":   recordBulk,
	"bulk-refused":       recordBulkRefused,
	"bulk-messages":      recordBulkMessages,
	"taken-over-by-bulk": recordTakenOver,
	"archived": func(_ *testing.T, s *stand, leaver string) *live {
		s.Schedule(documents(s.Organization, leaver, 1)[0])
		return s.start(leaver, func(r *offboarding.Request) { r.Disposition = offboarding.DispositionArchive }).ends(offboarding.PhaseCompleted)
	},
	"transferred-by-message": func(_ *testing.T, s *stand, leaver string) *live {
		documents := documents(s.Organization, leaver, 2)
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		c.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, DocumentIDs: documents[:1]})
		c.signal(offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin})
		return c.ends(offboarding.PhaseCompleted)
	},
	"reactivated-with-return": func(t *testing.T, s *stand, leaver string) *live {
		documents := documents(s.Organization, leaver, 2)
		c := s.start(leaver, nil)
		c.claim(documents[0], s.Manager)
		c.reaches(func(s offboarding.Status) bool { return s.Documents.Claimed == 1 })
		c.forward(8 * day)
		c.reaches(phase(offboarding.PhaseReadOnly))
		_, err := c.ask(offboarding.MessageReactivate, offboarding.Reactivate{AdminID: s.Admin, ReturnDocuments: true})
		require.NoError(t, err)
		return c.ends(offboarding.PhaseReactivated)
	},
	"in-trouble-for-a-while": func(_ *testing.T, s *stand, leaver string) *live {
		document := documents(s.Organization, leaver, 1)[0]
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		s.Exec(`ALTER TABLE grants RENAME TO grants_away`)
		c.claim(document, s.Manager)
		c.reaches(func(s offboarding.Status) bool { return s.Trouble != nil && s.Trouble.Attempt > 1 })
		s.Exec(`ALTER TABLE grants_away RENAME TO grants`)
		return c.ends(offboarding.PhaseCompleted)
	},
	"reminded-and-escalated": func(t *testing.T, s *stand, leaver string) *live {
		document := documents(s.Organization, leaver, 1)[0]
		asker := s.Maker()
		s.Grant(document, asker, offboarding.GrantView)
		claim := offboarding.ClaimRequest{DocumentID: document, MemberID: asker}
		sent := func(n int) func(offboarding.Status) bool {
			return func(offboarding.Status) bool {
				return s.Count(`SELECT count(*) FROM notices n JOIN cases c ON c.id = n.case_id WHERE c.member_id = $1 AND sent_at IS NOT NULL`, leaver) == n
			}
		}
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		_, err := c.ask(offboarding.MessageClaim, claim)
		require.NoError(t, err)
		c.forward(3 * day)
		c.reaches(sent(1)) // the owner
		c.forward(2 * day)
		c.reaches(sent(2)) // and who has the edit grant
		out, err := c.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: s.Owner})
		require.Error(t, err, "%v", out) // without a grant
		c.forward(4 * day)
		c.reaches(phase(offboarding.PhaseReadOnly))
		c.reaches(sent(3))
		s.Grant(document, s.Admin, offboarding.GrantView)
		_, err = c.ask(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: s.Admin})
		require.NoError(t, err)
		c.forward(3 * day)
		c.reaches(sent(4))
		c.claim(document, s.Manager)
		return c.ends(offboarding.PhaseCompleted)
	},
	"continued-as-new": func(_ *testing.T, s *stand, leaver string) *live {
		document := documents(s.Organization, leaver, 1)[0]
		c := s.start(leaver, nil)
		c.reaches(phase(offboarding.PhaseGrace))
		for range 1050 {
			c.claim(document, "external:nobody")
		}
		c.reaches(func(s offboarding.Status) bool { return s.MessagesHandled == 1050 })
		c.claim(document, "external:nobody")
		c.reaches(func(s offboarding.Status) bool { return s.ContinuedAsNew == 1 && s.MessagesHandled == 1051 })
		c.claim(document, s.Manager)
		return c.ends(offboarding.PhaseCompleted)
	},
}

func (c *live) claim(document, member string) {
	c.signal(offboarding.MessageClaim, offboarding.ClaimRequest{DocumentID: document, MemberID: member})
}

// ends waits for the end.
func (c *live) ends(want offboarding.Phase) *live {
	c.t.Helper()
	result, err := c.result()
	require.NoError(c.t, err)
	require.Equal(c.t, want, result.Phase)
	return c
}

func ahead(d time.Duration) func(*offboarding.Request) {
	return func(r *offboarding.Request) { r.EffectiveAt = time.Now().Add(d).Format(time.RFC3339) }
}

// Of what comes after a case, and of deletions.
func init() {
	recorded["reactivation-after-the-case"] = func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 2)
		s.start(leaver, func(r *offboarding.Request) { r.NewOwnerID = s.Manager }).ends(offboarding.PhaseCompleted)
		return s.comesBack(leaver, offboarding.ReactivationRequest{MemberID: leaver, ReturnDocuments: true})
	}
	recorded["reactivation-through-the-open-case"] = func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 1)
		s.start(leaver, nil).reaches(phase(offboarding.PhaseGrace))
		return s.comesBack(leaver, offboarding.ReactivationRequest{MemberID: leaver})
	}
	recorded["reactivation-of-many"] = func(_ *testing.T, s *stand, leaver string) *live {
		s.start(leaver, nil).ends(offboarding.PhaseCompleted)
		return s.comesBack("many", offboarding.ReactivationRequest{MemberIDs: []string{leaver, s.Manager}})
	}
	recorded["reactivation-refused"] = func(_ *testing.T, s *stand, leaver string) *live {
		return s.comesBack(leaver, offboarding.ReactivationRequest{MemberID: leaver})
	}
	recorded["deletion-of-an-active-member"] = func(_ *testing.T, s *stand, leaver string) *live {
		documents(s.Organization, leaver, 1)
		return s.goes(leaver)
	}
	recorded["deletion-of-a-member-who-has-left"] = func(_ *testing.T, s *stand, leaver string) *live {
		s.start(leaver, nil).ends(offboarding.PhaseCompleted)
		return s.goes(leaver)
	}
}

// comesBack runs a Reactivation to its end.
func (s *stand) comesBack(id string, r offboarding.ReactivationRequest) *live {
	r.RequestedBy = s.Admin
	_, err := cases.New(s.client).ReactivateMembers(s.t.Context(), id, r)
	if offboarding.CodeOf(err) != offboarding.CodeAlreadyActive { // the history of a refusal is one too
		require.NoError(s.t, err)
	}
	return s.live(offboarding.ReactivationWorkflowID(id))
}

// goes runs a MemberDeletion to its end.
func (s *stand) goes(member string) *live {
	_, err := cases.New(s.client).Delete(s.t.Context(), offboarding.DeletionRequest{MemberID: member, RequestedBy: s.Admin})
	require.NoError(s.t, err)
	return s.live(offboarding.DeletionWorkflowID(member))
}

func TestRecordHistories(t *testing.T) {
	if !*record {
		t.Skip("records only with -record")
	}
	s := newStand(t)
	for name, drive := range recorded {
		there, err := filepath.Glob(filepath.Join(corpus, name+"*"))
		require.NoError(t, err)
		if len(there) > 0 {
			continue
		}
		c := drive(t, s, s.Maker())
		runs := c.histories()
		for i, run := range runs {
			file := name
			if len(runs) > 1 {
				file = fmt.Sprintf("%s-%d", name, i+1)
			}
			writeHistory(t, filepath.Join(corpus, file+".json"), run)
		}
	}
}

// writeHistory writes a history without what names the machine that recorded it.
func writeHistory(t *testing.T, path string, h *historypb.History) {
	t.Helper()
	for _, event := range h.Events {
		anonymize(event.ProtoReflect())
	}
	data, err := temporalproto.CustomJSONMarshalOptions{Indent: ""}.Marshal(h)
	require.NoError(t, err)
	if len(data) > 100_000 {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := w.Write(data)
		require.NoError(t, errors.Join(err, w.Close()))
		path, data = path+".gz", zipped.Bytes()
	}
	require.NoError(t, os.WriteFile(path, data, 0o644))
}

func readHistory(t *testing.T, path string) *historypb.History {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	if strings.HasSuffix(path, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		data, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	var h historypb.History
	require.NoError(t, temporalproto.CustomJSONUnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, &h))
	return &h
}

// anonymize takes the process and host out of every message below m.
func anonymize(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Name() == "identity":
			m.Set(field, protoreflect.ValueOfString("worker"))
		case field.Name() == "sticky_task_queue" || field.Name() == "name" && strings.Contains(value.String(), ":"):
			m.Clear(field) // a sticky queue is named after the host
		case field.IsMap():
		case field.IsList() && field.Kind() == protoreflect.MessageKind:
			for i := range value.List().Len() {
				anonymize(value.List().Get(i).Message())
			}
		case !field.IsList() && field.Kind() == protoreflect.MessageKind:
			anonymize(value.Message())
		}
		return true
	})
}
