package offboarding

// ClaimFacts is what rules C1 and C2 need to know about a claim-request.
type ClaimFacts struct {
	Claimant         *Member    // nil when there is no such member
	SameOrganization bool       // the claimant belongs to the document's organization
	DocumentFound    bool       // the document exists in the leaver's organization
	OwnedByLeaver    bool       // nobody has taken it yet
	LeaverActive     bool       // the document has an active owner: the leaver
	Archived         bool       // an archived document waits for nobody
	Held             bool       // a legal hold keeps it where it is (rule H1)
	IsLeaver         bool       // the claimant is who leaves: a removal from a workspace keeps the account active
	Grant            GrantLevel // the claimant's grant on the document
	Pending          bool       // the claimant already has a pending request on it
	Policy           ClaimPolicy
	As               string // claim or request, "" for either
}

// Obstacle is why somebody who may ask for a document may not claim it.
type Obstacle string

// The obstacles (rule C1, seed 002).
const (
	ObstaclePolicy  Obstacle = "claim_policy" // the organization lets nobody claim
	ObstacleAccount Obstacle = "account_type" // the member is not a maker
	ObstacleGrant   Obstacle = "grant"        // the member may not edit the document
)

// Obstacle is what keeps the claimant from a claim, "" for nothing. What only an admin
// can change comes before what is about the document.
func (f ClaimFacts) Obstacle() Obstacle {
	switch {
	case f.Policy != PolicySelfServe:
		return ObstaclePolicy
	case !f.Claimant.MayOwn():
		return ObstacleAccount
	case f.Grant != GrantEdit:
		return ObstacleGrant
	}
	return ""
}

// JudgeClaim judges a claim-request: claimed where rule C1 allows it, requested
// where only rule C2 does, else a Refusal (seed 002).
func JudgeClaim(f ClaimFacts) (outcome string, err error) {
	if !f.Claimant.Active() || !f.SameOrganization || !f.DocumentFound || f.Grant == GrantNone || f.IsLeaver {
		// One answer for all of these, so that nobody learns which documents exist.
		return "", Refuse("C2", CodeNoAccess, "document_id", "only an active member with a grant on the document may ask for it")
	}
	if !f.OwnedByLeaver || f.LeaverActive {
		return "", Refuse("C1", CodeAlreadyOwned, "document_id", "the document has an active owner")
	}
	if f.Archived {
		return "", Refuse("C1", CodeNotEligibleToClaim, "document_id", "the document is archived")
	}
	mayClaim := f.Obstacle() == ""
	switch {
	case !mayClaim && f.As == AsClaim:
		return "", Refuse("C1", CodeNotEligibleToClaim, "document_id",
			"a claim takes a maker with an edit grant, where the organization lets them; an admin can be asked for the document")
	case mayClaim && f.As != AsRequest && f.Held:
		return "", RefusalOf([]Violation{heldViolation("document_id")})
	case mayClaim && f.As != AsRequest:
		return OutcomeClaimed, nil
	case f.Pending:
		return "", Refuse("C2", CodeAlreadyRequested, "document_id", "the member already has a pending request on this document")
	}
	return OutcomeRequested, nil
}
