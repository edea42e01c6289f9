package api_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	cases "handover/client"
	"handover/internal/fixture"
	"handover/internal/testdb"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/api"
	"handover/server/auth"
	"handover/server/problem"
	"handover/server/scim"
	"handover/webhook"
)

// The kinds of callers. All but the strangers are of the organization that a request
// is about, or above it.
const (
	nobody        = "nobody"
	guessing      = "a made-up token"
	withScim      = "a SCIM token"
	withEmbed     = "an embed credential"
	revoked       = "a revoked credential"
	inactive      = "a member made inactive"
	reader        = "a reader"
	contributor   = "a contributor"
	roomAdmin     = "a workspace admin"
	admin         = "an admin"
	owner         = "an owner"
	signedIn      = "an owner who has signed in"
	above         = "an admin above, with enterprise plan manager"
	aboveWithout  = "an owner above, without enterprise plan manager"
	strangerOwner = "another tenant's owner"
)

var callers = []string{
	nobody, guessing, withScim, withEmbed, revoked, inactive, reader, contributor, roomAdmin, admin, owner, signedIn, above, aboveWithout, strangerOwner,
}

// who says what each kind of caller is to be answered: "allowed" is any answer that
// is not a refusal to this caller (2xx, or 409 where the state of things says no),
// otherwise "401", "403" or "404".
type who map[string]string

// as gives the callers one answer.
func (w who) as(answer string, callers ...string) who {
	out := who{}
	for name, a := range w {
		out[name] = a
	}
	for _, name := range callers {
		out[name] = answer
	}
	return out
}

const allowed = "allowed"

// closed is the answer for everybody unless a row says otherwise.
var closed = who{}.as("401", nobody, guessing, withScim, revoked, inactive).as("403", withEmbed)

var (
	members = []string{reader, contributor, roomAdmin}
	admins  = []string{admin, owner, signedIn, above}
	others  = []string{aboveWithout, strangerOwner}

	// anyMember may be called by every member, about what is their own.
	anyMember = closed.as(allowed, append(append(slices.Clone(members), admins...), others...)...)
	// ofAdmins may be called by admins, whatever their organization: each sees their own.
	ofAdmins = anyMember.as("403", members...)
	// adminsThere is about something in the organization that only admins may touch; the others do not learn that it is there.
	adminsThere = closed.as("403", members...).as(allowed, admins...).as("404", others...)
	// nothingThere is about something that members do not find either.
	nothingThere = adminsThere.as("404", members...)
)

// routeRow is a route with whom it admits. In path and body "{id}" stands for what
// thing makes, a new one for each caller.
type routeRow struct {
	path  string // "" is the route's own
	thing func(*authWorld, *fixture.Organization) string
	body  any
	form  []string // instead of the body
	csv   string   // instead of the body
	who   who
	// polls is a route that looks until something is there: how often depends on the machine.
	polls bool
	// stream is an answer that goes on: only its beginning counts.
	stream bool
}

// The things that routes are about; each call makes a new one.

func (x *authWorld) member(o *fixture.Organization) string { return o.Maker() }

// openCase is a case that waits for its time, at a worker.
func (x *authWorld) openCase(o *fixture.Organization) string {
	x.t.Helper()
	status, err := x.cases.StartAndAwait(x.t.Context(), offboarding.Request{
		MemberID: o.Maker(), RequestedBy: o.Admin, EffectiveAt: time.Now().AddDate(1, 0, 0).Format(time.DateOnly),
	})
	require.NoError(x.t, err)
	return status.CaseID
}

// run is where a start is found again, behind the path of the members.
func (x *authWorld) run(o *fixture.Organization) string {
	x.t.Helper()
	member := o.Maker()
	started, err := x.cases.Start(x.t.Context(), offboarding.Request{
		MemberID: member, RequestedBy: o.Admin, EffectiveAt: time.Now().AddDate(1, 0, 0).Format(time.DateOnly),
	})
	require.NoError(x.t, err)
	return member + "/starts/" + started.RunID
}

