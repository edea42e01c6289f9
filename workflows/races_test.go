package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

func TestTransferGoesOnWhenTheGraceIsExtendedBesideIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	colleague := s.Maker()
	s.Document(s.Leaver, "")

	var transfer, extend *answer
	s.after(day, func() {
		transfer = s.update("t", offboarding.MessageTransfer, offboarding.TransferDocuments{AdminID: s.Admin, NewOwnerID: colleague})
		extend = s.update("e", offboarding.MessageExtend, offboarding.ExtendGrace{AdminID: s.Admin, Until: at(20 * day)})
	})
	s.run(nil)

	require.Equal(t, offboarding.PhaseCompleted, s.result().Phase)
	require.NoError(t, transfer.err)
	require.Equal(t, 1, transfer.outcome.Documents)
	require.NoError(t, extend.err)
	require.Equal(t, fixtureTime(20*day), *extend.outcome.At)
}
