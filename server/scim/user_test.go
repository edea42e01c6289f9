package scim_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"handover/internal/testengine"
	"handover/offboarding"
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
		"in an object":     func(path string) answer { return s.patch(t, path, op("Replace", "active", object{"active": false})) },
		"as Entra once had it": func(path string) answer {
			return s.patch(t, path, op("Replace", "active", []object{{"$ref": nil, "value": "False"}}))
		},
		"no path, with the schema": func(path string) answer {
			return s.patch(t, path, op("replace", "", object{userURN + ":active": "False"}))
		},
		"no path, inside the schema": func(path string) answer {
			return s.patch(t, path, op("replace", "", object{userURN: object{"active": false}}))
		},
		"PUT with the schema": func(path string) answer {
			return s.call(t, http.MethodPut, path, object{"schemas": []string{userURN}, "userName": "u@example.com", userURN + ":active": false})
		},
		"PUT inside the schema": func(path string) answer {
			return s.call(t, http.MethodPut, path, object{"schemas": []string{userURN}, userURN: object{"userName": "u@example.com", "Active": "false"}})
		},
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

var (
	deactivate = object{"op": "replace", "path": "active", "value": false}
	activate   = object{"op": "replace", "path": "active", "value": true}
)

// A member whom nobody managed is the provider's from its first write on, and what
// it writes is kept for as long as the account is.
func TestAMemberIsTakenOver(t *testing.T) {
	t.Parallel()
	s := newStand(t, "entra")
	user := s.get(t, "/Users?filter="+query(`userName eq "M4@acme.example"`)).resources()[0]
	require.Equal(t, s.Leaver, user["id"])
	require.NotContains(t, user, "externalId")
	path := "/Users/" + s.Leaver
	a := s.patch(t, path,
		object{"op": "Add", "path": "externalId", "value": "e-4"},
		object{"op": "Add", "path": `emails[type eq "work"].value`, "value": "four@acme.example"},
		object{"op": "Replace", "path": "name.familyName", "value": "Four"},
		object{"op": "Add", "path": enterpriseURN + ":manager", "value": s.Owner},
		object{"op": "Add", "path": enterpriseURN + ":department", "value": "dropped"},
		object{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:CustomExtension:2.0:User:tag", "value": "dropped"},
		object{"op": "Add", "path": `phoneNumbers[type eq "mobile"].value`, "value": "dropped"},
		object{"op": "Replace", "path": "timezone", "value": "Europe/Berlin"},
	).want(t, 200)
	require.NotContains(t, a.text, "dropped")
	require.Equal(t, "e-4", a.body["externalId"])
	require.Equal(t, "entra four@acme.example m4@acme.example e-4 m4 Europe/Berlin "+s.Owner, s.Text(`SELECT concat_ws(' ', managed_by, email, user_name, provider_id,
		external_id, time_zone, manager_id) FROM members WHERE id = $1`, s.Leaver), "the HR system's external ID stays")
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'UpdateMember' AND member_id = $1 AND before->>'managed_by' = ''
		AND after->>'managed_by' = 'entra' AND after->>'email' = 'four@acme.example' AND NOT after ? 'title'`, s.Leaver))

	// What was written already is written again, and nothing happens.
	events := len(s.Events())
	s.patch(t, path, object{"op": "Add", "path": "externalId", "value": "e-4"}).want(t, 200)
	s.patch(t, path, object{"op": "Add", "path": enterpriseURN + ":costCenter", "value": "dropped"}).want(t, 200)
	require.Len(t, s.Events(), events)

	// A whole account: what decides about the member stays where it is left out.
	a = s.call(t, "PUT", path, object{"schemas": []string{userURN}, "userName": "m4@acme.example", "displayName": "Four"}).want(t, 200)
	require.Equal(t, "active displayName externalId id meta schemas timezone "+enterpriseURN+" userName", keys(a.body))
	require.Equal(t, true, a.body["active"])
	require.Equal(t, "m4@acme.example Four", s.Text(`SELECT email || ' ' || display_name FROM members WHERE id = $1`, s.Leaver))

	// A manager whom there is not is none; oneself is none.
	for _, manager := range []any{"nobody", s.Leaver, object{"value": "00u-unknown"}} {
		s.patch(t, path, object{"op": "replace", "path": enterpriseURN + ":manager", "value": manager}).want(t, 200)
		require.Empty(t, s.Text(`SELECT manager_id FROM members WHERE id = $1`, s.Leaver))
	}
}

// A rule that says no changes nothing, and is told by its code.
func TestTheRulesSayNo(t *testing.T) {
	t.Parallel()
	s := newStand(t, "okta")
	unchanged := func(id string) func() {
		before := s.Text(`SELECT m::text FROM members m WHERE id = $1`, id) + s.Text(`SELECT count(*) FROM audit_events`)
		return func() {
			t.Helper()
			require.Equal(t, before, s.Text(`SELECT m::text FROM members m WHERE id = $1`, id)+s.Text(`SELECT count(*) FROM audit_events`))
		}
	}
	check := unchanged(s.Owner)
	s.patch(t, "/Users/"+s.Owner, object{"op": "replace", "path": "title", "value": "x"}, deactivate).want(t, 409, "", "last_owner")
	s.call(t, "DELETE", "/Users/"+s.Owner, nil).want(t, 409, "", "last_owner")
	check()
	// Rules E3 and E4 do not: who the members are is the provider's to say.
	s.Exec(`UPDATE members SET email = 'someone@gmail.com' WHERE id = $1`, s.Manager)
	s.patch(t, "/Users/"+s.Manager, deactivate).want(t, 200)
	s.call(t, "DELETE", "/Users/"+s.made(t, "someone@elsewhere.example"), nil).want(t, 204)

	// No seat is free: for a new account, and for one that comes back.
	id := s.made(t, "u@example.com")
	s.patch(t, "/Users/"+id, deactivate).want(t, 200)
	s.Exec(`UPDATE organizations SET seat_limit = 3 WHERE id = $1`, s.ID)
	check = unchanged(id)
	s.patch(t, "/Users/"+id, object{"op": "replace", "path": "title", "value": "x"}, activate).want(t, 409, "", "seat_limit_exceeded")
	s.call(t, "POST", "/Users", object{"schemas": []string{userURN}, "userName": "v@example.com"}).want(t, 409, "", "seat_limit_exceeded")
	check()

	// A deletion for good waits for the end of a legal hold, and takes everything then.
	s.Exec(`UPDATE organizations SET scim_delete = 'delete', seat_limit = 0 WHERE id = $1`, s.ID)
	_, err := s.store.PlaceHold(t.Context(), offboarding.Hold{MemberID: s.Leaver, Reason: "matter"}, s.Admin, time.Now())
	require.NoError(t, err)
	check = unchanged(s.Leaver)
	s.call(t, "DELETE", "/Users/"+s.Leaver, nil).want(t, 409, "", "legal_hold")
	check()
	s.call(t, "DELETE", "/Users/"+id, nil).want(t, 204)
	require.Equal(t, "deleted", s.Text(`SELECT status FROM members WHERE id = $1`, id))
	s.get(t, "/Users/"+id).want(t, 404)
	require.NotContains(t, s.Text(`SELECT string_agg(m::text, '') FROM members m`), "u@example.com")
	fresh := s.made(t, "u@example.com")
	require.NotEqual(t, id, fresh)
	s.call(t, "DELETE", "/Users/"+fresh, nil).want(t, 204) // an active one is offboarded first
	require.Equal(t, "deleted", s.Text(`SELECT status FROM members WHERE id = $1`, fresh))
}

// Who was deleted over SCIM and is made again comes back as who they were.
func TestADeletedAccountComesBack(t *testing.T) {
	t.Parallel()
	s := newStand(t, "entra")
	id := s.made(t, "u@example.com")
	document := s.Document(id, "")
	s.call(t, "DELETE", "/Users/"+id, nil).want(t, 204)
	require.Equal(t, "archived", s.Text(`SELECT status FROM members WHERE id = $1`, id))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE event = 'ArchiveMember' AND member_id = $1`, id))
	require.Empty(t, s.get(t, "/Users?filter="+query(`userName eq "u@example.com"`)).resources())
	require.Equal(t, id, s.made(t, "U@Example.com"))
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, id))
	require.Equal(t, id+" editable", s.DocumentState(document))
	require.Equal(t, true, s.get(t, "/Users/"+id).body["active"])
}

