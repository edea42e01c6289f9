package api

import "strings"

// PreferInput is a part of the input of routes that can answer before they are done.
type PreferInput struct {
	Prefer []string `header:"Prefer" doc:"respond-async: answer 202 at once and go on by yourself (RFC 7240)" example:"respond-async"`
}

const respondAsync = "respond-async"

// async reports whether the caller prefers an answer at once. Preferences that are
// not known, and what follows a semicolon, are not for us.
func (p PreferInput) async() bool {
	for _, header := range p.Prefer {
		for preference := range strings.SplitSeq(header, ",") {
			name, _, _ := strings.Cut(preference, ";")
			if strings.EqualFold(strings.TrimSpace(name), respondAsync) {
				return true
			}
		}
	}
	return false
}
