package console

import (
	"strings"

	"handover/offboarding"
	"handover/server/problem"
)

// why is a broken rule in the reader's words: those for the code under that rule, or for
// the code, or the rule's own where there are none. A field that is malformed has none,
// nor has what a rule says of the very field, since only the rule knows how it should be.
func (v *visit) why(violation offboarding.Violation) string {
	if violation.Field != "" && strings.HasPrefix(violation.Message, violation.Field+" ") {
		return violation.Message
	}
	for _, id := range []string{"code." + string(violation.Code) + "." + violation.Rule, "code." + string(violation.Code)} {
		if v.Has(id) {
			return v.T(id)
		}
	}
	return violation.Message
}

// WhyCode is why where nothing is known but the code.
func (v *visit) WhyCode(code offboarding.Code) string {
	return v.why(offboarding.Violation{Code: code, Message: v.T("refused.for", "code", string(code))})
}

// worded is a problem in the reader's words.
func (v *visit) worded(p *problem.Problem) *problem.Problem {
	for i, f := range p.Errors {
		p.Errors[i].Message = v.why(offboarding.Violation{Rule: f.Rule, Code: f.Code, Field: f.Field, Message: f.Message})
	}
	return p
}
