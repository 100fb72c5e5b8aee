package main

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
)

// damage changes a database behind the store's back.
func damage(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
