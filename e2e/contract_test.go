package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"handover/internal/fixture"
)

// object is JSON as another language sees it. These tests use none of our types and
// names: they are written from the page of the contract.
type object = map[string]any

// foreign is an HR system in some other language, with one case.
type foreign struct {
	t   testing.TB
	c   client.Client
	id  string // of the workflow
	run client.WorkflowRun
}

// begin starts a workflow of the type by its name.
func begin(t testing.TB, c client.Client, id string, input object) *foreign {
	t.Helper()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "offboarding"}, "Offboarding", input)
	require.NoError(t, err)
	return &foreign{t: t, c: c, id: id, run: run}
}

func (f *foreign) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(f.t.Context(), patience)
}

func (f *foreign) status() object {
	f.t.Helper()
	status, err := f.ask()
	require.NoError(f.t, err)
	return status
}

func (f *foreign) ask() (status object, err error) {
	ctx, cancel := f.context()
	defer cancel()
	value, err := f.c.QueryWorkflow(ctx, f.id, "", "status")
	if err != nil {
		return nil, err
	}
	return status, value.Get(&status)
}

// until waits until the status shows it; a dot leads into the objects.
func (f *foreign) until(path ...any) object {
	f.t.Helper()
	var status object
	want := path[len(path)-1]
	waitFor(f.t, f.id, func() (err error) {
		if status, err = f.ask(); err != nil {
			return err
		}
		var have any = status
		for _, key := range path[:len(path)-1] {
			have = have.(object)[key.(string)]
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			return fmt.Errorf("%v is %v in %v", path, have, status)
		}
		return nil
	})
	return status
}

func (f *foreign) signal(name string, payload any) {
	f.t.Helper()
	require.NoError(f.t, f.c.SignalWorkflow(f.t.Context(), f.id, "", name, payload))
}

func (f *foreign) update(name string, payload any) (out object, err error) {
	ctx, cancel := f.context()
	defer cancel()
	handle, err := f.c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: f.id, UpdateName: name, Args: []any{payload}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return nil, err
	}
	return out, handle.Get(ctx, &out)
}

func (f *foreign) result() (result object, err error) {
	ctx, cancel := f.context()
	defer cancel()
	return result, f.run.Get(ctx, &result)
}

// codeOf is the type of the application error, which every SDK can read.
func codeOf(t testing.TB, err error) string {
	t.Helper()
	var app *temporal.ApplicationError
	require.True(t, errors.As(err, &app), "want an application error, not %v", err)
	require.True(t, app.NonRetryable())
	var details object
	require.NoError(t, app.Details(&details))
	violations := details["violations"].([]any)
	require.NotEmpty(t, violations)
	first := violations[0].(object)
	require.Equal(t, app.Type(), first["code"], "the type is the first violation's code")
	require.NotEmpty(t, first["message"])
	requireSnakeCase(t, details)
	return app.Type()
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// requireSnakeCase checks all the keys, however deep.
func requireSnakeCase(t testing.TB, value any) {
	t.Helper()
	switch v := value.(type) {
	case object:
		for key, inner := range v {
			require.Regexp(t, snakeCase, key)
			requireSnakeCase(t, inner)
		}
	case []any:
		for _, inner := range v {
			requireSnakeCase(t, inner)
		}
	}
}

func at(t testing.TB, value any) time.Time {
	t.Helper()
	text, _ := value.(string)
	parsed, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return parsed
}

func TestTwoIDsStartACase(t *testing.T) {
	t.Parallel()
	o, s := newOrganization(t)
	o.Document(o.Leaver, "")
	o.Credential(o.Leaver)
	o.Session(o.Leaver)
	f := begin(t, s.client, "offboarding/"+o.Leaver, object{"member_id": o.Leaver, "requested_by": o.Admin})
	status := f.until("phase", "grace")
	requireSnakeCase(t, status)
	for _, key := range []string{
		"case_id", "workflow_id", "organization_id", "member_id", "requested_by", "phase", "disposition", "effective_at", "deactivated_at",
		"grace_ends_at", "next_reminder_at", "documents", "pending_requests", "pending_count", "steps_done", "messages_handled", "workflow_time",
	} {
		require.Contains(t, status, key)
	}
	require.Equal(t, []any{f.id, o.ID, o.Leaver, o.Admin, "retain"}, []any{
		status["workflow_id"], status["organization_id"], status["member_id"], status["requested_by"], status["disposition"],
	})
	require.Equal(t, []any{}, status["pending_requests"], "a list that is empty, not null")
	require.Equal(t, 7*24*time.Hour, at(t, status["grace_ends_at"]).Sub(at(t, status["deactivated_at"])))
	require.Equal(t, 1.0, status["documents"].(object)["unowned"])
	require.Equal(t, "inactive", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver))
	require.Zero(t, o.Count(`SELECT (SELECT count(*) FROM credentials WHERE member_id = $1 AND status = 'active')
		+ (SELECT count(*) FROM sessions WHERE member_id = $1 AND status = 'active')`, o.Leaver))

	answer, err := f.update("await-revoked", nil)
	require.NoError(t, err)
	require.Equal(t, status["case_id"], answer["case_id"])
	requireNoPersonalData(t, s.client, f.id)
}

