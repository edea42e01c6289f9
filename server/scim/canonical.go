package scim

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	scimerrors "github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/schema"
	filter "github.com/scim2/filter-parser/v2"
)

// Providers write the same thing in many ways. Bodies are brought into one form
// before the library validates them: names as the schemas have them, an operation
// with a path for each attribute, and without what is not kept.

// patchURN marks the body of a PATCH.
const patchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// operation is one operation of a PATCH.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

// maxOperations bounds what one PATCH asks for.
const maxOperations = 10_000

func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(into); err != nil || d.More() {
		return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidSyntax, "the body is not one JSON object")
	}
	return nil
}

// canonicalPatch rewrites the body of a PATCH. It answers with nil where nothing is
// left of it: everything was about what is not kept.
func (r *resource) canonicalPatch(body []byte) ([]byte, error) {
	var in struct {
		Schemas    []string
		Operations []operation
	}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if !slices.Contains(in.Schemas, patchURN) {
		return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidSyntax, "schemas has to name "+patchURN)
	}
	if len(in.Operations) == 0 || len(in.Operations) > maxOperations {
		return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "Operations has to have one operation at least, and no more than 10000")
	}
	c := &canonical{resource: r}
	for _, op := range in.Operations {
		op.Op = strings.ToLower(op.Op)
		if !slices.Contains([]string{"add", "remove", "replace"}, op.Op) {
			return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidSyntax, "op is one of add, remove and replace")
		}
		if err := c.expand(op); err != nil {
			return nil, err
		}
	}
	if len(c.out) == 0 {
		return nil, nil
	}
	return json.Marshal(map[string]any{"schemas": []string{patchURN}, "Operations": c.out})
}

type canonical struct {
	*resource
	out []operation
}

// expand adds the operations that one comes to.
func (c *canonical) expand(op operation) error {
	if urn := c.urn(op.Path); urn != "" { // a schema's name is a container
		prefix := ""
		if urn != c.core {
			prefix = urn + ":"
		}
		if op.Op == "remove" && op.Value == nil {
			for _, a := range c.kept[urn].Attributes {
				c.out = append(c.out, operation{Op: op.Op, Path: prefix + a.Name()})
			}
			return nil
		}
		return c.expandValues(op, prefix)
	}
	if op.Path == "" {
		if op.Op == "remove" {
			return fail(http.StatusBadRequest, scimerrors.ScimTypeNoTarget, "remove needs a path")
		}
		return c.expandValues(op, "")
	}
	return c.target(op)
}

// expandValues makes an operation of each attribute of an object.
func (c *canonical) expandValues(op operation, prefix string) error {
	values, ok := op.Value.(map[string]any)
	if !ok {
		return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "without a path, value is an object of attributes")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch strings.ToLower(name) {
		case "id", "schemas", "meta": // Okta repeats them
			continue
		case "":
			return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidPath, "an attribute has no name")
		}
		if err := c.expand(operation{Op: op.Op, Path: prefix + name, Value: values[name]}); err != nil {
			return err
		}
	}
	return nil
}

