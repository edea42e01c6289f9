package postgres

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"handover/offboarding"
)

// provisionField is something that a provider filters by.
type provisionField struct {
	kind   fieldKind
	column string // of text: never NULL
}

type fieldKind int

const (
	fieldText   fieldKind = iota // compared without case
	fieldCalled                  // the same, and what members are called by (memberCalled)
	fieldExact                   // compared with case
	fieldID
	fieldBoolean // the column is a condition
	fieldTime
	fieldMember // the column is a condition with ? for a member's ID
)

// memberFields are what users are filtered by, in lower case.
var memberFields = map[string]provisionField{
	"id":                {fieldID, "m.id"},
	"username":          {fieldText, "coalesce(m.user_name, m.email)"},
	"externalid":        {fieldExact, "m.provider_id"},
	"displayname":       {fieldText, "m.display_name"},
	"name.formatted":    {fieldText, "coalesce(m.profile->>'formatted_name', m.display_name)"},
	"name.givenname":    {fieldText, "coalesce(m.profile->>'given_name', '')"},
	"name.familyname":   {fieldText, "coalesce(m.profile->>'family_name', '')"},
	"title":             {fieldText, "coalesce(m.profile->>'title', '')"},
	"emails":            {fieldText, "m.email"},
	"emails.value":      {fieldText, "m.email"},
	"emails.type":       {fieldText, "'work'"}, // of the address that the member goes by, the only one that is looked at
	"emails.primary":    {fieldBoolean, "true"},
	"active":            {fieldBoolean, getsIn},
	"meta.created":      {fieldTime, "m.created_at"},
	"meta.lastmodified": {fieldTime, "greatest(m.created_at, m.updated_at, m.deactivated_at)"},
}

// fieldsBehindWall are memberFields behind the wall.
var fieldsBehindWall = func() map[string]provisionField {
	fields := maps.Clone(memberFields)
	for _, name := range []string{"username", "emails", "emails.value"} {
		fields[name] = provisionField{fieldCalled, fields[name].column}
	}
	return fields
}()

func (s *Store) memberFields() map[string]provisionField {
	if s.walled {
		return fieldsBehindWall
	}
	return memberFields
}

// maxCompares bounds how much a filter asks for.
const maxCompares = 20

func badFilter(message string) error {
	return offboarding.Refuse("", offboarding.CodeInvalidArgument, "filter", message)
}

// provisioned narrows a list to a condition of the provider's.
func (c *conditions) provisioned(condition *offboarding.Condition, fields map[string]provisionField) error {
	if condition == nil {
		return nil
	}
	if condition.Compares() > maxCompares {
		return badFilter("the filter has more than " + strconv.Itoa(maxCompares) + " comparisons")
	}
	fragment, values, err := compile(*condition, fields)
	if err == nil {
		c.add("("+fragment+")", values...) // in brackets: an OR must not reach beyond the organization
	}
	return err
}

// compile makes a fragment of fixed parts, with ? for each value.
func compile(c offboarding.Condition, fields map[string]provisionField) (fragment string, values []any, err error) {
	switch c.Join {
	case "":
		field, ok := fields[strings.ToLower(c.Field)]
		if !ok {
			return "", nil, badFilter("it is not possible to filter by " + c.Field)
		}
		return field.compare(c.Op, c.Value)
	case "not":
		fragment, values, err = compile(c.Of[0], fields)
		return "NOT (" + fragment + ")", values, err
	}
	parts := make([]string, len(c.Of))
	for i, of := range c.Of {
		part, more, err := compile(of, fields)
		if err != nil {
			return "", nil, err
		}
		parts[i] = "(" + part + ")"
		values = append(values, more...)
	}
	return strings.Join(parts, map[string]string{"and": " AND ", "or": " OR "}[c.Join]), values, nil
}

var orders = map[string]string{"gt": " > ", "ge": " >= ", "lt": " < ", "le": " <= "}

