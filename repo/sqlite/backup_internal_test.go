package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestPublish_Fails: a copy that could not be given its name is not told to be there,
// and one that is there is left alone.
func TestPublish_Fails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	copied, there := filepath.Join(dir, "copied"), filepath.Join(dir, "there")
	require.ErrorIs(t, publish(copied, filepath.Join(dir, "x.db")), os.ErrNotExist)
	for _, name := range []string{copied, there} {
		require.NoError(t, os.WriteFile(name, []byte(name), 0o600))
	}
	require.ErrorIs(t, publish(copied, there), repo.ErrConflict)
	b, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, there, string(b))
}
