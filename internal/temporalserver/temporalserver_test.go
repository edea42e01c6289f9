package temporalserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"handover/internal/dirlock"
)

const taskQueue = "test"

// week notes its time at the start, at a signal, and after seven days.
func week(ctx workflow.Context) ([]time.Time, error) {
	times := []time.Time{workflow.Now(ctx)}
	workflow.Go(ctx, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, "note").Receive(ctx, nil)
		times = append(times, workflow.Now(ctx))
	})
	if err := workflow.SetQueryHandler(ctx, "notes", func() (int, error) { return len(times), nil }); err != nil {
		return nil, err
	}
	err := workflow.Sleep(ctx, 7*24*time.Hour)
	return append(times, workflow.Now(ctx)), err
}

func startServer(t *testing.T, opts Options) (*Server, client.Client) {
	t.Helper()
	s, err := Start(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	c, err := s.Client(t.Context(), client.Options{Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflow(week)
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	return s, c
}

func startWeek(ctx context.Context, c client.Client, id string) (client.WorkflowRun, error) {
	return c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, week)
}

func TestFastForwardThroughAWeek(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	s, c := startServer(t, Options{Address: "127.0.0.1:0"})
	require.Less(t, portOf(s.Address()), 32768)
	ctx := t.Context()

	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error {
			id := fmt.Sprintf("week-%d", i)
			run, err := startWeek(ctx, c, id)
			if err != nil {
				return err
			}
			if err := FastForward(ctx, c, s.Namespace(), id, 2*day); err != nil {
				return err
			}
			now, err := VirtualNow(ctx, c, id)
			if err != nil {
				return err
			}
			if ahead := time.Until(now); ahead < 2*day-time.Minute || ahead > 2*day+time.Minute {
				return fmt.Errorf("two days on it is %v ahead", ahead)
			}
			if err := c.SignalWorkflow(ctx, id, "", "note", nil); err != nil {
				return err
			}
			// The fast-forward past the end closes the execution, which is no error.
			if err := FastForward(ctx, c, s.Namespace(), id, 5*day); err != nil {
				return err
			}
			var times []time.Time
			if err := run.Get(ctx, &times); err != nil {
				return err
			}
			if len(times) != 3 {
				return fmt.Errorf("times: %v", times)
			}
			// The first fast-forward counts from before the first workflow task.
			if d := times[1].Sub(times[0]); d < 2*day-time.Minute || d > 2*day+time.Minute {
				return fmt.Errorf("signal after %v", d)
			}
			if d := times[2].Sub(times[0]); d < 7*day || d > 7*day+time.Minute {
				return fmt.Errorf("end after %v", d)
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())

	require.NoError(t, FastForward(ctx, c, s.Namespace(), "week-0", day), "a closed execution")
	require.NoError(t, FastForward(ctx, c, s.Namespace(), "nobody", day), "an unknown execution")
	_, err := Start(ctx, Options{Address: s.Address()})
	require.ErrorContains(t, err, "address already in use")
}

func TestUI(t *testing.T) {
	t.Parallel()
	s, _ := startServer(t, Options{Address: "127.0.0.1:0", UIAddress: "127.0.0.1:0"})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.UIAddress()+"/api/v1/namespaces/"+s.Namespace(), nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	require.Contains(t, string(body), "2592000s", "the retention, 30 days")
}

// TestADirectoryIsOneServersAtATime, and what it keeps is there for the next. That a
// server which is killed loses nothing is seen by the storm (chaos).
func TestADirectoryIsOneServersAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Start(t.Context(), Options{Dir: dir, Address: "127.0.0.1:0"})
	require.NoError(t, err)
	c, err := first.Client(t.Context(), client.Options{Logger: quiet{}})
	require.NoError(t, err)
	_, err = startWeek(t.Context(), c, "week")
	require.NoError(t, err)
	_, err = Start(t.Context(), Options{Dir: dir, Address: "127.0.0.1:0"})
	require.ErrorIs(t, err, dirlock.ErrHeld)
	c.Close()
	require.NoError(t, first.Stop())

	s, c := startServer(t, Options{Dir: dir, Address: "127.0.0.1:0"})
	require.NoError(t, c.SignalWorkflow(t.Context(), "week", "", "note", nil))
	require.NoError(t, FastForward(t.Context(), c, s.Namespace(), "week", 7*24*time.Hour))
	var times []time.Time
	require.NoError(t, c.GetWorkflow(t.Context(), "week", "").Get(t.Context(), &times))
	require.Len(t, times, 3)
}
