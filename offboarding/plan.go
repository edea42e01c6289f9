package offboarding

import (
	"errors"
	"time"
)

// Admit judges a start: every rule that speaks about authority, eligibility,
// the new owner and the form of the request. It returns what the case will do,
// or a Refusal with all that the request breaks. A start on behalf of an identity
// provider is not refused for its new owner: the leaver must lose access.
func Admit(r Request, f AdmissionFacts, now time.Time) (Plan, error) {
	violations := CheckRequest(r)
	if f.Leaver != nil || r.Provider == "" {
		violations = append(violations, JudgeAsker(f.Actor, r.Provider, f.Organization, f.Leaver)...)
	}
	if f.Leaver == nil {
		violations = append(violations, Violation{
			Rule: "E1", Code: CodeMemberNotFound, Field: "member_id", Message: "there is no such member in the actor's reach",
		})
		return Plan{}, RefusalOf(violations)
	}
	f.FromProvider = r.Provider != ""
	violations = append(violations, JudgeEligibility(f)...)
	return makePlan(r, f, now, violations)
}

// makePlan completes the plan of a start, beside what it breaks already.
func makePlan(r Request, f AdmissionFacts, now time.Time, violations []Violation) (Plan, error) {
	plan := Plan{Disposition: r.DispositionIn(f.Organization), ArchiveSchedules: r.ArchiveSchedules}
	if r.disposition("") == "" { // else CheckRequest has judged it
		violations = append(violations, judgeArchiveSchedules(r, plan.Disposition)...)
	}
	if plan.Disposition == DispositionTransfer {
		owner := f.NewOwner
		if r.NewOwnerID == "" && r.Provider == "" {
			owner = f.Actor.Member // rule N2
		}
		if owner != nil {
			plan.NewOwnerID = owner.ID
		}
		if r.Provider != "" {
			plan = FallBack(plan, f.Leaver, owner, f.Manager)
		} else {
			violations = append(violations, JudgeNewOwner(owner, f.Leaver)...)
		}
	}
	var err error
	if plan.EffectiveAt, err = EffectiveTime(r.EffectiveAt, f.zone(), now); err != nil {
		violations = append(violations, violationsOf(err)...)
	}
	plan.GracePeriod, _ = ParseGrace(r.GracePeriod, f.Organization.GracePeriod) // judged by CheckRequest
	if len(violations) > 0 {
		return Plan{}, RefusalOf(violations)
	}
	return plan, nil
}

// zone is the leaver's time zone, else the organization's (rule L1).
func (f AdmissionFacts) zone() string {
	if f.Leaver.TimeZone != "" {
		return f.Leaver.TimeZone
	}
	return f.Organization.TimeZone
}

// SecondLook judges a case again when its effective time has come. Whether the
// leaver can be offboarded is judged as at the start; the authority was given
// then and is not withdrawn because the admin has left since. A new owner who is
// no longer eligible is replaced: by the leaver's manager if eligible, else the
// documents are retained; the plan records why.
func SecondLook(plan Plan, f AdmissionFacts) (Plan, error) {
	if f.Leaver == nil {
		return plan, Refuse("E1", CodeMemberNotFound, "member_id", "the member no longer exists")
	}
	if violations := JudgeEligibility(f); len(violations) > 0 {
		return plan, RefusalOf(violations)
	}
	return FallBack(plan, f.Leaver, f.NewOwner, f.Manager), nil
}

// FallBack replaces a new owner who is not eligible: by the leaver's manager if
// eligible, else the documents are retained. A plan that needs none is returned
// as it is.
func FallBack(plan Plan, leaver, newOwner, manager *Member) Plan {
	switch {
	case plan.Disposition != DispositionTransfer || len(JudgeNewOwner(newOwner, leaver)) == 0:
	case len(JudgeNewOwner(manager, leaver)) == 0:
		plan.NewOwnerID = manager.ID
		plan.FallbackReason = "the new owner is not eligible; the documents go to the leaver's manager"
	default:
		plan.NewOwnerID = ""
		plan.Disposition = DispositionRetain
		plan.ArchiveSchedules = false
		plan.FallbackReason = "neither the new owner nor the leaver's manager is eligible; the documents are retained"
	}
	return plan
}

// violationsOf are the violations of a refusal, or none.
func violationsOf(err error) []Violation {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Violations
	}
	return nil
}