func TestExternalIDsAndAWorkflowIDOfItsOwn(t *testing.T) {
	t.Parallel()
	o, s := newOrganization(t)
	for _, member := range []string{o.Leaver, o.Admin, o.Manager} {
		o.Exec(`UPDATE members SET external_id = 'hr ' || id WHERE id = $1`, member)
	}
	o.Document(o.Leaver, "")
	mine := "tickets/" + uuid.NewString()
	f := begin(t, s.client, mine, object{
		"member_id": "external:hr " + o.Leaver, "requested_by": "external:hr " + o.Admin,
		"disposition": "transfer", "new_owner_id": "external:hr " + o.Manager, "effective_at": time.Now().UTC().Add(48 * time.Hour).Format(time.RFC3339),
	})
	status := f.until("phase", "scheduled")
	require.Equal(t, []any{mine, o.Leaver, o.Admin, o.Manager}, []any{
		status["workflow_id"], status["member_id"], status["requested_by"], status["new_owner_id"],
	})

	second := begin(t, s.client, "offboarding/"+o.Leaver, object{"member_id": o.Leaver, "requested_by": o.Owner})
	answer, err := second.result()
	require.NoError(t, err)
	requireSnakeCase(t, answer)
	require.Equal(t, []any{true, mine, status["case_id"], "scheduled"}, []any{
		answer["existing"], answer["workflow_id"], answer["case_id"], answer["phase"],
	})
	require.Equal(t, 1, o.Count(`SELECT count(*) FROM cases WHERE member_id = $1`, o.Leaver))

	forward(t, s.client, mine, 48*time.Hour)
	result, err := f.result()
	require.NoError(t, err)
	require.Equal(t, []any{"completed", mine, o.Leaver}, []any{result["phase"], result["workflow_id"], result["member_id"]})
	require.Equal(t, 1.0, result["documents"].(object)["transferred"])
	for _, id := range []string{mine, second.id} {
		requireNoPersonalData(t, s.client, id)
	}
}

// TestEveryMessage sends each message as a signal, and each as an update.
func TestEveryMessage(t *testing.T) {
	t.Parallel()
	t.Run("signals", func(t *testing.T) {
		t.Parallel()
		everyMessage(t, func(f *foreign, name string, payload object, _ string) { f.signal(name, payload) })
	})
	t.Run("updates", func(t *testing.T) {
		t.Parallel()
		everyMessage(t, func(f *foreign, name string, payload object, outcome string) {
			f.t.Helper()
			answer, err := f.update(name, payload)
			require.NoError(f.t, err)
			require.Equal(f.t, outcome, answer["outcome"])
			requireSnakeCase(f.t, answer)
		})
	})
}

