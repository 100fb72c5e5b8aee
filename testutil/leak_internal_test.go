package testutil

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver
)

func TestUnused_RowsThatWereNotClosedAreFound(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	rows, err := db.QueryContext(t.Context(), "SELECT 1 UNION SELECT 2")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.ErrorContains(t, unused(db.Stats()), "1 database connections are still in use")
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close()) //nolint:sqlclosecheck // that it was open until now is what is tested
	assert.NoError(t, unused(db.Stats()))
}
