package activities

import (
	"context"

	"handover/offboarding"
)

// ArchiveMember makes the leaver of a case archived; false where they are no
// longer as the case has left them.
func (a *Activities) ArchiveMember(ctx context.Context, in offboarding.Step) (bool, error) {
	return answer(a.store.ArchiveMember(ctx, in))
}
