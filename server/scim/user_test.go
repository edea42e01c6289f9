package scim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// active:false in every form that Okta and Entra send starts the offboarding.
func TestEveryFormOfDeactivation(t *testing.T) {
	t.Parallel()
	s := newStand(t, "okta")
	op := func(name, path string, value any) object {
		o := object{"op": name}
		if path != "" {
			o["path"] = path
		}
		if value != nil {
			o["value"] = value
		}
		return o
	}
	for name, change := range map[string]func(path string) answer{
		"PUT": func(path string) answer {
			return s.call(t, http.MethodPut, path, object{"schemas": []string{userURN}, "userName": "u@example.com", "active": false})
		},
		"PUT with a text": func(path string) answer {
			return s.call(t, http.MethodPut, path, object{"schemas": []string{userURN}, "userName": "u@example.com", "Active": "False"})
		},
		"path":             func(path string) answer { return s.patch(t, path, op("replace", "active", false)) },
		"no path":          func(path string) answer { return s.patch(t, path, op("replace", "", object{"active": false})) },
		"capital":          func(path string) answer { return s.patch(t, path, op("Replace", "active", "False")) },
		"capital, no path": func(path string) answer { return s.patch(t, path, op("Replace", "", object{"active": "False"})) },
		"add":              func(path string) answer { return s.patch(t, path, op("Add", "Active", false)) },
		"another case":     func(path string) answer { return s.patch(t, path, op("REPLACE", "ACTIVE", "false")) },
		"with the schema":  func(path string) answer { return s.patch(t, path, op("replace", userURN+":active", false)) },
		"with others": func(path string) answer {
			return s.patch(t, path, op("replace", "title", "Former"), op("replace", "", object{"id": "x", "active": false, "phoneNumbers": []object{}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := s.made(t, "u@example.com")
			s.Credential(id)
			begun := time.Now()
			a := change("/Users/"+id).want(t, http.StatusOK)
			require.Less(t, time.Since(begun), 10*time.Second)
			require.Equal(t, false, a.body["active"])
			require.Equal(t, "inactive", s.Text(`SELECT status FROM members WHERE id = $1`, id))
			require.Equal(t, "okta "+s.Admin, s.Text(`SELECT provider || ' ' || requested_by FROM cases WHERE member_id = $1`, id))
			require.Equal(t, 0, s.Count(`SELECT count(*) FROM credentials WHERE member_id = $1 AND status = 'active'`, id))
			require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE member_id = $1 AND event = 'DeactivateMember' AND origin = 'APPLICATION,Okta,SCIM'`, id))

			// Once more: nothing happens.
			events := len(s.Events())
			s.patch(t, "/Users/"+id, op("replace", "active", false)).want(t, http.StatusOK)
			require.Len(t, s.Events(), events)
			require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases WHERE member_id = $1`, id))

			a = s.patch(t, "/Users/"+id, op("replace", "active", true)).want(t, http.StatusOK)
			require.Equal(t, true, a.body["active"])
			require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, id))
			s.call(t, http.MethodDelete, "/Users/"+id, nil).want(t, http.StatusNoContent)
			require.Equal(t, "archived", s.Text(`SELECT status FROM members WHERE id = $1`, id))
			s.get(t, "/Users/"+id).want(t, http.StatusNotFound)
			s.call(t, http.MethodDelete, "/Users/"+id, nil).want(t, http.StatusNotFound)
			s.Exec(`UPDATE members SET email = id || '@example.com', user_name = id WHERE id = $1`, id) // the next one is another
		})
	}
}
