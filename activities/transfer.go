package activities

import (
	"context"

	"handover/offboarding"
)

// AuthorizeTransfer judges a transfer-documents (rules A1, N1, N2, T1); the
// documents themselves are moved by TransferDocuments.
func (a *Activities) AuthorizeTransfer(
	ctx context.Context, in offboarding.AuthorizeTransferInput,
) (offboarding.TransferAuthorized, error) {
	return heard(ctx, a, in.Sent, func() (offboarding.TransferAuthorized, error) { return a.store.AuthorizeTransfer(ctx, in) })
}

// TransferDocuments gives the leaver's documents to the new owner, with their
// folders (rules D1, D2) and schedules.
func (a *Activities) TransferDocuments(ctx context.Context, in offboarding.SweepInput) (offboarding.Sweep, error) {
	return sweep(ctx, in, a.store.TransferBatch)
}
