package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/protobuf/proto"

	"handover/internal/fixture"
	"handover/internal/temporalserver"
	"handover/offboarding"
	"handover/postgres"
)

const namespace = "default"

// stack is a devstack that runs in a folder as a process of its own.
type stack struct {
	proc             *process
	dir              string // has .handover in it
	temporal, health string // addresses, the same for each start
	server, people   string // addresses of the HTTP API, "" for none, and of who signs people in
	DatabaseURL      string `json:"database_url"`
	ServerURL        string `json:"server_url"` // of the same database, for the server behind its wall
	OwnerURL         string `json:"owner_url"`  // of the same database, for who owns its tables
	TemporalAddress  string `json:"temporal_address"`
	db               *sqlx.DB
	client           client.Client
}

// up starts a devstack and waits until it can be worked with. A later up, after a
// crash, starts it again in the same folder.
func (s *stack) up() (err error) {
	if s.temporal == "" {
		s.temporal, s.health, s.people = freeAddress(), freeAddress(), freeAddress()
	}
	state := filepath.Join(s.dir, ".handover")
	s.proc, err = launch(s.dir, nil, "devstack", "up", "--temporal-listen", s.temporal, "--ui-listen", "", "--health-address", s.health,
		"--listen-address", s.server, "--sign-in-listen", s.people)
	if err != nil {
		return err
	}
	err = await(func() error {
		if !s.proc.running() {
			return nil
		}
		if !strings.Contains(s.proc.out.String(), "Handover is up.") {
			return errors.New("it is not up yet")
		}
		return says(s.proc, s.health, "/readyz", 200, "ok")()
	})
	if err != nil || !s.proc.running() {
		return fmt.Errorf("devstack: %w\n%s\n%s", err, s.proc.out.String(), s.proc.err.String())
	}
	data, err := os.ReadFile(filepath.Join(state, "devstack.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, s); err != nil {
		return err
	}
	s.disconnect()
	if s.db, err = sqlx.Connect("postgres", s.OwnerURL); err != nil {
		return err
	}
	s.client, err = dial(s.TemporalAddress, namespace)
	return err
}

func dial(address, namespace string) (client.Client, error) {
	return client.Dial(client.Options{HostPort: address, Namespace: namespace, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
}

func (s *stack) disconnect() {
	if s.client != nil {
		s.client.Close()
	}
	if s.db != nil {
		_ = s.db.Close()
	}
}

// down stops the devstack as ctrl-C does.
func (s *stack) down() error {
	s.disconnect()
	if err := s.proc.terminate(); err != nil {
		return err
	}
	if code := s.proc.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("devstack ended with exit code %d:\n%s", code, s.proc.err.String())
	}
	if strings.Contains(s.proc.err.String(), "DATA RACE") {
		return fmt.Errorf("devstack has a data race:\n%s", s.proc.err.String())
	}
	return nil
}

// sharedStack is what the tests that need no devstack of their own work on, each
// with an organization, a database or a namespace of its own.
var sharedStack shared

type shared struct {
	once  sync.Once
	stack *stack
	err   error
}

func (s *shared) get(t testing.TB) *stack {
	t.Helper()
	s.once.Do(func() {
		s.stack = &stack{dir: tempDir(t)}
		s.err = s.stack.up()
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.stack
}

// end checks what was promised about everything that the tests did, and stops the stack.
func (s *shared) end() error {
	if s.stack == nil {
		return nil
	}
	if s.err != nil {
		return s.stack.down()
	}
	broken, err := brokenInvariants(s.stack.DatabaseURL)
	if err == nil && len(broken) > 0 {
		err = fmt.Errorf("after all tests: %s", strings.Join(broken, "; "))
	}
	said := s.stack.proc.err.String()
	if strings.Contains(said, emailDomain) || strings.Contains(said, displayName) {
		err = errors.Join(err, fmt.Errorf("the log of devstack has personal data in it:\n%s", said))
	}
	return errors.Join(err, s.stack.down())
}

// brokenInvariants lists the promises that do not hold.
func brokenInvariants(databaseURL string) ([]string, error) {
	store, err := postgres.Open(databaseURL, 2)
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }() // only read
	checked, err := store.CheckInvariants(context.Background())
	if err != nil {
		return nil, err
	}
	if len(checked) == 0 {
		return nil, errors.New("no invariant was checked")
	}
	var broken []string
	for _, i := range checked {
		if !i.Holds() {
			broken = append(broken, fmt.Sprintf("%s: %d, such as %s", i.Name, i.Broken, i.Sample))
		}
	}
	v := &offboarding.AuditVerifier{}
	if err := store.VerifyAudit(context.Background(), "", v, nil); err != nil {
		return nil, err
	}
	for _, b := range v.Report().Breaks {
		broken = append(broken, fmt.Sprintf("the audit is not what was sealed: %+v", b))
	}
	return broken, nil
}

func requireInvariants(t testing.TB, databaseURL string) {
	t.Helper()
	broken, err := brokenInvariants(databaseURL)
	require.NoError(t, err)
	require.Empty(t, broken)
}

// What only the personal data of a fixture has in it.
const (
	emailDomain = "acme.example"
	displayName = "Member "
)

// newOrganization is a small organization on the shared stack.
func newOrganization(t testing.TB) (*fixture.Organization, *stack) {
	t.Helper()
	s := sharedStack.get(t)
	return fixture.New(t, s.db), s
}

// forward moves the clock of a case.
func forward(t testing.TB, c client.Client, workflowID string, d time.Duration) {
	t.Helper()
	require.NoError(t, fastForward(t.Context(), c, workflowID, d))
}

func fastForward(ctx context.Context, c client.Client, workflowID string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return temporalserver.FastForward(ctx, c, namespace, workflowID, d)
}

// requireNoPersonalData looks for what identifies people in everything that the
// history of a case keeps.
func requireNoPersonalData(t testing.TB, c client.Client, workflowID string, more ...string) {
	t.Helper()
	events := 0
	history := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		events++
		raw, err := proto.Marshal(event) // payloads are in it byte for byte
		require.NoError(t, err)
		for _, needle := range append([]string{emailDomain, displayName}, more...) {
			require.NotContains(t, string(raw), needle, "event %d, %s", event.GetEventId(), event.GetEventType())
		}
	}
	require.Greater(t, events, 4, "the history was read")
}
