package scim_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/server/scim"
)

// The steps of Okta's SCIM 2.0 SPEC test, one after the other.
func TestOktasSpecTest(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")

	// Users have the right form.
	list := s.get(t, "/Users?count=1&startIndex=1").want(t, http.StatusOK)
	require.Equal(t, []any{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, list.body["schemas"])
	require.InDelta(t, 4, list.body["totalResults"], 0)
	require.InDelta(t, 1, list.body["itemsPerPage"], 0)
	require.InDelta(t, 1, list.body["startIndex"], 0)
	require.Len(t, list.resources(), 1)
	first := list.resources()[0]
	for _, name := range []string{"id", "userName", "name", "active", "emails", "meta", "schemas"} {
		require.NotEmpty(t, first[name], name)
	}
	id := first["id"].(string)
	one := s.get(t, "/Users/"+id).want(t, http.StatusOK)
	require.Equal(t, first, one.body)
	require.Equal(t, s.url+"/Users/"+id, one.header.Get("Location"))

	// What there is not.
	none := s.get(t, `/Users?filter=`+query(`userName eq "random@atko.com"`)).want(t, http.StatusOK)
	require.InDelta(t, 0, none.body["totalResults"], 0)
	require.Equal(t, []any{}, none.body["Resources"])
	s.get(t, "/Users/00000000-0000-4000-8000-000000000000").want(t, http.StatusNotFound, "", "member_not_found")
	s.get(t, "/Users/010101001010101011001010101011").want(t, http.StatusNotFound)

	// A user of random values, read again, made again.
	user := object{
		"schemas": []string{userURN}, "userName": "runscope300@atko.com", "name": object{"givenName": "Runscope", "familyName": "Test"},
		"emails": []object{{"primary": true, "value": "runscope300@atko.com", "type": "work"}}, "active": true, "externalId": "00u1",
		"password": "secret", "displayName": "Runscope Test", "locale": "en-US", "groups": []object{},
	}
	made := s.call(t, http.MethodPost, "/Users", user).want(t, http.StatusCreated)
	require.Equal(t, s.url+"/Users/"+made.id(), made.header.Get("Location"))
	require.Equal(t, "Runscope", made.body["name"].(map[string]any)["givenName"])
	require.Equal(t, "00u1", made.body["externalId"])
	require.NotContains(t, made.text, "secret")
	require.NotContains(t, s.log.String(), "atko")
	require.Equal(t, made.body, s.get(t, "/Users/"+made.id()).body)
	s.call(t, http.MethodPost, "/Users", user).want(t, http.StatusConflict, "uniqueness", "already_exists")

	// userName is found without regard to case.
	found := s.get(t, "/Users?filter="+query(`userName eq "RUNSCOPE300@atko.com"`)).resources()
	require.Len(t, found, 1)
	require.Equal(t, made.id(), found[0]["id"])

	// Groups.
	groups := s.get(t, "/Groups").want(t, http.StatusOK)
	require.Equal(t, []any{}, groups.body["Resources"])
	s.call(t, http.MethodPost, "/Users", object{"schemas": []string{userURN}}).want(t, http.StatusBadRequest, "invalidValue")
}

func query(filter string) string {
	return url.QueryEscape(filter)
}

// What is wrong is told as RFC 7644 has it.
func TestErrors(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "entra")
	id := s.made(t, "u@example.com")
	user, patch := `{"schemas":["`+userURN+`"],`, `{"schemas":["`+patchURN+`"],"Operations":`
	for _, test := range []struct {
		method, path, body string
		status             int
		scimType           string
	}{
		{"GET", "/Me", "", 501, ""},
		{"POST", "/Bulk", "{}", 501, ""},
		{"GET", "/", "", 501, ""},
		{"GET", "/Nothing", "", 404, ""},
		{"GET", "/Users/" + id + "/emails", "", 404, ""},
		{"GET", "/v2/Users", "", 404, ""},
		{"GET", "/Schemas/urn:none", "", 404, ""},
		{"GET", "/ResourceTypes/Thing", "", 404, ""},
		{"DELETE", "/Users", "", 405, ""},
		{"PUT", "/Groups", "{}", 405, ""},
		{"POST", "/Users/" + id, "{}", 405, ""},
		{"POST", "/ServiceProviderConfig", "{}", 405, ""},
		{"DELETE", "/Schemas", "", 405, ""},
		{"GET", "/Users/.search", "", 405, ""},
		{"GET", "/Schemas?filter=" + query(`id eq "x"`), "", 403, ""},
		{"GET", "/ResourceTypes?filter=" + query(`id eq "x"`), "", 403, ""},
		{"GET", "/Users?filter=userName", "", 400, "invalidFilter"},
		{"GET", "/Users?filter=" + query(`color eq "red"`), "", 400, "invalidFilter"},
		{"GET", "/Users?filter=" + query(`userName is "x"`), "", 400, "invalidFilter"},
		{"GET", "/Users?filter=" + query(`active gt true`), "", 400, "invalidFilter"},
		{"GET", "/Users?filter=" + query(`active eq "maybe"`), "", 400, "invalidFilter"},
		{"GET", "/Users?filter=" + query(`userName eq null`), "", 400, "invalidFilter"},
		{"GET", "/Users?filter=" + query(`meta.created gt "soon"`), "", 400, "invalidFilter"},
		{"GET", "/Users?filter=" + query(strings.Repeat(`userName eq "a" or `, 20)+`active eq true`), "", 400, "invalidFilter"},
		{"GET", "/Groups?filter=" + query(`members sw "a"`), "", 400, "invalidFilter"},
		{"GET", "/Users?filter=userName%20eq%2", "", 400, "invalidFilter"},
		{"GET", "/Users?count=many", "", 400, ""},
		{"POST", "/Users", "", 400, "invalidSyntax"},
		{"POST", "/Users", "[]", 400, "invalidSyntax"},
		{"POST", "/Users", "null", 400, "invalidSyntax"},
		{"POST", "/Users", "{} {}", 400, "invalidSyntax"},
		{"POST", "/Users", `{"userName":"a@example.com"}`, 400, "invalidSyntax"},
		{"POST", "/Users", user + `"userName":""}`, 400, "invalidValue"},
		{"POST", "/Users", user + `"userName":7}`, 400, "invalidValue"},
		{"POST", "/Users", user + `"userName":"nobody"}`, 400, "invalidValue"},
		{"POST", "/Users", user + `"userName":"a@example.com","active":"perhaps"}`, 400, "invalidValue"},
		{"POST", "/Users", user + `"userName":"a@example.com","emails":[{"value":"no address"}]}`, 400, "invalidValue"},
		{"POST", "/Users", user + `"userName":"a@example.com","emails":[{"value":"a@b.c","primary":true},{"value":"b@b.c","primary":true}]}`, 400, "invalidValue"},
		{"POST", "/Users", user + `"userName":"a@example.com","title":"a\u0000b"}`, 400, "invalidValue"},
		{"POST", "/Users", user + `"userName":"U@example.com"}`, 409, "uniqueness"},
		{"PUT", "/Users/" + id, user + `"userName":"m1@acme.example"}`, 409, "uniqueness"},
		{"PUT", "/Users/00000000-0000-4000-8000-000000000000", user + `"userName":"a@example.com"}`, 404, ""},
		{"PATCH", "/Users/" + id, "{}", 400, "invalidSyntax"},
		{"PATCH", "/Users/" + id, patch + `[]}`, 400, "invalidValue"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"move","path":"title","value":"x"}]}`, 400, "invalidSyntax"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"remove"}]}`, 400, "noTarget"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"replace","value":"x"}]}`, 400, "invalidValue"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"replace","path":"color","value":"x"}]}`, 400, "invalidPath"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"replace","path":"name.color","value":"x"}]}`, 400, "invalidPath"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"replace","path":"emails[","value":"x"}]}`, 400, "invalidPath"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"replace","path":"id","value":"x"}]}`, 400, "mutability"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"add","path":"title"}]}`, 400, "invalidValue"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"remove","path":"userName"}]}`, 400, "invalidValue"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"remove","path":"active"}]}`, 400, "invalidValue"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"replace","path":"emails[type eq \"work\" or type eq \"home\"].primary","value":"perhaps"}]}`, 400, "invalidValue"},
		{"PATCH", "/Users/" + id, patch + `[{"op":"replace","path":"title","value":"x"},{"op":"replace","path":"userName","value":"m1@acme.example"}]}`, 409, "uniqueness"},
		{"POST", "/Groups", `{"schemas":["` + groupURN + `"],"displayName":" "}`, 400, "invalidValue"},
		{"POST", "/Groups", `{"schemas":["` + groupURN + `"],"displayName":"g","members":[{"value":"00000000-0000-4000-8000-000000000000"}]}`, 400, "invalidValue"},
		{"POST", "/Groups", `{"schemas":["` + groupURN + `"],"displayName":"g","members":[{"value":"` + id + `","type":"Group"}]}`, 400, "invalidValue"},
		{"POST", "/Users/.search", `{}`, 400, "invalidSyntax"},
	} {
		t.Run(test.method+" "+test.path+" "+test.body, func(t *testing.T) {
			before := s.Text(`SELECT string_agg(m::text, '' ORDER BY id) FROM members m`)
			a := s.call(t, test.method, test.path, test.body).want(t, test.status, test.scimType)
			require.Equal(t, test.status == 405, a.header.Get("Allow") != "")
			require.Equal(t, before, s.Text(`SELECT string_agg(m::text, '' ORDER BY id) FROM members m`), "nothing changes")
		})
	}
	s.call(t, "POST", "/Users", "{}", "Content-Type", "text/plain").want(t, 415)
	s.call(t, "POST", "/Users", `{"a":"`+strings.Repeat("x", 9<<20)+`"}`).want(t, 413)
	s.call(t, "POST", "/Users", object{"schemas": []string{userURN}, "userName": "j@example.com"}, "Content-Type", "application/json").want(t, 201)
	require.NotContains(t, s.log.String(), "example.com")
	require.Contains(t, s.log.String(), `"route":"PATCH /scim/v2/Users/{id}"`)
}

// Without a token that works nobody hears anything, and tenants do not see each other.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	id := s.made(t, "u@example.com")
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + s.token, s.token, "Bearer " + s.token + "x"} {
		for _, path := range []string{"/Users", "/Users/" + id, "/ServiceProviderConfig", "/Nothing", "/Me"} {
			a := s.call(t, "GET", path, nil, "Authorization", header)
			if a.status != 429 {
				a.want(t, 401)
				require.Contains(t, a.header.Get("WWW-Authenticate"), "Bearer")
			}
		}
	}
	other := fixture.New(t, s.DB)
	other.Provisioned("entra")
	theirs := *s
	theirs.token = s.newToken(t, other)
	theirs.serve(t) // which has not been guessed at
	theirs.get(t, "/Users/"+id).want(t, 404)
	theirs.call(t, "DELETE", "/Users/"+id, nil).want(t, 404)
	theirs.patch(t, "/Users/"+id, object{"op": "replace", "path": "active", "value": false}).want(t, 404)
	for _, filter := range []string{`userName eq "u@example.com"`, `userName eq "u@example.com" or active eq true`, `not (userName eq "x")`, `id eq "` + id + `"`} {
		for _, user := range theirs.get(t, "/Users?filter="+query(filter)).want(t, 200).resources() {
			require.Equal(t, other.ID, s.Text(`SELECT organization_id FROM members WHERE id = $1`, user["id"]), filter)
		}
	}
	group := s.call(t, "POST", "/Groups", object{"schemas": []string{groupURN}, "displayName": "Sales"}).want(t, 201).id()
	theirs.get(t, "/Groups/"+group).want(t, 404)
	theirs.call(t, "DELETE", "/Groups/"+group, nil).want(t, 404)
	theirs.call(t, "POST", "/Groups", object{"schemas": []string{groupURN}, "displayName": "Sales", "members": []object{{"value": id}}}).want(t, 400)

	token := s.Text(`SELECT id FROM scim_tokens WHERE organization_id = $1`, other.ID)
	require.NoError(t, s.store.RevokeScimToken(t.Context(), other.ID, token, other.Owner, fixture.Start))
	theirs.get(t, "/Users").want(t, 401)
	s.serve(t)
	s.get(t, "/Users").want(t, 200)
	for range 100 { // guesses
		s.call(t, "GET", "/Users", nil, "Authorization", "Bearer wrong")
	}
	require.NotEmpty(t, s.call(t, "GET", "/Users", nil, "Authorization", "Bearer wrong").want(t, 429).header.Get("Retry-After"))
	s.get(t, "/Users").want(t, 200) // a provider comes for all its tenants from the same addresses
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "entra")
	ann := s.call(t, "POST", "/Users", object{
		"schemas": []string{userURN}, "userName": `Ann"s\Name`, "externalId": "X-Ann", "displayName": "Ann 100%", "active": false, "title": "Chief",
		"name": object{"givenName": "Ann", "familyName": "Arbor"}, "emails": []object{{"value": "Ann@example.com", "type": "work", "primary": "True"}},
	}).want(t, 201).id()
	bob := s.call(t, "POST", "/Users", object{"schemas": []string{userURN}, "userName": "bob@example.com"}).want(t, 201).id()
	for filter, want := range map[string]string{
		`userName eq "ann\"s\\name"`:                                "ann",
		`USERNAME EQ "BOB@EXAMPLE.COM"`:                             "bob",
		`userName ne "bob@example.com" and externalId pr`:           "ann",
		`userName co "@example"`:                                    "bob",
		`userName sw "ann" or userName sw "bob"`:                    "ann bob",
		`userName ew ".com"`:                                        "bob",
		`externalId eq "X-Ann"`:                                     "ann",
		`externalId eq "x-ann"`:                                     "",
		`displayName eq "ann 100%"`:                                 "ann",
		`displayName co "%"`:                                        "ann",
		`displayName co "_"`:                                        "",
		`emails.value eq "ann@EXAMPLE.com"`:                         "ann",
		`emails eq "ann@example.com"`:                               "ann",
		`emails[value eq "ann@example.com"]`:                        "ann",
		`emails[type eq "work" and value eq "ann@example.com"]`:     "ann",
		`emails[type eq "work"].value eq "ann@example.com"`:         "ann",
		`active eq false`:                                           "ann",
		`active eq "False"`:                                         "ann",
		`active eq true and emails.value ew "@example.com"`:         "bob",
		`not (active eq true)`:                                      "ann",
		`(userName eq "x" or active eq false) and title eq "chief"`: "ann",
		`name.familyName eq "arbor" and name.givenName eq "ann"`:    "ann",
		`id eq "` + ann + `"`:                                       "ann",
		`id eq "7"`:                                                 "",
		userURN + `:userName eq "bob@example.com"`:                  "bob",
		`meta.created gt "2020-01-01T00:00:00Z" and userName eq "bob@example.com"`: "bob",
		`meta.lastModified lt "2020-01-01T00:00:00Z"`:                              "",
	} {
		t.Run(filter, func(t *testing.T) {
			names := map[string]string{ann: "ann", bob: "bob"}
			for _, path := range []string{"get", "search"} {
				var a answer
				if path == "get" {
					a = s.get(t, "/Users?filter="+query(filter))
				} else {
					a = s.call(t, "POST", "/Users/.search", object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "filter": filter})
				}
				a.want(t, 200)
				var got []string
				for _, user := range a.resources() {
					if name := names[user["id"].(string)]; name != "" {
						got = append(got, name)
					}
				}
				require.Equal(t, want, strings.Join(got, " "), a.text)
			}
		})
	}

	// Pages.
	for from, want := range map[string][2]int{
		"startIndex=1&count=2": {1, 2}, "startIndex=0&count=2": {1, 2}, "startIndex=-5&count=100000": {1, 6}, "count=0": {1, 0}, "count=-1": {1, 0},
		"startIndex=6": {6, 1}, "startIndex=7": {7, 0}, "startIndex=5&count=1": {5, 1},
	} {
		a := s.get(t, "/Users?"+from).want(t, 200)
		require.Equal(t, []any{6., float64(want[0]), float64(want[1])}, []any{a.body["totalResults"], a.body["startIndex"], a.body["itemsPerPage"]}, from)
		require.Len(t, a.resources(), want[1])
	}

	// What of them is shown.
	for asked, want := range map[string]string{
		"attributes=userName":                              "id schemas userName",
		"attributes=USERNAME,name.familyName":              "id name schemas userName",
		"attributes=" + userURN + ":userName":              "id schemas userName",
		"attributes=emails.value":                          "emails id schemas",
		"excludedAttributes=userName,meta,externalId,name": "active displayName emails id schemas title",
		"excludedAttributes=id,schemas,name.familyName":    "active displayName emails externalId id meta name schemas title userName",
	} {
		for _, a := range []answer{s.get(t, "/Users/"+ann+"?"+asked), s.call(t, "PATCH", "/Users/"+ann+"?"+asked, object{
			"schemas": []string{patchURN}, "Operations": []object{{"op": "replace", "path": "title", "value": "Chief"}},
		})} {
			require.Equal(t, want, keys(a.want(t, 200).body), asked)
			if name, ok := a.body["name"].(map[string]any); ok {
				require.Len(t, name, 1, "one part of it: %s", asked)
			}
			if strings.HasSuffix(asked, "emails.value") {
				require.Equal(t, []any{map[string]any{"value": "Ann@example.com"}}, a.body["emails"])
			}
		}
	}
}

