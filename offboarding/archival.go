package offboarding

import "time"

// ArchiveAfter is how long a leaver whom Entra manages stays inactive before
// becoming archived (seed 000).
const ArchiveAfter = 30 * 24 * time.Hour

// StepArchiveMember names the archival where it cannot go on, though its case may
// be closed.
const StepArchiveMember = "archive-member"

// ArchiveAt is when a leaver who is deactivated now becomes archived; nil for one
// who stays inactive.
func ArchiveAt(managedBy string, deactivatedAt time.Time) *time.Time {
	if managedBy != IdentityProviderEntra {
		return nil
	}
	at := deactivatedAt.Add(ArchiveAfter).UTC()
	return &at
}
