// Package scim lets an organization's identity provider create, change and offboard
// members over SCIM 2.0 (RFC 7643, RFC 7644). elimity-com/scim routes and validates;
// around it stand the token, one form for what Okta and Entra write in many, and
// answers as the RFC has them. Members are users, workspaces are groups.
package scim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"

	"handover/client"
	"handover/offboarding"
	"handover/postgres"
	"handover/server/auth"
	"handover/server/load"
	"handover/server/problem"
)

// Path is where the endpoint is mounted.
const Path = "/scim/v2"

// Options are what the endpoint works with.
type Options struct {
	Store *postgres.Store
	// Gate is asked whose token it is that a provider comes with. nil is Store.
	Gate  *postgres.Store
	Cases *client.Client
	Log   *slog.Logger
	// PublicURL is where the world reaches the server, without a path; "" for
	// where each request says.
	PublicURL string
	// Now is the time, time.Now unless set.
	Now func() time.Time
	// Rate is how many requests a second each token may make, for long; twice as many
	// at once. 0 is no limit.
	Rate int
	// Proxies are networks whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
}

// Server answers SCIM below Path.
type Server struct {
	store     *postgres.Store
	gate      *postgres.Store
	cases     *client.Client
	log       *slog.Logger
	publicURL string
	clock     func() time.Time
	proxies   []netip.Prefix
	callers   *auth.Limiter // by token
	guesses   *auth.Limiter // by address: tokens that were none
}

// Tokens that are none, from one address.
const (
	guessesAtOnce = 20
	guessesPerSec = 1
)

// Entra writes booleans as texts. The library asks a variable about it.
var allowTexts = sync.OnceFunc(func() { schema.SetAllowStringValues(true) })

// New makes the endpoint.
func New(o Options) *Server {
	allowTexts()
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{
		store: o.Store, gate: cmp.Or(o.Gate, o.Store), cases: o.Cases, log: o.Log, publicURL: strings.TrimRight(o.PublicURL, "/"), clock: o.Now,
		proxies: o.Proxies, callers: auth.NewLimiter(float64(o.Rate), 2*o.Rate), guesses: auth.NewLimiter(guessesPerSec, guessesAtOnce),
	}
}

func (s *Server) now() time.Time { return s.clock().UTC() }

// Limits of what is asked for at once.
const (
	maxBody    = 8 << 20 // bytes; a group of some ten thousand
	maxResults = 200     // of a page
	maxFilter  = 8 << 10 // bytes, of a path too; the parser calls itself for each bracket
	// requestWithin is how long a request may work; a large group has many members.
	requestWithin = time.Minute
)

// call is one request of a provider.
type call struct {
	offboarding.Provisioner
	base      string // where the endpoint is, for locations
	noMembers bool   // groups are asked for without who belongs to them
	err       error  // what a handler failed with; the library would lose its status
}

type callKey struct{}

func callOf(r *http.Request) *call {
	c, _ := r.Context().Value(callKey{}).(*call)
	return c
}

// failed keeps the error for the server around the library.
func (c *call) failed(err error) error {
	if err == nil {
		return nil
	}
	c.err = err
	return errNotHere
}