func (x *authWorld) webhook(o *fixture.Organization) string {
	x.t.Helper()
	there, err := x.store.Webhooks(x.t.Context(), o.ID)
	require.NoError(x.t, err)
	if len(there) > 10 { // there are 20 at most
		require.NoError(x.t, x.store.DeleteWebhook(x.t.Context(), there[0].ID, o.Admin, "", time.Now()))
	}
	id, address := uuid.Must(uuid.NewV7()).String(), "https://hooks.example/"
	_, _, err = x.store.CreateWebhook(x.t.Context(), offboarding.WebhookChange{
		WebhookID: id, OrganizationID: o.ID, AdminID: o.Admin, URL: &address, SecretRef: x.keys.Ref(id), At: time.Now(),
	})
	require.NoError(x.t, err)
	return id
}

// delivery is where one is found, behind the path of the webhooks.
func (x *authWorld) delivery(o *fixture.Organization) string {
	x.t.Helper()
	id := x.webhook(o)
	delivery, err := x.store.TestWebhook(x.t.Context(), id, o.Admin, "", time.Now())
	require.NoError(x.t, err)
	return id + "/deliveries/" + offboarding.MessageID(delivery)
}

// deletion is where one is found again, behind the path of the members.
func (x *authWorld) deletion(o *fixture.Organization) string {
	x.t.Helper()
	member := o.Maker()
	started, err := x.cases.DeleteAsync(x.t.Context(), offboarding.DeletionRequest{MemberID: member, RequestedBy: o.Admin}, cases.Once{ID: uuid.NewString()})
	require.NoError(x.t, err)
	return member + "/deletions/" + started.RunID
}

// bulk is a run over nobody, asked for by an owner.
func (x *authWorld) bulk(o *fixture.Organization) string {
	x.t.Helper()
	var started struct {
		ID string `json:"bulk_id"`
	}
	who := x.callers[owner]
	if o == x.stranger {
		who = x.callers[strangerOwner]
	}
	a := who.post(x.t, "/v1/bulk-offboardings", body{"members": []body{{"member_id": "external:nobody"}}})
	require.Less(x.t, a.status, 300, string(a.body))
	require.NoError(x.t, json.Unmarshal(a.body, &started))
	return started.ID
}

// document is one of an active member, on which nobody has a grant.
func (x *authWorld) document(o *fixture.Organization) string { return o.Document(o.Maker(), "") }

// request is a pending request, of somebody else than the callers.
func (x *authWorld) request(o *fixture.Organization) string {
	caseID, id := x.openCase(o), uuid.NewString()
	leaver := o.Text(`SELECT member_id FROM cases WHERE id = $1`, caseID)
	o.Exec(`INSERT INTO ownership_requests (id, organization_id, case_id, document_id, member_id, note, status, created_at)
		VALUES ($1, $2, $3, $4, $5, '', 'pending', $6)`, id, o.ID, caseID, o.Document(leaver, ""), o.Maker(), time.Now())
	return id
}

func (x *authWorld) hold(o *fixture.Organization) string {
	x.t.Helper()
	id, err := x.store.PlaceHold(x.t.Context(), offboarding.Hold{MemberID: o.Maker(), Reason: "x"}, o.Admin, time.Now())
	require.NoError(x.t, err)
	return id
}

func (x *authWorld) workspace(o *fixture.Organization) string { return o.Workspace() }

// provisioned is a member whom the identity provider manages.
func (x *authWorld) provisioned(o *fixture.Organization) string {
	member := o.Maker()
	o.Exec(`UPDATE members SET managed_by = 'okta' WHERE id = $1`, member)
	return member
}

