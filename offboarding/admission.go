package offboarding

import (
	"fmt"
	"slices"
)

// Reach says how an actor stands to an organization (rule A1).
type Reach string

// The reaches.
const (
	ReachNone     Reach = ""         // another tenant
	ReachOwn      Reach = "own"      // a member of the organization
	ReachAncestor Reach = "ancestor" // a member of an ancestor that has enterprise plan manager on
)

// Actor is who asks, and how the actor stands to the leaver's organization.
type Actor struct {
	Member         *Member // nil when there is no such member
	Reach          Reach
	WorkspaceAdmin bool // of the workspace that a removal is about (rule W1)
}

// admin reports whether the actor is an active owner or admin within reach.
func (a Actor) admin() bool {
	return a.Member.Active() && a.Reach != ReachNone && a.Member.Role.Admin()
}

// AdmissionFacts is what the rules need to know to judge a start.
type AdmissionFacts struct {
	Actor             Actor
	Leaver            *Member // nil when there is no such member in the actor's reach
	Organization      Organization
	OtherActiveOwners int // active owners other than the leaver who are not being offboarded right now
	// NewOwner is the member that new_owner_id names, the leaver's manager for
	// "manager", and the provisioning admin where a provider names nobody (rule
	// N2); nil when there is none.
	NewOwner     *Member
	Manager      *Member // the leaver's manager, nil for none
	FromProvider bool    // the case was asked for on behalf of an identity provider
}

// JudgeAuthority judges rules A1, A2 and A4: may the actor act on the member?
func JudgeAuthority(actor Actor, member *Member) []Violation {
	violations := JudgeAdmin(actor)
	if member == nil || actor.Member == nil {
		return violations
	}
	if actor.Member.ID == member.ID {
		violations = append(violations, Violation{
			Rule: "A4", Code: CodeSelfOffboarding, Field: "requested_by", Message: "nobody acts on their own account",
		})
	}
	switch {
	case len(violations) > 0:
	case actor.Member.Role != RoleOwner && member.Role == RoleOwner:
		violations = append(violations, Violation{
			Rule: "A2", Code: CodeNotAuthorized, Field: "requested_by", Message: "an admin cannot act on an owner",
		})
	case !actor.admin() && member.Role == RoleAdmin:
		violations = append(violations, Violation{
			Rule: "A2", Code: CodeNotAuthorized, Field: "requested_by", Message: "a workspace admin cannot act on an admin",
		})
	}
	return violations
}

// JudgeAdmin judges rule A1: the actor is an active owner or admin of the
// organization, or of an ancestor with enterprise plan manager; where a removal
// from a workspace is concerned, its workspace admin does too (rule W1).
func JudgeAdmin(actor Actor) []Violation {
	if actor.admin() || actor.WorkspaceAdmin && actor.Member.Active() {
		return nil
	}
	return []Violation{{
		Rule: "A1", Code: CodeNotAuthorized, Field: "requested_by",
		Message: "only an active owner or admin of the organization, or of an ancestor with enterprise plan manager, may do this",
	}}
}

// JudgeEligibility judges rules A3 and E2 to E5: can this member be offboarded?
func JudgeEligibility(f AdmissionFacts) []Violation {
	var violations []Violation
	add := func(rule string, code Code, message string) {
		violations = append(violations, Violation{Rule: rule, Code: code, Field: "member_id", Message: message})
	}
	leaver := f.Leaver
	if !leaver.Active() {
		add("E2", CodeAlreadyInactive, "the member is not active and has no open case")
	} else if leaver.Role == RoleOwner && f.OtherActiveOwners == 0 {
		add("A3", CodeLastOwner, "the last active owner of an organization cannot be offboarded")
	}
	domain := EmailDomain(leaver.Email)
	switch {
	case f.FromProvider: // who the organization's members are is the provider's to say: their access ends wherever their mail goes
	case IsISPDomain(domain):
		add("E3", CodeISPDomain, "the member's primary email is on an ISP domain")
	case !f.Organization.HasDomain(domain):
		add("E4", CodeDomainNotAssociated, "the domain of the member's primary email is not one of the organization's")
	}
	if leaver.ManagedBy != "" && !f.FromProvider {
		add("E5", CodeExternallyManaged, "the member is managed by an identity provider and is offboarded from there")
	}
	return violations
}

// JudgeNewOwner judges rule N1: an active maker of the leaver's organization,
// and not the leaver.
func JudgeNewOwner(candidate *Member, leaver *Member) []Violation {
	if candidate.MayOwn() && candidate.OrganizationID == leaver.OrganizationID && candidate.ID != leaver.ID {
		return nil
	}
	return []Violation{{
		Rule: "N1", Code: CodeNewOwnerNotEligible, Field: "new_owner_id",
		Message: "a new owner is an active maker of the same organization, and not the leaver",
	}}
}

// CheckRequest judges what can be seen in the request alone: required fields,
// disposition, rules D3 and O1, the grace period, texts that cannot be kept. The
// effective time needs the member's time zone and is read by EffectiveTime, and
// D3 is judged by Admit where the organization decides the disposition.
func CheckRequest(r Request) []Violation {
	var f form
	if r.MemberID == "" {
		f.bad("E1", "member_id", "member_id is required")
	}
	f.provider(r.Provider)
	if r.RequestedBy == "" && r.Provider == "" {
		f.bad("A1", "requested_by", "requested_by is required")
	}
	if r.Disposition != "" && !slices.Contains(Dispositions, r.Disposition) {
		f.bad("", "disposition", fmt.Sprintf("disposition must be one of %v", Dispositions))
	}
	if r.NewOwnerID != "" && r.Disposition != "" && r.Disposition != DispositionTransfer {
		f.bad("N1", "new_owner_id", "new_owner_id goes with disposition transfer only")
	}
	f = append(f, judgeArchiveSchedules(r, r.disposition(DispositionTransfer))...)
	f.text("member_id", r.MemberID)
	f.text("requested_by", r.RequestedBy)
	f.text("workspace_id", r.WorkspaceID)
	f.text("new_owner_id", r.NewOwnerID)
	f.text("reason", r.Reason)
	if _, err := ParseGrace(r.GracePeriod, 0); err != nil {
		f = append(f, violationsOf(err)...)
	}
	return append(f, CheckOrigin(r.Origin)...)
}

// judgeArchiveSchedules judges rule D3 where this is the disposition.
func judgeArchiveSchedules(r Request, disposition Disposition) []Violation {
	if !r.ArchiveSchedules || disposition == DispositionTransfer {
		return nil
	}
	return []Violation{{
		Rule: "D3", Code: CodeInvalidArgument, Field: "archive_schedules",
		Message: "archive_schedules goes with disposition transfer only; archive archives schedules too",
	}}
}

// MaxNote is the length in bytes of the longest note or reason.
const MaxNote = 2000

// disposition is the request's own, transfer where only a new owner is named,
// and the fallback otherwise.
func (r Request) disposition(fallback Disposition) Disposition {
	if r.Disposition != "" {
		return r.Disposition
	}
	if r.NewOwnerID != "" {
		return DispositionTransfer
	}
	return fallback
}

// DispositionIn is what the request does with the documents in an organization.
func (r Request) DispositionIn(o Organization) Disposition {
	if d := r.disposition(o.DefaultDisposition); d != "" {
		return d
	}
	return DispositionRetain
}
