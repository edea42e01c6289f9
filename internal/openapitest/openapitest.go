// Package openapitest holds the answers of an API against its OpenAPI document.
//
//	document, err := openapitest.Read(text) // of /openapi.json
//	err = document.Check(method, path, status, header, body)
package openapitest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an OpenAPI document. It is safe for concurrent use.
type Document struct {
	mu       sync.Mutex
	document map[string]any
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

// Read reads a document as a server gives it out.
func Read(text []byte) (*Document, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	c := &Document{document: object, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	return c, c.compiler.AddResource("openapi.json", document)
}

// Check says in what an answer differs from the document; nil for a request to no
// route of it.
func (d *Document) Check(method, path string, status int, header http.Header, body []byte) error {
	route := d.route(path)
	if route == "" {
		return nil
	}
	operation, pointer := d.at("paths", route, strings.ToLower(method))
	if method == http.MethodHead && operation == nil { // a GET without its body
		operation, pointer = d.at("paths", route, "get")
	}
	if operation == nil {
		if status == http.StatusMethodNotAllowed || status == http.StatusNotFound {
			return nil
		}
		return fmt.Errorf("%s %s is not in the document, and was answered %d", method, route, status)
	}
	response, pointer := d.at(append(pointer, "responses", strconv.Itoa(status))...)
	if response == nil {
		return fmt.Errorf("%s %s: the document knows no status %d", method, route, status)
	}
	if headers, ok := response["headers"].(map[string]any); ok {
		for name, h := range headers {
			if required, _ := h.(map[string]any)["required"].(bool); required && header.Get(name) == "" {
				return fmt.Errorf("%s %s: the answer %d has no header %s", method, route, status, name)
			}
		}
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("%s %s: the document knows no body of the answer %d", method, route, status)
		}
		return nil
	}
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	media, ok := content[kind].(map[string]any)
	if !ok {
		return fmt.Errorf("%s %s: the document knows no answer %d of type %q", method, route, status, kind)
	}
	if method == http.MethodHead || media["schema"] == nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil
	}
	schema, err := d.schema(append(pointer, "content", kind, "schema"))
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return fmt.Errorf("%s %s: the answer %d is not as the document has it: %w\n%s", method, route, status, err, body)
	}
	return nil
}

// route is the document's path that a request's path is of; one without parameters
// comes before one with.
func (d *Document) route(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	best, most := "", -1
	paths, _ := d.document["paths"].(map[string]any)
	for route := range paths {
		of, fixed := strings.Split(route, "/"), 0
		if len(of) != len(parts) {
			continue
		}
		fits := true
		for i := range of {
			switch {
			case of[i] == parts[i]:
				fixed++
			case !strings.HasPrefix(of[i], "{") || parts[i] == "":
				fits = false
			}
		}
		if fits && fixed > most {
			best, most = route, fixed
		}
	}
	return best
}

// at is an object of the document and where it is, a reference followed.
func (d *Document) at(pointer ...string) (map[string]any, []string) {
	var value any = d.document
	for _, name := range pointer {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, pointer
		}
		value = object[name]
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, pointer
	}
	if ref, ok := object["$ref"].(string); ok {
		return d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	return object, slices.Clone(pointer)
}

func (d *Document) schema(pointer []string) (*jsonschema.Schema, error) {
	escaped := make([]string, len(pointer))
	for i, name := range pointer {
		escaped[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
	}
	at := "openapi.json#/" + strings.Join(escaped, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.schemas[at]; known != nil {
		return known, nil
	}
	schema, err := d.compiler.Compile(at)
	if err == nil {
		d.schemas[at] = schema
	}
	return schema, err
}