// table is every route with whom it admits. A new route needs a row here.
var table = map[string]routeRow{
	"GET /v1/members/{id}": {thing: (*authWorld).member, who: adminsThere},

	"GET /v1/members":                       {who: ofAdmins},
	"POST /v1/members/search":               {body: body{"q": "m"}, who: ofAdmins},
	"GET /v1/members/{id}/documents":        {thing: (*authWorld).member, who: adminsThere},
	"PATCH /v1/members/{id}":                {body: body{"isArchived": true}, thing: (*authWorld).member, who: adminsThere},
	"POST /v1/members/{id}/deactivate":      {thing: (*authWorld).member, who: adminsThere},
	"POST /v1/members/deactivate":           {polls: true, body: body{"memberIds": []string{"{id}"}, "confirmed": true}, thing: (*authWorld).member, who: adminsThere},
	"POST /v1/members/{id}/reactivate":      {thing: (*authWorld).member, who: adminsThere},
	"POST /v1/members/reactivate":           {body: body{"member_ids": []string{"{id}"}}, thing: (*authWorld).member, who: adminsThere},
	"DELETE /v1/members/{id}":               {thing: (*authWorld).member, who: adminsThere},
	"GET /v1/members/{id}/deletion-preview": {thing: (*authWorld).member, who: adminsThere},
	"GET /v1/members/{id}/deletions/{run}":  {path: "/v1/members/{id}", thing: (*authWorld).deletion, who: adminsThere},

	"GET /v1/members/{id}/reactivation-preview": {thing: (*authWorld).member, who: adminsThere},
	"POST /v1/members/reactivate/preview":       {body: body{"member_ids": []string{"nobody"}}, who: ofAdmins}, // of each it says that there is nobody

	"POST /v1/bulk-offboardings":             {body: body{"members": []body{{"member_id": "external:nobody"}}}, who: ofAdmins},
	"POST /v1/bulk-offboardings/csv":         {csv: "email,last_day,reason\nnobody@acme.example,2099-01-01,x\n", who: ofAdmins},
	"POST /v1/bulk-offboardings/preview":     {body: body{"members": []body{{"member_id": "external:nobody"}}}, who: ofAdmins},
	"POST /v1/bulk-offboardings/csv/preview": {csv: "email,last_day,reason\nnobody@acme.example,2099-01-01,x\n", who: ofAdmins},
	"GET /v1/bulk-offboardings":              {who: ofAdmins},
	"GET /v1/bulk-offboardings/{id}":         {thing: (*authWorld).bulk, who: adminsThere},
	"GET /v1/bulk-offboardings/{id}/members": {thing: (*authWorld).bulk, who: adminsThere},
	"POST /v1/bulk-offboardings/{id}/cancel": {thing: (*authWorld).bulk, who: adminsThere},

	"GET /v1/credentials":         {who: anyMember},
	"POST /v1/credentials":        {body: body{"name": "x", "member": "{id}"}, thing: (*authWorld).member, who: adminsThere},
	"DELETE /v1/credentials/{id}": {thing: (*authWorld).credential, who: adminsThere},

	"POST /v1/offboardings":                   {body: body{"member_id": "{id}", "effective_at": nextYear}, thing: (*authWorld).member, who: adminsThere},
	"POST /v1/offboardings/preview":           {body: body{"member_id": "{id}"}, thing: (*authWorld).member, who: adminsThere},
	"GET /v1/members/{id}/starts/{run}":       {path: "/v1/members/{id}", thing: (*authWorld).run, who: nothingThere},
	"GET /v1/offboardings":                    {who: ofAdmins},
	"POST /v1/offboardings/search":            {body: body{"q": "m"}, who: ofAdmins},
	"GET /v1/offboardings/{id}/events":        {stream: true, thing: (*authWorld).openCase, who: nothingThere},
	"GET /v1/offboardings/{id}":               {thing: (*authWorld).openCase, who: nothingThere},
	"POST /v1/offboardings/{id}/cancel":       {thing: (*authWorld).openCase, who: nothingThere},
	"POST /v1/offboardings/{id}/reschedule":   {body: body{"effective_at": nextYear}, thing: (*authWorld).openCase, who: nothingThere},
	"POST /v1/offboardings/{id}/extend-grace": {body: body{"until": nextYear}, thing: (*authWorld).openCase, who: nothingThere},
	"POST /v1/offboardings/{id}/reactivate":   {thing: (*authWorld).openCase, who: nothingThere},
	"POST /v1/offboardings/{id}/transfer":     {body: body{"new_owner_id": "manager"}, thing: (*authWorld).openCase, who: nothingThere},

	"GET /v1/documents":                         {who: anyMember},
	"GET /v1/documents/{id}":                    {thing: (*authWorld).document, who: nothingThere},
	"POST /v1/documents/{id}/claim":             {thing: (*authWorld).document, who: nothingThere},
	"POST /v1/documents/{id}/request-ownership": {thing: (*authWorld).document, who: nothingThere},
	"POST /v1/documents/transfer":               {body: body{"from": "{id}"}, thing: (*authWorld).member, who: adminsThere},
	"GET /v1/ownership-requests":                {who: anyMember},
	"GET /v1/ownership-requests/{id}":           {thing: (*authWorld).request, who: nothingThere},
	"POST /v1/ownership-requests/{id}/approve":  {thing: (*authWorld).request, who: adminsThere},
	"POST /v1/ownership-requests/{id}/reject":   {thing: (*authWorld).request, who: adminsThere},

	"GET /v1/audit-events":            {who: ofAdmins},
	"GET /v1/audit-events/export":     {who: ofAdmins},
	"GET /v1/overview":                {who: ofAdmins},
	"GET /v1/settings":                {who: ofAdmins},
	"PATCH /v1/settings":              {body: body{"grace_period": "7d"}, who: ofAdmins},
	"GET /v1/legal-holds":             {who: ofAdmins},
	"POST /v1/legal-holds":            {body: body{"member_id": "{id}", "reason": "x"}, thing: (*authWorld).member, who: adminsThere},
	"DELETE /v1/legal-holds/{id}":     {thing: (*authWorld).hold, who: adminsThere},
	"GET /v1/workspaces":              {who: ofAdmins},
	"GET /v1/workspaces/{id}/members": {thing: (*authWorld).workspace, who: adminsThere},
	"GET /v1/organizations":           {who: anyMember},

	"GET /v1/webhooks":                                          {who: ofAdmins},
	"POST /v1/webhooks":                                         {body: body{"url": "https://hooks.example/"}, who: ofAdmins},
	"GET /v1/webhooks/{id}":                                     {thing: (*authWorld).webhook, who: adminsThere},
	"PATCH /v1/webhooks/{id}":                                   {body: body{"description": "x"}, thing: (*authWorld).webhook, who: adminsThere},
	"DELETE /v1/webhooks/{id}":                                  {thing: (*authWorld).webhook, who: adminsThere},
	"POST /v1/webhooks/{id}/roll-secret":                        {thing: (*authWorld).webhook, who: adminsThere},
	"POST /v1/webhooks/{id}/test":                               {thing: (*authWorld).webhook, who: adminsThere},
	"GET /v1/webhooks/{id}/deliveries":                          {thing: (*authWorld).webhook, who: adminsThere},
	"POST /v1/webhooks/{id}/deliveries/{delivery_id}/redeliver": {path: "/v1/webhooks/{id}/redeliver", thing: (*authWorld).delivery, who: adminsThere},

	"POST /oauth/introspect": {form: []string{"token", "x"}, who: ofAdmins.as("403", signedIn)},
	"POST /oauth/token": {
		form: []string{"grant_type", "client_credentials"}, who: anyMember.as("401", signedIn).as("400", withEmbed),
	},
	"POST /oauth/revoke": {form: []string{"token", "x"}, who: anyMember.as("401", signedIn).as("400", withEmbed)},

	"GET /auth/login":    {who: everybody("404")}, // no provider is set up here
	"GET /auth/callback": {who: everybody("400")}, // no sign-in was begun
	"POST /auth/logout":  {who: everybody(allowed)},
	"GET /auth/session":  {who: anyMember},

	"GET /openapi.json":   {who: everybody(allowed)},
	"GET /docs":           {who: everybody(allowed)},
	"GET /docs/style.css": {who: everybody(allowed)},

	"GET /scim/v2/ServiceProviderConfig": {who: onlyScim},
	"GET /scim/v2/ResourceTypes":         {who: onlyScim},
	"GET /scim/v2/Schemas":               {who: onlyScim},
	"GET /scim/v2/Users":                 {who: onlyScim},
	"GET /scim/v2/Users/{id}":            {thing: (*authWorld).provisioned, who: onlyScim},
	"GET /scim/v2/Groups":                {who: onlyScim},
	"DELETE /scim/v2/Users/{id}":         {thing: (*authWorld).provisioned, who: onlyScim},
	"GET /scim/v2/Anything":              {who: everybody("401").as("404", withScim)},
}

