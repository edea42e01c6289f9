package api_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"handover/internal/fixture"
	"handover/offboarding"
	"handover/server/api"
	"handover/server/auth"
	"handover/server/problem"
)

// The kinds of callers. All but the strangers are of the organization that a request
// is about, or above it.
const (
	nobody        = "nobody"
	guessing      = "a wrong secret"
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
	who   who
}

func (x *authWorld) member(o *fixture.Organization) string { return o.Maker() }

// table is every route with whom it admits. A new route needs a row here.
var table = map[string]routeRow{
	"GET /v1/members/{id}": {thing: (*authWorld).member, who: adminsThere},

	"GET /v1/credentials":         {who: anyMember},
	"POST /v1/credentials":        {body: body{"name": "x", "member": "{id}"}, thing: (*authWorld).member, who: adminsThere},
	"DELETE /v1/credentials/{id}": {thing: (*authWorld).credential, who: adminsThere},

	"POST /oauth/introspect": {form: []string{"token", "x"}, who: ofAdmins.as("403", signedIn)},
	"POST /oauth/token": {
		form: []string{"grant_type", "client_credentials"}, who: anyMember.as("401", signedIn).as("400", withEmbed),
	},
	"POST /oauth/revoke": {form: []string{"token", "x"}, who: anyMember.as("401", signedIn).as("400", withEmbed)},

	"GET /auth/login":    {who: everybody("404")}, // no provider is set up here
	"GET /auth/callback": {who: everybody("400")}, // no sign-in was begun
	"POST /auth/logout":  {who: everybody(allowed)},
	"GET /auth/session":  {who: anyMember},

	"GET /openapi.json": {who: everybody(allowed)},
}

func everybody(answer string) who { return who{}.as(answer, callers...) }

// authWorld is an organization with everybody who may call, at a server that
// really authenticates them.
type authWorld struct {
	*stand
	t        *testing.T
	url      string
	epm      *fixture.Organization // above, with enterprise plan manager
	without  *fixture.Organization // above, without
	stranger *fixture.Organization
	callers  map[string]caller
}

func newAuthWorld(t *testing.T) *authWorld {
	t.Helper()
	x := &authWorld{stand: newStand(t), t: t}
	x.epm, x.without, x.stranger = fixture.New(t, x.DB), fixture.New(t, x.DB), fixture.New(t, x.DB)
	x.Exec(`UPDATE organizations SET enterprise_plan_manager = true WHERE id = $1`, x.epm.ID)
	x.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, x.epm.ID, x.without.ID)
	x.Exec(`UPDATE organizations SET parent_id = $2 WHERE id = $1`, x.ID, x.epm.ID)

	log := slog.New(slog.DiscardHandler)
	a := auth.New(auth.Options{Store: x.store, Log: log})
	mux := http.NewServeMux()
	a.Register(mux)
	x.api = api.New(mux, api.Options{Store: x.store, Cases: x.cases, Auth: a, Log: log})
	server := httptest.NewServer(problem.Track(log, a.Authenticate(mux)))
	t.Cleanup(server.Close)
	x.url = server.URL

	of := func(member string) caller { return x.basic(makeCredential(t, x.store, member, "api")) }
	room := x.Maker()
	x.Join(x.Workspace(), room, offboarding.WorkspaceAdmin)
	gone, dead := x.Maker(), makeCredential(t, x.store, x.Manager, "api")
	x.callers = map[string]caller{
		nobody:        {url: x.url, header: http.Header{}},
		guessing:      x.basic(clientID{dead.id, "guess"}),
		withScim:      {url: x.url, header: http.Header{"Authorization": {"Bearer " + x.scimToken()}}},
		withEmbed:     x.basic(makeCredential(t, x.store, x.Manager, "embed")),
		revoked:       x.basic(dead),
		inactive:      of(gone),
		reader:        of(x.Member(offboarding.RoleReader, offboarding.AccountViewer)),
		contributor:   of(x.Manager),
		roomAdmin:     of(room),
		admin:         of(x.Admin),
		owner:         of(x.Owner),
		signedIn:      {url: x.url, header: http.Header{"Cookie": {"handover_session=" + x.session(x.Owner)}}},
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
func (x *authWorld) scimToken() string { return "ho_scim_of_nobody" }

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
	if row.form != nil {
		return c.form(t, path, row.form...)
	}
	if row.body == nil {
		return c.send(t, method, path, nil)
	}
	text, err := json.Marshal(row.body)
	require.NoError(t, err)
	return c.send(t, method, path, strings.ReplaceAll(string(text), "{id}", id))
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
	var routes []string
	for _, r := range x.api.Routes {
		routes = append(routes, r.Method+" "+r.Path)
	}
	routes = append(routes, auth.Paths...)
	routes = append(routes, "GET /openapi.json")
	missing := ""
	for _, route := range routes {
		if _, ok := table[route]; !ok {
			missing += "\n\t" + strconv.Quote(route) + ": {thing: (*authWorld).member, who: adminsThere},"
		}
	}
	require.Empty(t, missing, `routes that are in no row of "table" in server/api/authorization_test.go; add rows that say whom they admit, such as`)
	for route, row := range table {
		require.Contains(t, routes, route, "there is no such route")
		for _, name := range callers {
			require.NotEmpty(t, row.who[name], "%s: the row does not say what %s is answered", route, name)
		}
	}
	for route, row := range table {
		t.Run(strings.ReplaceAll(route, "/", "_"), func(t *testing.T) {
			for _, name := range callers {
				id := ""
				if row.thing != nil {
					id = row.thing(x, x.Organization)
				}
				got := x.call(t, route, row, x.callers[name], id)
				require.Equal(t, row.who[name], class(got.status), "%s as %s: %s", route, name, got.body)
			}
			if row.thing != nil {
				x.isolated(t, route, row)
			}
		})
	}
}

// isolated checks that what another tenant has looks as what there is not, to an
// owner.
func (x *authWorld) isolated(t *testing.T, route string, row routeRow) {
	t.Helper()
	look := func(id string) (int, problem.Problem) {
		got := x.call(t, route, row, x.callers[owner], id)
		var p problem.Problem
		require.NoError(t, json.Unmarshal(got.body, &p), "%s: %s", route, got.body)
		p.RefID = ""
		return got.status, p
	}
	status, theirs := look(row.thing(x, x.stranger))
	nothing, none := look(uuid.Must(uuid.NewV7()).String())
	require.Equal(t, http.StatusNotFound, status, "%s about what another tenant has", route)
	require.Equal(t, nothing, status, route)
	require.Equal(t, none, theirs, route)
}
