package api

import (
	"net/textproto"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// PreferInput is a part of the input of routes that can answer before they are done.
type PreferInput struct {
	Prefer string `header:"Prefer" doc:"respond-async: answer 202 at once and go on by yourself (RFC 7240)" example:"respond-async"`
}

// Resolve puts the header's lines into one, of which huma reads the first alone.
func (p *PreferInput) Resolve(hc huma.Context) []error {
	var lines []string
	hc.EachHeader(func(name, value string) {
		if textproto.CanonicalMIMEHeaderKey(name) == "Prefer" {
			lines = append(lines, value)
		}
	})
	p.Prefer = strings.Join(lines, ",")
	return nil
}

const respondAsync = "respond-async"

// quoted is a text in quotes, in which commas and semicolons mean nothing.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// async reports whether the caller prefers an answer at once. Preferences that are
// not known, and what follows a semicolon, are not for us.
func (p *PreferInput) async() bool {
	for preference := range strings.SplitSeq(quoted.ReplaceAllString(p.Prefer, `""`), ",") {
		name, _, _ := strings.Cut(preference, ";")
		if strings.ToLower(strings.Trim(name, " \t")) == respondAsync { // not EqualFold, which takes ſ for s
			return true
		}
	}
	return false
}