// onlyScim admits the token of the organization's provider, and no member.
var onlyScim = everybody("401").as(allowed, withScim)

var nextYear = time.Now().AddDate(1, 0, 0).Format(time.DateOnly)

func everybody(answer string) who { return who{}.as(answer, callers...) }

// authWorld is an organization with everybody who may call, at a server that
// really authenticates them, and works behind the wall.
type authWorld struct {
	*stand
	t        *testing.T
	url      string
	epm      *fixture.Organization // above, with enterprise plan manager
	without  *fixture.Organization // above, without
	stranger *fixture.Organization
	keys     *webhook.Keys
	asked    *testdb.Statements // of the server
	callers  map[string]caller
}

func newAuthWorld(t *testing.T) *authWorld {
	t.Helper()
	x := &authWorld{stand: newStand(t), t: t, asked: &testdb.Statements{}}
	x.epm, x.without, x.stranger = fixture.New(t, x.DB), fixture.New(t, x.DB), fixture.New(t, x.DB)
	x.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, x.epm.ID)
	x.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, x.epm.ID, x.without.ID)
	x.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, x.ID, x.epm.ID)

	log := slog.New(slog.DiscardHandler)
	store, err := postgres.OpenBy(x.asked.Open, x.database, 4)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	walled, err := postgres.OpenBy(x.asked.Open, testdb.ServerURL(t, x.database), 4)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, walled.Close()) })
	behind := walled.Behind()
	a := auth.New(auth.Options{Store: store, Log: log})
	mux := http.NewServeMux()
	a.Register(mux)
	keys, err := webhook.NewKeys([]byte(strings.Repeat("k", 32)))
	require.NoError(t, err)
	x.keys = keys
	x.api = api.New(mux, api.Options{Store: behind, Gate: store, Cases: x.cases, Auth: a, Webhooks: api.Webhooks{Keys: keys}, Log: log})
	outer := http.NewServeMux()
	outer.Handle("/", a.Authenticate(mux))
	outer.Handle(scim.Path+"/", scim.New(scim.Options{Store: behind, Gate: store, Cases: x.cases, Log: log}))
	server := httptest.NewServer(problem.Track(log, outer))
	t.Cleanup(server.Close)
	x.url = server.URL
	described(t, x.url, x.api)

	of := func(member string) caller { return x.basic(makeCredential(t, x.store, member, "api")) }
	room := x.Maker()
	x.Join(x.Workspace(), room, offboarding.WorkspaceAdmin)
	gone, dead := x.Maker(), makeCredential(t, x.store, x.Manager, "api")
	x.callers = map[string]caller{
		nobody:        {url: x.url, header: http.Header{}},
		guessing:      {url: x.url, header: http.Header{"Authorization": {"Bearer ho_token_guess"}}},
		withScim:      {url: x.url, header: http.Header{"Authorization": {"Bearer " + x.scimToken()}}},
		withEmbed:     x.basic(makeCredential(t, x.store, x.Manager, "embed")),
		revoked:       x.basic(dead),
		inactive:      of(gone),
		reader:        of(x.Member(offboarding.RoleReader, offboarding.AccountViewer)),
		contributor:   of(x.Manager),
		roomAdmin:     of(room),
		admin:         of(x.Admin),
		owner:         of(x.Owner),
		above:         of(x.epm.Admin),
		aboveWithout:  of(x.without.Owner),
		strangerOwner: of(x.stranger.Owner),
	}
	require.NoError(t, x.store.RevokeCredential(t.Context(), dead.id, x.Admin, "", time.Now()))
	offboard(t, x.store, gone, x.Admin)
	return x
}

