package scim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exchange is a request as a provider documents it, and what is answered. A word
// such as $USER is what an earlier answer has saved.
type exchange struct {
	Request struct {
		Method, Path string
		Body         json.RawMessage
	}
	Answer struct {
		Status int
		Body   map[string]any // has to be in the answer; what is beside it may be
	}
	Save map[string]string // the answer's field, by the word
}

// What Okta and Entra send, in order, against a real database, Temporal server and worker.
func TestWhatTheProvidersSend(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"okta", "entra"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, provider)
			words := []string{"$MANAGER", s.Manager}
			files, err := filepath.Glob(filepath.Join("testdata", provider, "*.json"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for _, file := range files {
				raw, err := os.ReadFile(file)
				require.NoError(t, err)
				var x exchange
				require.NoError(t, json.Unmarshal([]byte(strings.NewReplacer(words...).Replace(string(raw))), &x), file)
				var body any
				if x.Request.Body != nil {
					body = string(x.Request.Body)
				}
				a := s.call(t, x.Request.Method, x.Request.Path, body)
				require.Equal(t, x.Answer.Status, a.status, "%s: %s", file, a.text)
				contains(t, file, x.Answer.Body, a.body)
				for word, field := range x.Save {
					words = append(words, "$"+word, a.body[field].(string))
				}
			}
			user := words[3]
			require.Equal(t, provider, s.Text(`SELECT managed_by FROM members WHERE id = $1`, user))
			require.NotEqual(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, user))
			require.Equal(t, 2, s.Count(`SELECT count(*) FROM audit_events WHERE member_id = $1 AND event = 'DeactivateMember'`, user))
			require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE member_id = $1 AND event = 'ReactivateMember'`, user))
			require.NotContains(t, s.log.String(), "@")
		})
	}
}

// contains checks that all of want is in got; lists have as many.
func contains(t *testing.T, at string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		require.True(t, ok || len(want) == 0, "%s: %v", at, got)
		for key, value := range want {
			contains(t, at+" "+key, value, object[key])
		}
	case []any:
		list, ok := got.([]any)
		require.True(t, ok && len(list) == len(want), "%s: %v", at, got)
		for i, value := range want {
			contains(t, at, value, list[i])
		}
	default:
		require.Equal(t, want, got, at)
	}
}
