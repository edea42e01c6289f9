package postgres

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"handover/offboarding"
)

// conditions builds the WHERE of a list from fixed fragments; every value is a
// parameter. The combinations that are really used are few, so each becomes a
// prepared statement of its own that the planner sees without dead branches.
type conditions struct {
	text   []string
	args   []any
	before []string // settings by which the list is planned
}

// add appends a fragment in which each ? stands for the next value.
func (c *conditions) add(fragment string, values ...any) {
	for _, v := range values {
		c.args = append(c.args, v)
		fragment = strings.Replace(fragment, "?", "$"+strconv.Itoa(len(c.args)), 1)
	}
	c.text = append(c.text, fragment)
}

// equal narrows a text column unless the value is empty.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// id narrows a uuid column unless the value is empty; a value that is no ID
// matches nothing.
func (c *conditions) id(column, value string) {
	switch {
	case value == "":
	case isID(value):
		c.add(column+" = ?::uuid", value)
	default:
		c.text = append(c.text, "false")
	}
}

// within narrows a uuid column to some IDs, none for all. One ID is by far the usual
// case and gets the plan of an equality.
func (c *conditions) within(column string, ids []string) {
	switch len(ids) {
	case 0:
	case 1:
		c.id(column, ids[0])
	default:
		c.add(column+" = ANY (?::uuid[])", uuidArray(ids))
	}
}

// after goes on behind the row with the cursor's ID, in an order by ID.
func (c *conditions) after(column, cursor string) error {
	if cursor == "" {
		return nil
	}
	if !isID(cursor) {
		return badCursor()
	}
	c.add(column+" > ?::uuid", cursor)
	return nil
}

// also is the same with one more fragment, which has no value of its own.
func (c *conditions) also(fragment string) *conditions {
	return &conditions{text: append([]string{fragment}, c.text...), args: c.args, before: c.before}
}

// clause is the WHERE alone, "" where nothing narrows.
func (c *conditions) clause() string {
	if len(c.text) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.text, " AND ")
}

// where is the finished clause, with the limit as the last parameter.
func (c *conditions) where(order string, limit int) string {
	clause := c.clause()
	c.args = append(c.args, limit)
	return clause + " ORDER BY " + order + " LIMIT $" + strconv.Itoa(len(c.args))
}

// isID reports whether the text is an ID in its usual form.
func isID(text string) bool { return len(text) == 36 && uuid.Validate(text) == nil }

// pageSize brings a limit into its bounds.
func pageSize(limit int) int {
	if limit <= 0 {
		return offboarding.DefaultLimit
	}
	return min(limit, offboarding.MaxLimit)
}

// page reads one row more than the limit to know whether there is another page.
// times are those of a row, which become UTC whatever the database's zone.
func page[T any](
	ctx context.Context, s *Store, op, query string, c *conditions, limit int, times func(*T) []*time.Time, cursor func(T) string,
) (offboarding.Page[T], error) {
	var out offboarding.Page[T]
	err := s.inTx(ctx, op, func(t *tx) (err error) {
		out, err = pageIn(t, query, c, limit, times, cursor)
		return err
	})
	return out, err
}

// pageIn is page in a transaction of the caller's.
func pageIn[T any](t *tx, query string, c *conditions, limit int, times func(*T) []*time.Time, cursor func(T) string) (offboarding.Page[T], error) {
	out := offboarding.Page[T]{Items: []T{}}
	err := t.set(c.before...)
	if err == nil {
		err = t.list(&out.Items, query, c.args...)
	}
	if err != nil {
		return offboarding.Page[T]{}, err
	}
	for i := range out.Items {
		utc(times(&out.Items[i]))
	}
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		out.Next = cursor(out.Items[limit-1])
	}
	return out, nil
}

// set sets how the transaction is planned.
func (t *tx) set(settings ...string) error {
	if len(settings) == 0 {
		return nil
	}
	_, err := t.exec("SELECT " + strings.Join(settings, ", "))
	return err
}

func utc(times []*time.Time) {
	for _, at := range times {
		if at != nil {
			*at = at.UTC()
		}
	}
}

// timeCursor is the place of a row in an order by time and ID.
func timeCursor(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(at.UTC().Format(time.RFC3339Nano) + " " + id))
}

func readTimeCursor(text string) (at time.Time, id string, err error) {
	at, id, err = splitTimeCursor(text)
	if err == nil && !isID(id) {
		err = badCursor()
	}
	return at, id, err
}

// splitTimeCursor reads a cursor whose ID may be any text that a column can have.
// Only what timeCursor writes is taken: PostgreSQL does not take every offset from
// UTC that Go reads.
func splitTimeCursor(text string) (at time.Time, id string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		moment, rest, _ := strings.Cut(string(raw), " ")
		at, err = time.Parse(time.RFC3339Nano, moment)
		if err == nil && timeCursor(at, rest) == text && utf8.ValidString(rest) && !strings.Contains(rest, "\x00") {
			return at, rest, nil
		}
	}
	return time.Time{}, "", badCursor()
}

// readNumberCursor reads the place of a row in an order by a number from 1 on, of
// a column with that many bits.
func readNumberCursor(text string, bits int) (int64, error) {
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != text {
		return 0, badCursor()
	}
	return n, nil
}

func badCursor() error {
	return offboarding.Refuse("", offboarding.CodeInvalidArgument, "cursor", "the cursor is not one that a list has given out")
}
