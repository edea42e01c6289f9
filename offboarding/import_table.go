package offboarding

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

var byteOrderMark = []byte("\ufeff")

// skipMark skips the byte order mark that spreadsheets write.
func skipMark(r io.Reader) *bufio.Reader {
	buffered := bufio.NewReader(r)
	if start, _ := buffered.Peek(len(byteOrderMark)); bytes.Equal(start, byteOrderMark) {
		_, _ = buffered.Discard(len(byteOrderMark)) // peeked at already
	}
	return buffered
}

// table reads a CSV file row by row, finds columns by their name in the header,
// and collects what is wrong.
type table struct {
	file    string
	csv     *csv.Reader
	columns map[string]int
	record  []string
	known   string // the column that rows are known by, "" for none
	line    int    // of the current row in the file
	bad     bool   // something is wrong with the current row
	errs    []RowError
}

// openTable reads the header. When it cannot be used, the table is done.
func openTable(file string, r io.Reader, required, optional []string) *table {
	t := &table{file: file, csv: csv.NewReader(skipMark(r)), columns: map[string]int{}}
	t.csv.ReuseRecord = true
	header, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		t.fail("", "the file is empty; its header is %s", strings.Join(required, ","))
		t.csv = nil
		return t
	}
	if err != nil {
		t.failRead(err)
		t.csv = nil
		return t
	}
	t.line, _ = t.csv.FieldPos(0)
	for i, name := range header {
		name = strings.TrimSpace(name)
		_, twice := t.columns[name]
		switch {
		case !slices.Contains(required, name) && !slices.Contains(optional, name):
			t.fail("", "unknown column %s", quote(name))
		case twice:
			t.fail(name, "the column is there twice")
		}
		t.columns[name] = i
	}
	for _, name := range required {
		if _, ok := t.columns[name]; !ok {
			t.fail(name, "the column is missing")
		}
	}
	if t.bad {
		t.csv = nil
	}
	return t
}

// next reads the next row that has the right number of fields.
func (t *table) next() bool {
	if t.csv == nil {
		return false
	}
	for {
		record, err := t.csv.Read()
		if errors.Is(err, io.EOF) {
			return false
		}
		t.record, t.bad = record, false
		if err == nil {
			t.line, _ = t.csv.FieldPos(0)
			return true
		}
		if !t.failRead(err) {
			return false
		}
	}
}

// failRead records an error of the CSV reader; false when nothing more can be read.
func (t *table) failRead(err error) bool {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		t.line = 0
		t.fail("", "the file cannot be read: %v", err)
		return false
	}
	t.line = parse.StartLine
	if errors.Is(err, csv.ErrFieldCount) {
		t.fail("", "the row has %d fields, the header %d", len(t.record), t.csv.FieldsPerRecord)
	} else {
		t.fail("", "the row is not CSV: %s", unreadable(parse.Err))
	}
	return true
}

// unreadable says what a row has that CSV does not allow.
func unreadable(err error) string {
	switch {
	case errors.Is(err, csv.ErrBareQuote):
		return `a " stands in a field that does not begin with one; such a field is enclosed in ", and each " within is doubled`
	case errors.Is(err, csv.ErrQuote):
		return `a field that begins with " does not end with one, or has one within that is not doubled`
	}
	return err.Error()
}

func (t *table) fail(field, format string, args ...any) {
	t.bad = true
	e := RowError{File: t.file, Line: t.line, Field: field, Reason: fmt.Sprintf(format, args...)}
	if i, ok := t.columns[t.known]; ok && i < len(t.record) && checkText(t.record[i], maxField) == "" {
		e.Name = t.record[i]
	}
	t.errs = append(t.errs, e)
}

// text is a field that may be empty.
func (t *table) text(column string, limit int) string {
	i, ok := t.columns[column]
	if !ok {
		return ""
	}
	if reason := checkText(t.record[i], limit); reason != "" {
		t.fail(column, "%s", reason)
		return ""
	}
	return t.record[i]
}

// required is a field that may not be empty.
func (t *table) required(column string) string {
	errs := len(t.errs)
	value := t.text(column, maxField)
	if len(t.errs) == errs && strings.TrimSpace(value) == "" {
		t.fail(column, "is empty")
	}
	return value
}

// name is a required field by which rows are found: no spaces around it.
func (t *table) name(column string) string {
	value := t.required(column)
	if trimmed := strings.TrimSpace(value); trimmed != "" && trimmed != value {
		t.fail(column, "%s has spaces around it", quote(value))
	}
	return value
}

// checked is a field with a form of its own; check says what is wrong with it,
// "" for nothing.
func (t *table) checked(column, value string, check func(string) string) string {
	if value != "" {
		if reason := check(value); reason != "" {
			t.fail(column, "%s %s", quote(value), reason)
		}
	}
	return value
}

// moment is a field with a time or a date, which is its beginning in UTC; zero
// when it is empty.
func (t *table) moment(column string) time.Time {
	text := t.text(column, maxField)
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil || at.Year() < firstYear {
		t.fail(column, "%s is no date (2006-01-02) or time with its zone (RFC 3339) since %d", quote(text), firstYear)
		return time.Time{}
	}
	return at.UTC()
}

// oneOf is a required field with few values.
func oneOf[T ~string](t *table, column string, values []T) T {
	text := t.required(column)
	if i := slices.Index(values, T(text)); i >= 0 {
		return values[i]
	}
	t.checked(column, text, among(values...))
	return ""
}

// quote makes a value safe to print, and short.
func quote(value string) string {
	const most = 80
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	return fmt.Sprintf("%q", value)
}
