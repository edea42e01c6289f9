package api

import (
	"unicode/utf8"

	"handover/offboarding"
)

// OriginInput is where a request comes from (rule O1, seed 003): a part of the
// input of every route that writes.
type OriginInput struct {
	Source string `header:"Handover-Integration-Source" maxLength:"400" doc:"Who calls, where it is no person: TYPE,OrgName,SourceName with TYPE AI, SCRIPT or APPLICATION. Kept in the audit" example:"SCRIPT,Acme,hr-sync"`
	Seed   string `header:"Smartsheet-Integration-Source" maxLength:"400" doc:"The same under its other name"`
}

// origin is what the headers say, or what is wrong with them.
func (o OriginInput) origin() (string, []offboarding.Violation) {
	origin, header := o.Source, "Handover-Integration-Source"
	switch {
	case origin == "":
		origin, header = o.Seed, "Smartsheet-Integration-Source"
	case o.Seed != "" && o.Seed != o.Source:
		return "", malformedOrigin(header, "Handover-Integration-Source and Smartsheet-Integration-Source say different things")
	}
	if violations := offboarding.CheckOrigin(origin); len(violations) > 0 {
		return "", malformedOrigin(header, violations[0].Message)
	}
	if !utf8.ValidString(origin) {
		return "", malformedOrigin(header, "origin is not UTF-8")
	}
	return origin, nil
}

func malformedOrigin(header, message string) []offboarding.Violation {
	return offboarding.Refuse("O1", offboarding.CodeInvalidArgument, header, message).Violations
}
