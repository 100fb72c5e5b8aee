package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo/repotest"
	"decnet/repo/sqlite"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	tp := template(t)
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		repotest.Run(t, func(t *testing.T) repotest.Store {
			t.Helper()
			return clone(t, tp, sqlite.Options{Now: repotest.Now})
		})
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		repotest.Run(t, func(t *testing.T) repotest.Store {
			t.Helper()
			return clone(t, tp, sqlite.Options{Now: repotest.Now, Path: filepath.Join(t.TempDir(), "x.db")})
		})
	})
}

// template returns a template that lives as long as the test and its subtests.
func template(t *testing.T) *sqlite.Template {
	t.Helper()
	tp, err := sqlite.NewTemplate(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	return tp
}

func clone(t *testing.T, tp *sqlite.Template, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := tp.Clone(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}