func keys(body map[string]any) string {
	var names []string
	for name := range body {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// How the service describes itself.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	config := s.get(t, "/ServiceProviderConfig").want(t, 200)
	for feature, supported := range map[string]bool{
		"patch": true, "filter": true, "bulk": false, "changePassword": false, "sort": false, "etag": false,
	} {
		require.Equal(t, supported, config.body[feature].(map[string]any)["supported"], feature)
	}
	require.NotEmpty(t, config.body["documentationUri"])
	scheme := config.body["authenticationSchemes"].([]any)[0].(map[string]any)
	require.Equal(t, "oauthbearertoken", scheme["type"])
	require.Equal(t, s.url+"/ServiceProviderConfig", config.body["meta"].(map[string]any)["location"])
	types := s.get(t, "/ResourceTypes").want(t, 200).resources()
	require.Len(t, types, 2)
	for _, kind := range types {
		require.Equal(t, kind, s.get(t, fmt.Sprintf("/ResourceTypes/%s", kind["id"])).want(t, 200).body)
	}
	schemas := s.get(t, "/Schemas").want(t, 200).resources()
	for _, urn := range []string{userURN, groupURN, enterpriseURN} {
		found := false
		for _, schema := range schemas {
			if schema["id"] == urn {
				found = true
				require.Equal(t, schema, s.get(t, "/Schemas/"+urn).want(t, 200).body)
			}
		}
		require.True(t, found, urn)
	}
}

// Locations are where the configuration says that the server is, whatever name the
// request comes by.
func TestLocationsAreWhereTheServerIs(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	id := s.made(t, "u@example.com")
	endpoint := scim.New(scim.Options{Store: s.store, Log: slog.New(slog.DiscardHandler), PublicURL: "https://handover.example/"})
	for _, path := range []string{"/Users/" + id, "/ServiceProviderConfig", "/ResourceTypes/User"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://evil.example"+scim.Path+path, nil)
		r.Header.Set("Authorization", "Bearer "+s.token)
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, "https://handover.example"+scim.Path+path, w.Header().Get("Location"))
		require.Contains(t, w.Body.String(), `"location":"https://handover.example`+scim.Path+path+`"`)
		require.NotContains(t, w.Body.String(), "evil")
	}
}