func (x *authWorld) basic(c clientID) caller {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(c.id, c.secret)
	return caller{url: x.url, header: r.Header}
}

// session signs a member in.
func (x *authWorld) session(member string) string {
	x.t.Helper()
	token, hash := offboarding.NewSecret(offboarding.SecretOfSession)
	require.NoError(x.t, x.store.SignIn(x.t.Context(), offboarding.SignIn{
		SessionID: uuid.Must(uuid.NewV7()).String(), MemberID: member, TokenHash: hash, At: time.Now(),
	}))
	return token
}

// scimToken is a token that opens the organization's SCIM endpoint and nothing else.
func (x *authWorld) scimToken() string {
	x.t.Helper()
	x.Provisioned("okta")
	secret, _, err := x.store.CreateScimToken(x.t.Context(), x.ID, x.Admin, time.Now())
	require.NoError(x.t, err)
	return secret
}

// credential is one of a member of the organization.
func (x *authWorld) credential(o *fixture.Organization) string {
	return makeCredential(x.t, x.store, o.Maker(), "api").id
}

// call sends the request of a row as a caller, about what the ID names.
func (x *authWorld) call(t *testing.T, route string, row routeRow, c caller, id string) *answer {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	if row.path != "" {
		path = row.path
	}
	path = strings.ReplaceAll(path, "{id}", id)
	if row.csv != "" {
		return c.with("Content-Type", "text/csv").send(t, method, path, row.csv)
	}
	if row.stream {
		response := c.open(t.Context(), t, method, path, nil)
		if response.StatusCode == http.StatusOK {
			require.NoError(t, response.Body.Close())
			return &answer{request: route, status: response.StatusCode}
		}
		return receive(t, c.url, method, path, response)
	}
	if row.form != nil {
		return c.form(t, path, row.form...)
	}
	if !slices.Contains(x.routes(), route) { // the document does not describe it
		response := c.open(t.Context(), t, method, path, nil)
		defer func() { require.NoError(t, response.Body.Close()) }()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return &answer{request: route, status: response.StatusCode, header: response.Header, body: text}
	}
	if row.body == nil {
		return c.send(t, method, path, nil)
	}
	text, err := json.Marshal(row.body)
	require.NoError(t, err)
	return c.send(t, method, path, strings.ReplaceAll(string(text), "{id}", id))
}

