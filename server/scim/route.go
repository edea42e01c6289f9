package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/elimity-com/scim"
	scimerrors "github.com/elimity-com/scim/errors"

	"handover/offboarding"
)

// route is an endpoint and what can be done there.
type route struct {
	name    string // for the log, without IDs
	path    string // for the library
	methods []string
	status  int // what is answered instead, 0 for an answer by the library
	search  bool
	filters bool // a filter goes with it
	single  bool // it is one resource
}

// routeOf finds the endpoint of a request, and the resource type that it is about.
func routeOf(r *http.Request) (route, *resource) {
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, Path), "/")
	get := []string{http.MethodGet}
	for _, resource := range []*resource{userResource, groupResource} {
		rest, ok := strings.CutPrefix(path, resource.endpoint)
		id, one := strings.CutPrefix(rest, "/")
		switch {
		case !ok:
		case rest == "":
			return route{name: resource.endpoint, path: path, methods: []string{http.MethodGet, http.MethodPost}, filters: true}, resource
		case rest == "/.search":
			return route{name: resource.endpoint + "/.search", path: path, methods: []string{http.MethodPost}, search: true, filters: true}, resource
		case one && !strings.Contains(id, "/"):
			return route{
				name: resource.endpoint + "/{id}", path: path, single: true,
				methods: []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete},
			}, resource
		}
	}
	first, rest, one := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/Me" || path == "/Bulk" || path == "/.search" || path == "":
		return route{name: path, status: http.StatusNotImplemented}, nil
	case path == "/ServiceProviderConfig":
		return route{name: path, path: path, methods: get, single: true}, nil
	case (first == "ResourceTypes" || first == "Schemas") && !strings.Contains(rest, "/"):
		name := "/" + first
		if one {
			name += "/{id}"
		}
		return route{name: name, path: path, methods: get, single: one}, nil
	}
	return route{name: "", status: http.StatusNotFound}, nil
}

// check judges what can be seen in the request's line.
func (rt route) check(r *http.Request) error {
	_, malformed := url.ParseQuery(r.URL.RawQuery)
	switch {
	case rt.status == http.StatusNotImplemented:
		return fail(rt.status, "", "this is not supported")
	case rt.status != 0:
		return fail(rt.status, "", "there is no such endpoint")
	case !slices.Contains(rt.methods, r.Method):
		return fail(http.StatusMethodNotAllowed, "", "the method is not allowed here")
	case malformed != nil: // a filter that went missing would list everybody
		return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidFilter, "the query cannot be read")
	case !rt.filters && !rt.single && r.URL.Query().Has("filter"):
		return fail(http.StatusForbidden, "", "these are not filtered (RFC 7644, 4)")
	}
	return nil
}

// searchURN marks the body of a search.
const searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

// searchOf is a search as the query of a list.
func searchOf(body []byte) (url.Values, error) {
	var in struct {
		Schemas, Attributes, ExcludedAttributes []string
		Filter                                  string
		StartIndex, Count                       *json.Number
	}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if !slices.Contains(in.Schemas, searchURN) {
		return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidSyntax, "schemas has to name "+searchURN)
	}
	out := url.Values{}
	set := func(name, value string) {
		if value != "" {
			out.Set(name, value)
		}
	}
	set("attributes", strings.Join(in.Attributes, ","))
	set("excludedAttributes", strings.Join(in.ExcludedAttributes, ","))
	set("filter", in.Filter)
	for name, n := range map[string]*json.Number{"startIndex": in.StartIndex, "count": in.Count} {
		if n != nil {
			out.Set(name, n.String())
		}
	}
	return out, nil
}

// list is what a list asks the store for.
func (r *resource) list(c *call, params scim.ListRequestParams) (offboarding.ProvisionFilter, error) {
	f := offboarding.ProvisionFilter{
		OrganizationID: c.OrganizationID, Offset: params.StartIndex - 1, Limit: params.Count, NoMembers: c.noMembers,
	}
	if params.FilterValidator == nil {
		return f, nil
	}
	var err error
	f.Condition, err = r.condition(params.FilterValidator.GetFilter())
	return f, err
}

// itoa is a number of a list's answer.
func itoa(n int) json.Number { return json.Number(strconv.Itoa(n)) }
