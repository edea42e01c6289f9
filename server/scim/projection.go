package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// projection is which attributes a request wants to see (RFC 7644, 3.9).
type projection struct {
	only, without []string // in lower case, as name, name.part, or with a schema's URN
}

func projectionOf(query url.Values) projection {
	return projection{only: namesIn(query, "attributes"), without: namesIn(query, "excludedAttributes")}
}

func namesIn(query url.Values, parameter string) (names []string) {
	for name := range strings.SplitSeq(query.Get(parameter), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			for _, core := range []string{userURN, groupURN} {
				name = strings.TrimPrefix(name, strings.ToLower(core)+":")
			}
			names = append(names, name)
		}
	}
	return names
}

// wants reports whether an attribute, or a part of it, is to be seen.
func (p projection) wants(name string) bool {
	name = strings.ToLower(name)
	if len(p.only) > 0 {
		return slices.ContainsFunc(p.only, func(n string) bool { return n == name || within(name, n) || within(n, name) })
	}
	return !slices.Contains(p.without, name)
}

// within reports whether one name is a part of another: name.part, or urn:name.
func within(part, whole string) bool {
	return len(part) > len(whole) && strings.HasPrefix(part, whole) && (part[len(whole)] == '.' || part[len(whole)] == ':')
}

// apply leaves of a resource what is to be seen; id and schemas always are.
func (p projection) apply(resource map[string]any) {
	for name := range resource {
		if name != "id" && name != "schemas" {
			p.prune(resource, name, strings.ToLower(name))
		}
	}
}

// prune leaves of one attribute what is to be seen. whole is its name from the top.
func (p projection) prune(in map[string]any, key, whole string) {
	if !p.wants(whole) {
		delete(in, key)
		return
	}
	if slices.Contains(p.only, whole) || len(p.only) > 0 && !slices.ContainsFunc(p.only, func(n string) bool { return within(n, whole) }) {
		return // all of it
	}
	separator := "."
	if strings.HasPrefix(whole, "urn:") && !strings.Contains(strings.TrimPrefix(whole, strings.ToLower(enterpriseURN)), ":") {
		separator = ":"
	}
	var values []any
	switch value := in[key].(type) {
	case map[string]any:
		values = []any{value}
	case []any:
		values = value
	}
	for _, value := range values {
		if parts, ok := value.(map[string]any); ok {
			for part := range parts {
				p.prune(parts, part, whole+separator+strings.ToLower(part))
			}
		}
	}
}

// recorded is the library's answer, before it is finished.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header of the answer.
func (a *recorded) Header() http.Header { return a.header }

// WriteHeader keeps the first status.
func (a *recorded) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *recorded) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *recorded) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.status == http.StatusNoContent {
		w.Header().Del("Content-Type")
	} else {
		w.Header().Set("Content-Type", contentType)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // JSON under its own type; where it fails the caller has gone
}

// finish completes an answer with what the library leaves out.
func (a *recorded) finish(c *call, route route, p projection) error {
	a.WriteHeader(http.StatusOK)
	if a.status >= http.StatusMultipleChoices || a.body.Len() == 0 {
		return nil
	}
	var answer map[string]any
	if err := decode(a.body.Bytes(), &answer); err != nil {
		return fmt.Errorf("the library's answer cannot be read: %w", err)
	}
	resources, list := answer["Resources"].([]any)
	if _, has := answer["Resources"]; has && !list {
		resources, list = []any{}, true
	}
	if list {
		answer["Resources"], answer["itemsPerPage"] = resources, itoa(len(resources))
		for _, r := range resources {
			if resource, ok := r.(map[string]any); ok {
				describe(c, route, resource)
				p.apply(resource)
			}
		}
	} else {
		describe(c, route, answer)
		if meta, ok := answer["meta"].(map[string]any); ok && a.header.Get("Location") == "" {
			if location, ok := meta["location"].(string); ok {
				a.header.Set("Location", location)
			}
		}
		p.apply(answer)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("an answer cannot be written: %w", err)
	}
	a.body = *bytes.NewBuffer(body)
	return nil
}

// describe adds what RFC 7643 wants of the descriptions of the service.
func describe(c *call, route route, resource map[string]any) {
	location := func(kind, path string) {
		resource["meta"] = map[string]any{"resourceType": kind, "location": c.base + path}
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(route.name, "/"), "/")
	switch first {
	case "ServiceProviderConfig":
		location("ServiceProviderConfig", "/ServiceProviderConfig")
		resource["bulk"] = map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0}
	case "ResourceTypes":
		location("ResourceType", "/ResourceTypes/"+fmt.Sprint(resource["id"]))
	case "Schemas":
		location("Schema", "/Schemas/"+fmt.Sprint(resource["id"]))
		requireEmails(resource)
	}
}

// requireEmails tells those who make users of the schema alone that one needs an
// address. A userName that is an address does too, which a schema cannot say.
func requireEmails(schema map[string]any) {
	attributes, _ := schema["attributes"].([]any)
	for _, a := range attributes {
		if attribute, ok := a.(map[string]any); ok && schema["id"] == userURN && attribute["name"] == "emails" {
			attribute["required"] = true
		}
	}
}
