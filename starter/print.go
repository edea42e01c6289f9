package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"handover/internal/terminal"
	"handover/offboarding"
)

// The formats of an answer.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// answer prints v for scripts, or what forPeople writes.
func (f *factory) answer(v any, forPeople func(w *strings.Builder)) error {
	if f.output == outputJSON {
		return writeJSON(f.out, v, "  ")
	}
	var text strings.Builder
	forPeople(&text)
	_, err := io.WriteString(f.out, terminal.Lines(text.String()))
	return err
}

func writeJSON(w io.Writer, v any, indent string) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	return encoder.Encode(v)
}

// pairs prints names and values below each other, leaving out empty values.
func pairs(w io.Writer, namesAndValues ...string) {
	t := terminal.NewTable(w)
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] != "" {
			t.AppendRow(table.Row{namesAndValues[i], namesAndValues[i+1]})
		}
	}
	t.Render()
}

// shortTime is a time for people, always in UTC.
func shortTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

func shortTimeOf(at *time.Time) string {
	if at == nil {
		return ""
	}
	return shortTime(*at)
}

// short is a clear text of at most n characters.
func short(text string, n int) string {
	runes := []rune(terminal.Clear(text))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

// person is a name with the address behind it.
func person(name, email string) string {
	if email == "" {
		return terminal.Clear(name)
	}
	return terminal.Clear(name) + " <" + terminal.Clear(email) + ">"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// answerPage prints a page of a list: a row for each item, how many there are of
// how many where the list counts, and how to go on. what is what is listed.
func answerPage[T any](f *factory, page offboarding.Page[T], what string, header table.Row, row func(T) table.Row) error {
	err := f.answer(page, func(w *strings.Builder) {
		if len(page.Items) == 0 {
			fmt.Fprintf(w, "No %s.\n", what)
			return
		}
		t := terminal.NewTable(w, header...)
		for _, item := range page.Items {
			t.AppendRow(row(item))
		}
		t.Render()
		if page.Total != nil {
			fmt.Fprintf(w, "\n%d of %v %s.\n", len(page.Items), upTo(*page.Total), what)
		}
	})
	f.nextPage(page.Next)
	return err
}

// upTo is a count of a list, which stops at a limit.
func upTo(n int) any {
	if n < offboarding.CountLimit {
		return n
	}
	return strconv.Itoa(offboarding.CountLimit) + "+"
}

// paging is which part of a list a command shows.
type paging struct {
	cursor string
	limit  int
}

func (p *paging) registerPage(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.cursor, "cursor", "", "`CURSOR` of the next page, as the page before gave it out")
	cmd.Flags().IntVar(&p.limit, "limit", offboarding.DefaultLimit, "how many rows at most")
}

func (p *problems) limit(shown paging) {
	p.check(shown.limit >= 1 && shown.limit <= offboarding.MaxLimit, "--limit must be from 1 to %d", offboarding.MaxLimit)
}

// nextPage tells people how to go on.
func (f *factory) nextPage(cursor string) {
	if cursor != "" && f.output == outputTable {
		_, _ = fmt.Fprintf(f.err, "There is more: add --cursor %s\n", cursor) // the answer itself is complete
	}
}