// target adds an operation on one attribute, its path as the schemas have it.
func (c *canonical) target(op operation) error {
	if len(op.Path) > maxFilter {
		return invalidPath()
	}
	path, err := filter.ParsePath([]byte(op.Path))
	if err != nil {
		return invalidPath()
	}
	urn, prefix := c.core, ""
	if uri := path.AttributePath.URI(); uri != "" {
		if urn = c.urn(uri); urn == "" {
			return nil // an extension that nobody here knows
		}
		if urn != c.core {
			prefix = urn + ":"
		}
	}
	name := path.AttributePath.AttributeName
	if urn == c.core && strings.EqualFold(name, schema.CommonAttributeExternalID) {
		return c.emit(operation{Op: op.Op, Path: schema.CommonAttributeExternalID, Value: op.Value})
	}
	if slices.ContainsFunc(schema.CommonAttributes(), func(a schema.CoreAttribute) bool { return strings.EqualFold(a.Name(), name) }) && urn == c.core {
		return fail(http.StatusBadRequest, scimerrors.ScimTypeMutability, "the attribute cannot be changed")
	}
	attribute, kept := c.kept[urn].Attributes.ContainsAttribute(name)
	if !kept {
		if _, known := c.known[urn].Attributes.ContainsAttribute(name); known {
			return nil // not kept
		}
		return invalidPath()
	}
	canonical := prefix + attribute.Name()
	if path.ValueExpression != nil {
		open, end := strings.IndexByte(op.Path, '['), strings.LastIndexByte(op.Path, ']')
		canonical += op.Path[open : end+1]
	}
	sub := path.SubAttributeName()
	if sub == "" {
		sub = path.AttributePath.SubAttributeName()
	}
	if sub != "" {
		part, kept := attribute.SubAttributes().ContainsAttribute(sub)
		if !kept {
			known, _ := c.known[urn].Attributes.ContainsAttribute(name)
			if _, ok := known.SubAttributes().ContainsAttribute(sub); ok {
				return nil
			}
			return invalidPath()
		}
		if part.Mutability() == "readOnly" {
			return nil
		}
		canonical += "." + part.Name()
	} else if attribute.Name() == "manager" {
		op = managerOperation(op)
	} else if attribute.Name() == "members" {
		op.Value = memberValues(op.Value)
	} else if attribute.AttributeType() != "complex" {
		op.Value = single(op.Value, attribute.Name())
	}
	return c.emit(operation{Op: op.Op, Path: canonical, Value: op.Value})
}

func invalidPath() error {
	return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidPath, "the path names no attribute of the resource")
}

// emit adds an operation; one that sets nothing removes.
func (c *canonical) emit(op operation) error {
	if op.Value == nil && op.Op != "remove" {
		if op.Op == "add" {
			return fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidValue, "add needs a value")
		}
		op.Op = "remove"
	}
	c.out = append(c.out, op)
	return nil
}

// single is the value of a simple attribute, which Entra has been sending in a list
// and in an object: [{"$ref":null,"value":"False"}].
func single(value any, attribute string) any {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	in, ok := value.(map[string]any)
	if !ok {
		return value
	}
	for name, inside := range in {
		if inside != nil && (strings.EqualFold(name, "value") || strings.EqualFold(name, attribute)) {
			return inside
		}
	}
	return value
}

// memberValues writes the members of a group, which some send as texts, as objects.
func memberValues(value any) any {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	out := make([]any, len(list))
	for i, v := range list {
		if id, ok := v.(string); ok {
			v = map[string]any{"value": id}
		}
		out[i] = v
	}
	if value == nil {
		return nil
	}
	return out
}

// managerOperation writes a manager, which Entra sends as a text, as an object.
func managerOperation(op operation) operation {
	if id, ok := op.Value.(string); ok {
		op.Value = map[string]any{"value": id}
		if id == "" {
			op.Op, op.Value = "remove", nil
		}
	}
	return op
}

// canonicalResource rewrites the body of a POST or PUT.
func (r *resource) canonicalResource(body []byte) ([]byte, error) {
	var in map[string]any
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	if in == nil {
		return nil, fail(http.StatusBadRequest, scimerrors.ScimTypeInvalidSyntax, "the body is not one JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if core, ok := r.coreName(name); ok {
			hoist(in, core, in[name])
			delete(in, name)
			continue
		}
		urn := r.urn(name)
		if urn == "" {
			continue
		}
		value, ok := in[name].(map[string]any)
		delete(in, name)
		if !ok {
			continue
		}
		if urn == r.core {
			for _, key := range slices.Sorted(maps.Keys(value)) {
				hoist(in, key, value[key])
			}
			continue
		}
		for key, manager := range value {
			if id, ok := manager.(string); ok && strings.EqualFold(key, "manager") {
				value[key] = map[string]any{"value": id}
			}
		}
		in[urn] = value
	}
	return json.Marshal(in)
}

// coreName is the name of an attribute that is written with the resource's own
// schema in front of it.
func (r *resource) coreName(written string) (string, bool) {
	n := len(r.core)
	if len(written) > n+1 && written[n] == ':' && strings.EqualFold(written[:n], r.core) {
		return written[n+1:], true
	}
	return "", false
}

// hoist puts an attribute where the library looks for it, unless it is there.
func hoist(in map[string]any, name string, value any) {
	for have := range in {
		if strings.EqualFold(have, name) {
			return
		}
	}
	in[name] = value
}
