package main

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"handover/internal/terminal"
	"handover/offboarding"
)

// printSuccessors shows who could own the documents, and with documents who could
// own each one of the page.
func printSuccessors(w *strings.Builder, s offboarding.Successors, documents bool) {
	if len(s.Suggestions) > 0 {
		fmt.Fprintln(w, "\nWho could own the documents:")
		t := terminal.NewTable(w, "member", "why")
		for _, suggestion := range s.Suggestions {
			t.AppendRow(table.Row{person(suggestion.Name, suggestion.Email), strings.Join(suggestion.Why, "; ")})
		}
		t.Render()
	}
	for _, note := range s.Notes {
		fmt.Fprintln(w, "Note: "+note+".")
	}
	if !documents || len(s.Documents.Items) == 0 {
		return
	}
	fmt.Fprintln(w, "\nWho could own each document:")
	t := terminal.NewTable(w, "document", "title", "member", "why")
	for _, d := range s.Documents.Items {
		id, title := short(d.ExternalID, 30), short(d.Title, 40)
		if d.Held {
			title += " (legal hold)"
		}
		if len(d.Suggestions) == 0 {
			t.AppendRow(table.Row{id, title, "nobody", ""})
		}
		for _, suggestion := range d.Suggestions {
			t.AppendRow(table.Row{id, title, person(suggestion.Name, suggestion.Email), strings.Join(suggestion.Why, "; ")})
			id, title = "", ""
		}
	}
	t.Render()
}