func (f provisionField) compare(op, value string) (string, []any, error) {
	unable := badFilter("the filter's operator " + op + " does not go with what it compares")
	switch f.kind {
	case fieldBoolean:
		is := f.column
		switch {
		case op == "pr":
			return "true", nil, nil
		case op != "eq" && op != "ne" || value != "true" && value != "false":
			return "", nil, unable
		case (op == "eq") != (value == "true"):
			is = "NOT " + is
		}
		return is, nil, nil
	case fieldID:
		switch {
		case op == "eq" && isID(value):
			return f.column + " = ?::uuid", []any{value}, nil
		case op == "eq":
			return "false", nil, nil
		case op == "pr":
			return "true", nil, nil
		}
		f.column += "::text"
	case fieldMember:
		switch {
		case op == "eq" && isID(value):
			return f.column, []any{value}, nil
		case op == "eq":
			return "false", nil, nil
		}
		return "", nil, unable
	case fieldTime:
		return f.compareTime(op, value)
	}
	return f.compareText(op, value)
}

func (f provisionField) compareTime(op, value string) (string, []any, error) {
	if op == "pr" {
		return "true", nil, nil
	}
	order, ok := orders[op]
	switch op {
	case "eq":
		order, ok = " = ", true
	case "ne":
		order, ok = " <> ", true
	}
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || !ok {
		return "", nil, badFilter("a time is compared with a time such as 2026-03-31T18:00:00Z, by eq, ne, gt, ge, lt or le")
	}
	return f.column + order + "?::timestamptz", []any{at}, nil
}

// compareText compares without regard to case unless the field is exact. eq is
// written as the indexes have it.
func (f provisionField) compareText(op, value string) (string, []any, error) {
	column, param := "lower("+f.column+")", "lower(?)"
	if f.kind == fieldExact || f.kind == fieldID {
		column, param = f.column, "?::text"
	}
	present := "coalesce(" + column + ", '')"
	switch op {
	case "eq":
		if f.kind == fieldCalled {
			return column + " = " + param + " AND " + memberCalled("ARRAY[?::text]"), []any{value, value}, nil
		}
		return column + " = " + param, []any{value}, nil
	case "ne":
		return present + " <> " + param, []any{value}, nil
	case "co":
		return "position(" + param + " in " + present + ") > 0", []any{value}, nil
	case "sw":
		return "starts_with(" + present + ", " + param + ")", []any{value}, nil
	case "ew":
		return "right(" + present + ", length(" + param + ")) = " + param, []any{value, value}, nil
	case "pr":
		return present + " <> ''", nil, nil
	}
	if order, ok := orders[op]; ok {
		return present + order + param, []any{value}, nil
	}
	return "", nil, badFilter("there is no operator " + op)
}

// provisionedPage counts what a provider lists and reads a page of it. A filter of
// one comparison is a prepared statement; the others are as many as callers like
// to write, and are not kept.
func provisionedPage(
	t *tx, rows any, counted, query string, c *conditions, order string, f offboarding.ProvisionFilter,
) (total int, err error) {
	get, list := t.get, t.list
	if f.Condition != nil && f.Condition.Join != "" {
		get = func(dest any, query string, args ...any) error { return t.GetContext(t.ctx, dest, query, args...) }
		list = func(dest any, query string, args ...any) error { return t.SelectContext(t.ctx, dest, query, args...) }
	}
	narrowed := ""
	if len(c.text) > 0 {
		narrowed = " AND " + strings.Join(c.text, " AND ")
	}
	if err := get(&total, "SELECT count(*) "+counted+narrowed, c.args...); err != nil || f.Limit == 0 || f.Offset >= total {
		return total, err
	}
	args := append(c.args[:len(c.args):len(c.args)], f.Limit, f.Offset)
	n := len(c.args)
	return total, list(rows, query+narrowed+" ORDER BY "+order+" LIMIT $"+strconv.Itoa(n+1)+" OFFSET $"+strconv.Itoa(n+2), args...)
}