// routes are those of the API.
func (x *authWorld) routes() (routes []string) {
	for _, r := range x.api.Routes {
		routes = append(routes, r.Method+" "+r.Path)
	}
	return routes
}

func class(status int) string {
	if status >= 200 && status < 400 || status == http.StatusConflict {
		return allowed
	}
	return strconv.Itoa(status)
}

// TestAuthorization asks every route as every kind of caller, and about what another
// tenant has.
func TestAuthorization(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Temporal server")
	}
	t.Parallel()
	x := newAuthWorld(t)
	routes := append(x.routes(), auth.Paths...)
	for route := range table { // those that are no routes of the API's own
		if strings.Contains(route, scim.Path) || strings.HasPrefix(route, "GET /docs") || route == "GET /openapi.json" {
			routes = append(routes, route)
		}
	}
	missing := ""
	for _, route := range routes {
		if _, ok := table[route]; !ok {
			missing += "\n\t" + strconv.Quote(route) + ": {thing: (*authWorld).member, who: adminsThere},"
		}
	}
	assert.Empty(t, missing, `routes that are in no row of "table" in server/api/authorization_test.go; add rows that say whom they admit, such as`)
	for route, row := range table {
		require.Contains(t, routes, route, "there is no such route")
		for _, name := range callers {
			require.NotEmpty(t, row.who[name], "%s: the row does not say what %s is answered", route, name)
		}
	}
	for route, row := range table {
		t.Run(strings.ReplaceAll(route, "/", "_"), func(t *testing.T) {
			x.callers[signedIn] = caller{url: x.url, header: http.Header{"Cookie": {"handover_session=" + x.session(x.Owner)}}} // anew: a route may sign out
			id, used := "", true                                                                                                // what is refused changes nothing
			for _, name := range callers {
				if row.thing != nil && used {
					id = row.thing(x, x.Organization)
				}
				used = row.who[name] == allowed
				got := x.call(t, route, row, x.callers[name], id)
				assert.Equal(t, row.who[name], class(got.status), "%s as %s: %s", route, name, got.body)
			}
			if row.thing != nil {
				x.isolated(t, route, row)
			}
			if slices.Contains(x.routes(), route) {
				x.hostile(t, route, row)
			}
		})
	}
	t.Run("cursors", x.cursors)
}

var anID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// isolated checks that what another tenant has looks as what there is not, to those
// who see all that the organization has.
func (x *authWorld) isolated(t *testing.T, route string, row routeRow) {
	t.Helper()
	who := owner
	if row.who[owner] != allowed {
		who = withScim
	}
	look := func(id string) (int, string) {
		got := x.call(t, route, row, x.callers[who], id)
		text := strings.ReplaceAll(string(got.body), got.header.Get(problem.HeaderRequestID), "")
		return got.status, anID.ReplaceAllString(text, "ID")
	}
	id := row.thing(x, x.stranger)
	status, theirs := look(id)
	unknown := anID.ReplaceAllStringFunc(id, func(string) string { return uuid.Must(uuid.NewV7()).String() })
	nothing, none := look(unknown)
	require.Equal(t, http.StatusNotFound, status, "%s about what another tenant has", route)
	require.Equal(t, nothing, status, route)
	require.Equal(t, none, theirs, route)
	x.costsTheSame(t, route, row, who, id, unknown)
}
