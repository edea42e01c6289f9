package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"handover/internal/codec"
	"handover/internal/fixture"
	"handover/offboarding"
)

// What Temporal keeps of a case can be read by nobody without a key; the key changes
// while the case is open.
func TestTemporalKeepsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := fixture.New(t, p.prepare(t))
	document, wanted := o.Document(o.Leaver, ""), o.Document(o.Leaver, "")
	maker := o.Maker()
	o.Grant(document, maker, offboarding.GrantEdit)
	o.Grant(wanted, maker, offboarding.GrantView)
	key := func(id string) (codec.Key, string) {
		k := codec.Key{ID: id, Secret: make([]byte, codec.KeySize)}
		_, _ = rand.Read(k.Secret)
		return k, id + ":" + base64.StdEncoding.EncodeToString(k.Secret)
	}
	first, firstText := key("2026")
	second, secondText := key("2027")

	worker, health := p.worker(t, "HANDOVER_PAYLOAD_KEYS="+firstText)
	waitFor(t, "the worker is ready", says(worker, health, "/readyz", 200, "ok"))
	const reason = "has left for the sea"
	succeed(t, work, p.env("HANDOVER_PAYLOAD_KEYS="+firstText), "starter", "start", o.Leaver, "--as", o.Admin, "--reason", reason)

	// Another key is for what is new, and the old one for what is there.
	require.NoError(t, worker.terminate())
	both := "HANDOVER_PAYLOAD_KEYS=" + secondText + "," + firstText
	worker, health = p.worker(t, both)
	waitFor(t, "the worker is ready", says(worker, health, "/readyz", 200, "ok"))
	require.Contains(t, succeed(t, work, p.env(both), "starter", "claim", document, "--as", maker), "now owns")
	refused := execute(t, work, p.env(both), "starter", "claim", document, "--as", maker)
	require.Contains(t, refused.err, "already_owned", "errors are read too")
	require.Contains(t, succeed(t, work, p.env(both), "starter", "status", o.Leaver), "grace")

	// Without a key: what is there cannot be read, and a plain message is heard.
	plain, err := dial(p.TemporalAddress, p.namespace)
	require.NoError(t, err)
	t.Cleanup(plain.Close)
	f := &foreign{t: t, c: plain, id: "offboarding/" + o.Leaver}
	_, err = f.ask()
	require.Error(t, err)
	f.signal("claim-request", object{"document_id": wanted, "member_id": maker, "note": "mine since spring"})
	waitFor(t, "the request is there", func() error {
		if o.Count(`SELECT count(*) FROM ownership_requests WHERE document_id = $1`, wanted) == 0 {
			return errors.New("there is none yet")
		}
		return nil
	})

	sealed := 0
	history := plain.GetWorkflowHistory(t.Context(), f.id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		text, err := protojson.Marshal(event)
		require.NoError(t, err)
		require.NotContains(t, string(text), reason)
		if event.GetEventType() == enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			continue // which was sent without a key
		}
		sealed += requireSealed(t, text)
	}
	require.Greater(t, sealed, 5)

	// Who has both keys reads it all.
	keys, err := codec.New(second, first)
	require.NoError(t, err)
	options := client.Options{HostPort: p.TemporalAddress, Namespace: p.namespace}
	keys.Apply(&options)
	reader, err := client.Dial(options)
	require.NoError(t, err)
	t.Cleanup(reader.Close)
	status, err := (&foreign{t: t, c: reader, id: f.id}).ask()
	require.NoError(t, err)
	require.Equal(t, "grace", status["phase"])
	require.NotContains(t, worker.err.String(), secondText[5:])
	requireInvariants(t, p.databaseURL)
}

// requireSealed checks every payload of an event, and counts them.
func requireSealed(t *testing.T, event []byte) (n int) {
	t.Helper()
	var decoded any
	require.NoError(t, json.Unmarshal(event, &decoded))
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case map[string]any:
			if metadata, ok := v["metadata"].(map[string]any); ok && metadata["encoding"] != nil {
				require.Equal(t, base64.StdEncoding.EncodeToString([]byte("binary/encrypted")), metadata["encoding"], string(event))
				n++
				return
			}
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(decoded)
	return n
}