// An account with nothing in its profile is what the provider wrote, not one that
// nobody has written; to write it again is nothing.
func TestAnAccountOfAUserNameAlone(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	id := s.made(t, "u@example.com")
	put := func() answer {
		return s.call(t, "PUT", "/Users/"+id, object{"schemas": []string{userURN}, "userName": "u@example.com"}).want(t, 200)
	}
	require.Equal(t, "active id meta schemas userName", keys(put().body))
	events := len(s.Events())
	require.Equal(t, "active id meta schemas userName", keys(put().body))
	require.Len(t, s.Events(), events)
}

// Brackets in brackets are a limited pleasure: the parser calls itself for each.
func TestLongFiltersAndPaths(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "okta")
	id := s.made(t, "u@example.com")
	deep := strings.Repeat("(", 2<<20)
	s.call(t, "POST", "/Users/.search", object{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:SearchRequest"}, "filter": deep + `userName eq "a"`,
	}).want(t, 400, "invalidFilter")
	s.patch(t, "/Users/"+id, object{"op": "remove", "path": "emails[" + deep}).want(t, 400, "invalidPath")
}

// Values as some send them: in a list, in an object, a member as a text. Who reads
// the schema alone learns that a user needs an address.
func TestValuesInOtherForms(t *testing.T) {
	t.Parallel()
	s := newDatabaseStand(t, "entra")
	id := s.made(t, "u@example.com")
	for text, value := range map[string]any{
		"a": "a", "b": []any{"b"}, "c": []object{{"$ref": nil, "value": "c"}}, "d": object{"value": "d"}, "e": object{"Title": "e"},
	} {
		a := s.patch(t, "/Users/"+id, object{"op": "Replace", "path": "title", "value": value}).want(t, 200)
		require.Equal(t, text, a.body["title"])
	}
	for _, value := range []any{[]any{"a", "b"}, object{"other": "a"}, []any{}, 7} {
		s.patch(t, "/Users/"+id, object{"op": "Replace", "path": "title", "value": value}).want(t, 400)
	}
	a := s.call(t, "POST", "/Users", object{"schemas": []string{userURN}, userURN + ":userName": "v@example.com", userURN: object{"title": "t", "active": "False"}}).want(t, 201)
	require.Equal(t, []any{"v@example.com", "t", false}, []any{a.body["userName"], a.body["title"], a.body["active"]})

	group := s.call(t, "POST", "/Groups", object{"schemas": []string{groupURN}, "displayName": "g"}).want(t, 201).id()
	for _, value := range []any{id, []any{id}, object{"value": id}} {
		s.patch(t, "/Groups/"+group, object{"op": "add", "path": "members", "value": value}).want(t, 204)
		require.Len(t, s.get(t, "/Groups/"+group).body["members"], 1)
		s.patch(t, "/Groups/"+group, object{"op": "Remove", "path": "members", "value": value}).want(t, 204)
		require.NotContains(t, s.get(t, "/Groups/"+group).body, "members")
	}
	require.Regexp(t, `"name":"emails","required":true`, s.get(t, "/Schemas/"+userURN).text)
	require.NotRegexp(t, `"name":"emails","required":true`, s.get(t, "/Schemas/"+groupURN).text)
}
