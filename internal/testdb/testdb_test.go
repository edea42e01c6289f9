package testdb_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/testdb"
	"handover/schema"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

func TestEachTestHasItsOwnMigratedDatabase(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := testdb.New(t)
			have, need, err := schema.Versions(t.Context(), db.DB)
			require.NoError(t, err)
			require.Equal(t, need, have)
			// The same name in each would clash in a shared database.
			_, err = db.ExecContext(t.Context(), `CREATE TABLE mine (n int)`)
			require.NoError(t, err)
		})
	}
}