// ServeHTTP answers a request below Path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, resource := routeOf(r)
	problem.SetRoute(r.Context(), r.Method+" "+Path+route.name)
	answer, err := s.answer(r, route, resource)
	if err != nil {
		f := s.failureOf(r.Context(), err)
		switch f.status {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Bearer realm="scim"`)
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", strings.Join(route.methods, ", "))
		}
		f.write(w)
		return
	}
	answer.write(w)
}

// answer is what a request comes to.
func (s *Server) answer(r *http.Request, route route, resource *resource) (*recorded, error) {
	ctx, cancel := context.WithTimeout(r.Context(), requestWithin)
	defer cancel()
	r = r.WithContext(ctx)
	who, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	if err := route.check(r); err != nil {
		return nil, err
	}
	c := &call{Provisioner: *who, base: s.base(r)}
	r = r.WithContext(context.WithValue(postgres.Within(r.Context(), c.OrganizationID), callKey{}, c))
	p := projectionOf(r.URL.Query())
	if r, err = s.prepare(r, route, resource, &p); err != nil {
		return nil, err
	}
	c.noMembers = resource == groupResource && !p.wants("members")
	library, err := s.library(c)
	if err != nil {
		return nil, err
	}
	answer := &recorded{header: http.Header{}}
	library.ServeHTTP(answer, r)
	if c.err != nil {
		return nil, c.err
	}
	return answer, answer.finish(c, route, p)
}

// authenticate finds who comes with the request's token.
func (s *Server) authenticate(r *http.Request) (*offboarding.Provisioner, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, fail(http.StatusUnauthorized, "", "unauthenticated: send the token of an organization as Authorization: Bearer")
	}
	ctx, cancel := context.WithTimeout(r.Context(), auth.LookupWithin)
	defer cancel()
	who, err := s.gate.Provisioner(ctx, strings.TrimSpace(token), s.now())
	if err != nil {
		return nil, err
	}
	if who == nil { // a token that works is not stopped: providers come for all their tenants from the same addresses
		if quota := s.guesses.Take(auth.Address(r, s.proxies), s.now()); !quota.OK {
			return nil, limited(quota)
		}
		return nil, fail(http.StatusUnauthorized, "", "invalid_request: the token is none, or was revoked")
	}
	if quota := s.callers.Take(who.TokenID, s.now()); !quota.OK {
		return nil, limited(quota)
	}
	if !load.By(r.Context(), "token "+who.TokenID) {
		return nil, tooManyAtOnce()
	}
	return who, nil
}

// base is where the endpoint is, as the provider knows it.
func (s *Server) base(r *http.Request) string {
	if s.publicURL != "" {
		return s.publicURL + Path
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + Path
}

// prepare reads the body and brings it into one form, and makes a search a list.
func (s *Server) prepare(r *http.Request, route route, resource *resource, p *projection) (*http.Request, error) {
	out := r.Clone(r.Context())
	out.URL.Path = route.path
	var body []byte
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		var err error
		if body, err = read(r); err != nil {
			return nil, err
		}
	}
	switch {
	case route.search:
		search, err := searchOf(body)
		if err != nil {
			return nil, err
		}
		out.Method, out.URL.Path, out.URL.RawQuery, body = http.MethodGet, resource.endpoint, search.Encode(), nil
		*p = projectionOf(search)
	case r.Method == http.MethodPatch:
		var err error
		if body, err = resource.canonicalPatch(body); err != nil {
			return nil, err
		}
		if body == nil { // nothing that is kept
			out.Method = http.MethodGet
		}
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		var err error
		if body, err = resource.canonicalResource(body); err != nil {
			return nil, err
		}
	}
	if query := out.URL.Query(); query.Has("filter") {
		filter := query.Get("filter")
		if len(filter) > maxFilter {
			return nil, invalidFilter("the filter is longer than 8 KiB")
		}
		query.Set("filter", rewriteFilter(filter))
		out.URL.RawQuery = query.Encode()
	}
	out.Body = io.NopCloser(bytes.NewReader(body))
	return out, nil
}

// read reads a body of the right type and size.
func read(r *http.Request) ([]byte, error) {
	if given := r.Header.Get("Content-Type"); given != "" {
		mediaType, _, err := mime.ParseMediaType(given)
		if err != nil || mediaType != contentType && mediaType != "application/json" {
			return nil, fail(http.StatusUnsupportedMediaType, "", "the body is of type "+contentType+" or application/json")
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, fail(http.StatusRequestEntityTooLarge, "", "the body is longer than 8 MiB")
	} else if err != nil {
		return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidSyntax, "the body cannot be read")
	}
	return body, nil
}

// library is the library's server for one request.
func (s *Server) library(c *call) (scim.Server, error) {
	documentation := optional.NewString(strings.TrimSuffix(c.base, Path) + "/docs")
	return scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{
			DocumentationURI: documentation, MaxResults: maxResults, SupportFiltering: true, SupportPatch: true,
			AuthenticationSchemes: []scim.AuthenticationScheme{{
				Type: scim.AuthenticationTypeOauthBearerToken, Name: "Bearer token", Primary: true,
				Description:      "A token of the organization, made by starter scim token create",
				SpecURI:          optional.NewString("https://www.rfc-editor.org/rfc/rfc6750"),
				DocumentationURI: documentation,
			}},
		},
		ResourceTypes: []scim.ResourceType{
			{
				ID: optional.NewString("User"), Name: "User", Endpoint: userResource.endpoint, Description: optional.NewString("A member of the organization"),
				Schema: userSchema, SchemaExtensions: []scim.SchemaExtension{{Schema: enterpriseSchema}}, Handler: users{s},
			},
			{
				ID: optional.NewString("Group"), Name: "Group", Endpoint: groupResource.endpoint, Description: optional.NewString("A workspace of the organization"),
				Schema: groupSchema, Handler: groups{s},
			},
		},
	}, scim.WithBaseURL(c.base)) // without its log, which would have whole resources in it
}
