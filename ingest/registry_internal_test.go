package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestRegistry_OfSeveralPositionsThatFit has a log of which two copies were read
// further than itself: going on where they ended would lose lines.
func TestRegistry_OfSeveralPositionsThatFit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log.json")
	content := bytes.Repeat([]byte("a line\n"), 30)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	f, err := openFile(path)
	require.NoError(t, err)
	defer f.close()
	if f.id.inode == 0 {
		t.Skip("no inodes here")
	}
	at := func(source string, id fileID, lines int) repo.Position {
		read := content[:7*lines]
		return repo.Position{
			Source: source, Device: id.dev, Inode: id.inode, Offset: int64(len(read)),
			HeadLen: int64(len(read)), HeadHash: sumOf(read), TailLen: int64(len(read)), TailHash: sumOf(read),
		}
	}
	own := at("file-2", f.id, 10)
	copies := []repo.Position{at("file-1", fileID{f.id.dev, f.id.inode + 1}, 20), at("file-3", fileID{f.id.dev, f.id.inode + 2}, 25)}

	known := newRegistry()
	known.load(copies)
	pos, offset, ok := known.find(f)
	assert.True(t, ok)
	assert.Equal(t, "file-3", pos.Source, "of copies that which was read furthest")
	assert.EqualValues(t, 175, offset)

	known.load([]repo.Position{own})
	pos, offset, ok = known.find(f)
	assert.True(t, ok)
	assert.Equal(t, "file-2", pos.Source, "the file's own")
	assert.EqualValues(t, 70, offset)
}