// What an admin has planned for later happens now, when the provider says so.
func TestAScheduledOffboardingIsBroughtForward(t *testing.T) {
	t.Parallel()
	s := newStand(t, "okta")
	status, err := s.cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: s.Leaver, RequestedBy: s.Admin, EffectiveAt: time.Now().Add(72 * time.Hour).Format(time.RFC3339),
	})
	require.NoError(t, err)
	require.Equal(t, offboarding.PhaseScheduled, status.Phase)
	require.Equal(t, false, s.patch(t, "/Users/"+s.Leaver, deactivate).want(t, 200).body["active"])
	require.Equal(t, "inactive", s.Text(`SELECT status FROM members WHERE id = $1`, s.Leaver))
	require.Equal(t, "failed externally_managed", s.Text(`SELECT phase || ' ' || failure FROM cases WHERE member_id = $1 AND provider = ''`, s.Leaver))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases WHERE member_id = $1 AND provider = 'okta' AND phase <> 'failed'`, s.Leaver))

	// One that the provider itself has planned goes on as it was planned.
	id := s.made(t, "u@example.com")
	s.Document(id, "")
	_, err = s.cases.StartAndAwait(t.Context(), offboarding.Request{
		MemberID: id, Provider: "okta", NewOwnerID: s.Manager, EffectiveAt: time.Now().Add(72 * time.Hour).Format(time.RFC3339),
	})
	require.NoError(t, err)
	require.Equal(t, false, s.patch(t, "/Users/"+id, deactivate).want(t, 200).body["active"])
	require.Equal(t, s.Manager, s.Text(`SELECT new_owner_id FROM cases WHERE member_id = $1`, id))
}

// With policy wait (rule S1) the account is active until the session has ended; the
// provider has had its way and is not kept waiting.
func TestTheProviderDoesNotWaitForSessions(t *testing.T) {
	t.Parallel()
	s := newStand(t, "okta")
	s.Exec(`UPDATE organizations SET sso_sessions = 'wait' WHERE id = $1`, s.ID)
	id := s.made(t, "u@example.com")
	s.Exec(`INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at, expires_at)
		VALUES (gen_random_uuid(), $1, $2, true, 'active', $3, $4)`, s.ID, id, time.Now(), time.Now().Add(time.Hour))
	begun := time.Now()
	require.Equal(t, false, s.patch(t, "/Users/"+id, deactivate).want(t, 200).body["active"])
	require.Less(t, time.Since(begun), 10*time.Second)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, id))
	events := len(s.Events())
	require.Equal(t, false, s.patch(t, "/Users/"+id, deactivate).want(t, 200).body["active"])
	require.Len(t, s.Events(), events)
	for filter, n := range map[string]int{"false": 1, "true": 0} {
		require.Len(t, s.get(t, "/Users?filter="+query(`userName eq "u@example.com" and active eq `+filter)).resources(), n)
	}
	s.call(t, "DELETE", "/Users/"+id, nil).want(t, 204)
	s.get(t, "/Users/"+id).want(t, 404)
}

// Who is deleted while a session is waited for is archived when it has ended.
func TestADeletedAccountIsArchivedAfterTheSession(t *testing.T) {
	t.Parallel()
	s := newStand(t, "okta")
	s.Exec(`UPDATE organizations SET sso_sessions = 'wait' WHERE id = $1`, s.ID)
	id := s.made(t, "u@example.com")
	s.Exec(`INSERT INTO sessions (id, organization_id, member_id, sso, status, created_at, expires_at)
		VALUES (gen_random_uuid(), $1, $2, true, 'active', $3, $4)`, s.ID, id, time.Now(), time.Now().Add(10*time.Second))
	s.call(t, "DELETE", "/Users/"+id, nil).want(t, 204)
	require.Equal(t, "active", s.Text(`SELECT status FROM members WHERE id = $1`, id))
	require.Eventually(t, func() bool {
		return s.Text(`SELECT status FROM members WHERE id = $1`, id) != "active"
	}, time.Minute, 100*time.Millisecond)
	require.Equal(t, "archived", s.Text(`SELECT status FROM members WHERE id = $1`, id))
	require.Equal(t, "archived", s.Text(`SELECT after->>'status' FROM audit_events WHERE event = 'DeactivateMember' AND member_id = $1`, id))
}

// A provider that hangs up is not waited for, and what it has asked for is done.
func TestTheProviderHangsUp(t *testing.T) {
	t.Parallel()
	s, temporal := newStandWithoutWorker(t, "okta")
	id := s.made(t, "u@example.com")
	ctx, hangUp := context.WithCancel(t.Context())
	body := `{"schemas":["` + patchURN + `"],"Operations":[{"op":"replace","path":"title","value":"Former"},{"op":"replace","path":"active","value":false}]}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPatch, s.url+"/Users/"+id, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.token)
	go func() {
		for ctx.Err() == nil && s.Count(`SELECT count(*) FROM audit_events WHERE event = 'UpdateMember' AND member_id = $1`, id) == 0 {
			time.Sleep(time.Millisecond)
		}
		hangUp()
	}()
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	testengine.Work(t, temporal, s.store)
	require.Eventually(t, func() bool {
		return s.Text(`SELECT status FROM members WHERE id = $1`, id) == "inactive"
	}, 30*time.Second, 50*time.Millisecond)
}

// When the engine does not answer, the provider is asked to come again; what was
// started is joined then.
func TestTheEngineDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s, temporal := newStandWithoutWorker(t, "okta")
	id := s.made(t, "u@example.com")
	a := s.patch(t, "/Users/"+id, object{"op": "replace", "path": "title", "value": "Former"}, deactivate).want(t, 503, "", "temporarily_unavailable")
	require.Equal(t, "5", a.header.Get("Retry-After"))
	testengine.Work(t, temporal, s.store)
	a = s.patch(t, "/Users/"+id, object{"op": "replace", "path": "title", "value": "Former"}, deactivate).want(t, 200)
	require.Equal(t, []any{false, "Former"}, []any{a.body["active"], a.body["title"]})
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM cases WHERE member_id = $1`, id))
	require.Equal(t, 1, s.Count(`SELECT count(*) FROM audit_events WHERE member_id = $1 AND event = 'UpdateMember'`, id))
}
