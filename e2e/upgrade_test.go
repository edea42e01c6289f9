package e2e_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"handover/internal/fixture"
	"handover/internal/temporalserver"
)

// Two workers of two builds: open cases go on with the new one from the moment on in which
// it is made current, and the old one can be stopped.
func TestARollingUpgradeTakesOpenCasesAlong(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	colleague, late := o.Maker(), o.Maker()
	document, other := o.Document(o.Leaver, ""), o.Document(o.Leaver, "")
	o.Document(late, "")
	o.Grant(document, colleague, "edit")
	versioned := func(build string) *process {
		worker, health := p.worker(t, "HANDOVER_DEPLOYMENT=handover", "HANDOVER_BUILD_ID="+build)
		waitFor(t, build+" is ready", says(worker, health, "/readyz", 200, "ok"))
		return worker
	}
	c, err := dial(p.TemporalAddress, p.namespace)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	deployment := c.WorkerDeploymentClient().GetHandle("handover")
	promote := func(build string) {
		waitFor(t, build+" is current", func() error {
			_, err := deployment.SetCurrentVersion(t.Context(), temporal.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
			return err
		})
	}
	// A case changes with its next task, once all of Temporal knows what is current.
	runsOn := func(f *foreign, build string) {
		t.Helper()
		waitFor(t, f.id+" runs on "+build, func() error {
			_, _ = f.update("claim-request", object{"document_id": uuid.NewString(), "member_id": colleague}) // refused: a task
			described, err := c.DescribeWorkflowExecution(t.Context(), f.id, "")
			if err != nil {
				return err
			}
			on := described.GetWorkflowExecutionInfo().GetVersioningInfo().GetDeploymentVersion().GetBuildId()
			if on != build {
				return fmt.Errorf("it runs on %q", on)
			}
			return nil
		})
	}

	before := versioned("old")
	promote("old")
	open := p.begin(t, object{"member_id": o.Leaver, "requested_by": o.Admin})
	open.until("phase", "grace")
	runsOn(open, "old")

	after := versioned("new")
	second := p.begin(t, object{"member_id": late, "requested_by": o.Admin})
	second.until("phase", "grace")
	runsOn(second, "old") // nobody has made the new one current

	promote("new")
	runsOn(open, "new")
	runsOn(second, "new")
	claimed, err := open.update("claim-request", object{"document_id": document, "member_id": colleague})
	require.NoError(t, err)
	require.Equal(t, "claimed", claimed["outcome"])
	require.NoError(t, before.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, before.wait(t), before.err.String())

	for _, f := range []*foreign{open, second} {
		require.NoError(t, temporalserver.FastForward(t.Context(), c, p.namespace, f.id, 8*day))
		f.until("phase", "read_only")
		runsOn(f, "new")
	}
	_, err = open.update("transfer-documents", object{"admin_id": o.Admin, "new_owner_id": o.Manager, "document_ids": []string{other}})
	require.NoError(t, err)
	result, err := open.result()
	require.NoError(t, err)
	require.Equal(t, "completed", result["phase"])
	requireLogs(t, after, `"build_id":"new"`)
	requireInvariants(t, p.databaseURL)
}
