package offboarding

import (
	"regexp"
	"strings"
)

// originParts is TYPE,OrgName,SourceName of rule O1 (seed 003).
var originParts = regexp.MustCompile(`^(AI|SCRIPT|APPLICATION),[^,\x00-\x1f]{1,100},[^,\x00-\x1f]{1,100}$`)

// CheckOrigin judges rule O1: an origin is empty or TYPE,OrgName,SourceName with
// TYPE one of AI, SCRIPT and APPLICATION.
func CheckOrigin(origin string) []Violation {
	if origin == "" {
		return nil
	}
	if !originParts.MatchString(origin) || strings.Contains(origin, ", ") {
		return []Violation{{
			Rule: "O1", Code: CodeInvalidArgument, Field: "origin",
			Message: "origin must be TYPE,OrgName,SourceName with TYPE one of AI, SCRIPT, APPLICATION",
		}}
	}
	return nil
}