func everyMessage(t *testing.T, send func(f *foreign, name string, payload object, outcome string)) {
	o, s := newOrganization(t)
	maker, editor, viewer := o.Maker(), o.Member("contributor", "editor"), o.Member("reader", "viewer")
	var documents []string
	for range 5 {
		documents = append(documents, o.Document(o.Leaver, ""))
	}
	o.Grant(documents[0], maker, "edit")
	o.Grant(documents[1], editor, "edit")
	o.Grant(documents[2], viewer, "view")
	f := begin(t, s.client, "offboarding/"+o.Leaver, object{"member_id": o.Leaver, "requested_by": o.Admin})
	status := f.until("phase", "grace")

	send(f, "claim-request", object{"document_id": documents[0], "member_id": maker, "note": "I wrote half of it"}, "claimed")
	f.until("documents", "claimed", 1)
	send(f, "claim-request", object{"document_id": documents[1], "member_id": editor}, "requested")
	request := f.until("pending_count", 1)["pending_requests"].([]any)[0]
	send(f, "admin-approval", object{"request_id": request, "admin_id": o.Admin, "decision": "approve", "new_owner_id": maker}, "approved")
	f.until("documents", "approved", 1)
	send(f, "claim-request", object{"document_id": documents[2], "member_id": viewer}, "requested")
	request = f.until("pending_count", 1)["pending_requests"].([]any)[0]
	send(f, "admin-approval", object{"request_id": request, "admin_id": o.Admin, "decision": "reject", "note": "no"}, "rejected")
	f.until("pending_count", 0)
	send(f, "transfer-documents", object{"admin_id": o.Admin, "new_owner_id": maker, "document_ids": []string{documents[3]}}, "transferred")
	f.until("documents", "transferred", 1)
	later := at(t, status["grace_ends_at"]).AddDate(0, 0, 30)
	send(f, "extend-grace", object{"admin_id": o.Admin, "until": later.Format(time.RFC3339Nano)}, "extended")
	f.until("grace_ends_at", later.Format(time.RFC3339Nano))
	f.until("documents", "unowned", 2)
	send(f, "reactivate", object{"admin_id": o.Admin, "return_documents": true}, "reactivated")
	result, err := f.result()
	require.NoError(t, err)
	require.Equal(t, "reactivated", result["phase"])
	require.Equal(t, 5, o.Count(`SELECT count(*) FROM documents WHERE owner_id = $1 AND access = 'editable'`, o.Leaver))
	requireNoPersonalData(t, s.client, f.id)

	// The leaver is active again, and leaves once more: later, then not at all.
	now := time.Now().UTC().Truncate(time.Second)
	f = begin(t, s.client, f.id, object{"member_id": o.Leaver, "requested_by": o.Admin, "effective_at": now.AddDate(0, 0, 30).Format(time.RFC3339)})
	f.until("phase", "scheduled")
	earlier := now.AddDate(0, 0, 20).Format(time.RFC3339)
	send(f, "reschedule", object{"admin_id": o.Admin, "effective_at": earlier}, "rescheduled")
	f.until("effective_at", earlier)
	send(f, "cancel", object{"admin_id": o.Admin, "reason": "stays"}, "canceled")
	result, err = f.result()
	require.NoError(t, err)
	require.Equal(t, "canceled", result["phase"])
	require.Equal(t, "active", o.Text(`SELECT status FROM members WHERE id = $1`, o.Leaver))
	requireNoPersonalData(t, s.client, f.id)
}

func TestARefusedStartSaysTheCode(t *testing.T) {
	t.Parallel()
	o, s := newOrganization(t)
	editor := o.Member("contributor", "editor")
	private, foreigner, managed := o.Maker(), o.Maker(), o.Maker()
	o.Exec(`UPDATE members SET email = 'someone.' || id || '@gmail.com' WHERE id = $1`, private)
	o.Exec(`UPDATE members SET email = 'someone@elsewhere.example' WHERE id = $1`, foreigner)
	o.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, managed)
	for code, input := range map[string]object{
		"member_not_found":       {"member_id": uuid.NewString(), "requested_by": o.Admin},
		"self_offboarding":       {"member_id": o.Admin, "requested_by": o.Admin},
		"not_authorized":         {"member_id": o.Leaver, "requested_by": o.Manager},
		"isp_domain":             {"member_id": private, "requested_by": o.Admin},
		"domain_not_associated":  {"member_id": foreigner, "requested_by": o.Admin},
		"externally_managed":     {"member_id": managed, "requested_by": o.Admin},
		"new_owner_not_eligible": {"member_id": o.Leaver, "requested_by": o.Admin, "disposition": "transfer", "new_owner_id": editor},
		"invalid_argument":       {"member_id": o.Leaver, "requested_by": o.Admin, "effective_at": "next week", "archive_schedules": true, "disposition": "archive"},
	} {
		_, err := begin(t, s.client, "refused/"+uuid.NewString(), input).result()
		require.Equal(t, code, codeOf(t, err), "%v", input)
	}
	f := begin(t, s.client, "refused/"+uuid.NewString(), object{})
	_, err := f.result()
	require.Equal(t, "invalid_argument", codeOf(t, err))
	requireNoPersonalData(t, s.client, f.id, "gmail.com")
	require.Zero(t, o.Count(`SELECT (SELECT count(*) FROM cases WHERE organization_id = $1) + (SELECT count(*) FROM audit_events WHERE organization_id = $1)`, o.ID))
}

