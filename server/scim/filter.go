package scim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	scimerrors "github.com/elimity-com/scim/errors"
	filter "github.com/scim2/filter-parser/v2"

	"handover/offboarding"
)

// subOfSelected is emails[type eq "work"].value eq "…", which Entra sends and RFC
// 7644 has no place for.
var subOfSelected = regexp.MustCompile(`(?i)\b([a-z]+)\[((?:[^\]"]|"(?:[^"\\]|\\.)*")*)\]\.([a-z]+)(\s+(?:pr\b|(?:eq|ne|co|sw|ew)\s+"(?:[^"\\]|\\.)*"))`)

// rewriteFilter writes a filter as the parser takes it.
func rewriteFilter(written string) string {
	return subOfSelected.ReplaceAllString(written, "$1[$2 and $3$4]")
}

func invalidFilter(detail string) *failure {
	return fail(400, scimerrors.ScimTypeInvalidFilter, detail)
}

// condition is a parsed filter as the store takes it.
func (r *resource) condition(e filter.Expression) (*offboarding.Condition, error) {
	switch e := e.(type) {
	case *filter.AttributeExpression:
		return r.comparison(e.AttributePath, e, "")
	case *filter.ValuePath:
		return r.selected(e.AttributePath.AttributeName, e.ValueFilter)
	case *filter.LogicalExpression:
		return joined(string(e.Operator), r.condition, e.Left, e.Right)
	case *filter.NotExpression:
		return joined("not", r.condition, e.Expression)
	}
	return nil, invalidFilter("the filter cannot be read")
}

func joined(
	join string, of func(filter.Expression) (*offboarding.Condition, error), parts ...filter.Expression,
) (*offboarding.Condition, error) {
	out := &offboarding.Condition{Join: join}
	for _, part := range parts {
		c, err := of(part)
		if err != nil {
			return nil, err
		}
		out.Of = append(out.Of, *c)
	}
	return out, nil
}

// selected is a filter in brackets: each comparison in it is about a value's part.
func (r *resource) selected(attribute string, e filter.Expression) (*offboarding.Condition, error) {
	inside := func(e filter.Expression) (*offboarding.Condition, error) { return r.selected(attribute, e) }
	switch e := e.(type) {
	case *filter.AttributeExpression:
		return r.comparison(e.AttributePath, e, attribute)
	case *filter.LogicalExpression:
		return joined(string(e.Operator), inside, e.Left, e.Right)
	case *filter.NotExpression:
		return joined("not", inside, e.Expression)
	}
	return nil, invalidFilter("the filter cannot be read")
}

func (r *resource) comparison(path filter.AttributePath, e *filter.AttributeExpression, within string) (*offboarding.Condition, error) {
	field := path.AttributeName
	if within != "" {
		field = within + "." + field
	} else if sub := path.SubAttributeName(); sub != "" {
		field += "." + sub
	}
	if uri := path.URI(); uri != "" && r.urn(uri) != r.core {
		field = uri + ":" + field // which nothing is filtered by
	}
	c := &offboarding.Condition{Field: field, Op: strings.ToLower(string(e.Operator))}
	switch value := e.CompareValue.(type) {
	case nil:
		if c.Op != "pr" {
			return nil, invalidFilter("nothing is compared with null; use pr")
		}
	case string:
		c.Value = unescape(value)
	case bool:
		c.Value = strconv.FormatBool(value)
	default:
		c.Value = fmt.Sprint(value)
	}
	if strings.EqualFold(field, "active") { // Entra writes "True"
		c.Value = strings.ToLower(c.Value)
	}
	return c, nil
}

// unescape reads the text between the quotes, which the parser leaves as it is.
func unescape(quoted string) string {
	var text string
	if json.Unmarshal([]byte(`"`+quoted+`"`), &text) != nil {
		return quoted
	}
	return text
}

// matches judges a filter in brackets of one value of a multi-valued attribute.
func matches(e filter.Expression, value map[string]string) bool {
	switch e := e.(type) {
	case *filter.AttributeExpression:
		got, ok := value[strings.ToLower(e.AttributePath.AttributeName)]
		if e.CompareValue == nil {
			return ok && got != "" && e.Operator == filter.PR
		}
		want := strings.ToLower(unescape(fmt.Sprint(e.CompareValue)))
		got = strings.ToLower(got)
		switch e.Operator {
		case filter.EQ:
			return ok && got == want
		case filter.NE:
			return got != want
		case filter.CO:
			return ok && strings.Contains(got, want)
		case filter.SW:
			return ok && strings.HasPrefix(got, want)
		case filter.EW:
			return ok && strings.HasSuffix(got, want)
		}
		return false
	case *filter.LogicalExpression:
		if e.Operator == filter.OR {
			return matches(e.Left, value) || matches(e.Right, value)
		}
		return matches(e.Left, value) && matches(e.Right, value)
	case *filter.NotExpression:
		return !matches(e.Expression, value)
	}
	return false
}