func TestARefusedMessageChangesNothing(t *testing.T) {
	t.Parallel()
	o, s := newOrganization(t)
	f, documents, maker := caseInGrace(t, o, s, 3)
	editor, stranger := o.Member("contributor", "editor"), o.Maker()
	o.Grant(documents[0], editor, "edit")
	o.Grant(documents[1], editor, "edit")
	claimed, err := f.update("claim-request", object{"document_id": documents[0], "member_id": maker})
	require.NoError(t, err)
	require.Equal(t, []any{"claimed", documents[0], maker}, []any{claimed["outcome"], claimed["document_id"], claimed["owner_id"]})
	requested, err := f.update("claim-request", object{"document_id": documents[1], "member_id": editor})
	require.NoError(t, err)
	_, err = f.update("admin-approval", object{"request_id": requested["request_id"], "admin_id": o.Admin, "decision": "reject"})
	require.NoError(t, err)
	_, err = f.update("claim-request", object{"document_id": documents[1], "member_id": editor})
	require.NoError(t, err)
	o.Exec(`UPDATE organizations SET seat_limit = (SELECT count(*) FROM members WHERE organization_id = $1 AND status = 'active') WHERE id = $1`, o.ID)
	before, audit := f.status(), o.Events()

	refusals := []struct {
		code, name string
		payload    any
	}{
		{"already_owned", "claim-request", object{"document_id": documents[0], "member_id": editor}},
		{"no_access", "claim-request", object{"document_id": documents[2], "member_id": stranger}},
		{"already_requested", "claim-request", object{"document_id": documents[1], "member_id": editor}},
		{"request_not_pending", "admin-approval", object{"request_id": requested["request_id"], "admin_id": o.Admin, "decision": "reject"}},
		{"not_authorized", "transfer-documents", object{"admin_id": maker}},
		{"new_owner_not_eligible", "transfer-documents", object{"admin_id": o.Admin, "new_owner_id": editor}},
		{"invalid_argument", "extend-grace", object{"admin_id": o.Admin, "until": "2001-01-31"}},
		{"wrong_phase", "reschedule", object{"admin_id": o.Admin, "effective_at": "2099-01-31"}},
		{"wrong_phase", "cancel", object{"admin_id": o.Admin}},
		{"seat_limit_exceeded", "reactivate", object{"admin_id": o.Admin}},
	}
	for _, r := range refusals {
		_, err := f.update(r.name, r.payload)
		require.Equal(t, r.code, codeOf(t, err), "%s %v", r.name, r.payload)
	}
	for _, name := range []string{"claim-request", "admin-approval", "transfer-documents", "extend-grace", "reschedule", "cancel", "reactivate"} {
		for _, payload := range []any{object{}, "text", []int{1}, object{"admin_id": 7}} {
			_, err := f.update(name, payload)
			require.Equal(t, "invalid_argument", codeOf(t, err), "%s %v", name, payload)
		}
	}
	require.Len(t, f.status()["refused_messages"], len(refusals), "what is malformed does not even reach the case")

	// The same as signals: recorded, and the case goes on.
	handled := int(f.status()["messages_handled"].(float64))
	for _, r := range refusals[:4] {
		f.signal(r.name, r.payload)
	}
	f.signal("claim-request", "text")
	f.signal("transfer-documents", nil)
	after := f.until("messages_handled", handled+6)
	require.Equal(t, "grace", after["phase"])
	codes := []any{}
	for _, m := range after["refused_messages"].([]any)[len(refusals):] {
		codes = append(codes, m.(object)["code"])
	}
	require.ElementsMatch(t, []any{
		"already_owned", "no_access", "already_requested", "request_not_pending", "invalid_argument", "invalid_argument",
	}, codes)
	for _, key := range []string{"documents", "grace_ends_at", "pending_requests"} {
		require.Equal(t, before[key], after[key])
	}
	require.Equal(t, audit, o.Events())
	requireNoPersonalData(t, s.client, f.id)
}

// caseInGrace starts the leaver's case; a maker may claim each of its n documents.
func caseInGrace(t *testing.T, o *fixture.Organization, s *stack, n int) (f *foreign, documents []string, maker string) {
	t.Helper()
	maker = o.Maker()
	for range n {
		documents = append(documents, o.Document(o.Leaver, ""))
		o.Grant(documents[len(documents)-1], maker, "edit")
	}
	f = begin(t, s.client, "offboarding/"+o.Leaver, object{"member_id": o.Leaver, "requested_by": o.Admin})
	f.until("phase", "grace")
	return f, documents, maker
}
