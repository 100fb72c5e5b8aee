package sqlite

import (
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPackedContainsFold_Damaged: a list in a damaged database ends where it can no
// longer be read, and brings nothing down.
func TestPackedContainsFold_Damaged(t *testing.T) {
	t.Parallel()
	for packed, want := range map[string]bool{
		"":               false,
		"\x03abc":        true,
		"\x01x\x03abc":   true,
		"\x04abc":        false,
		"\x05abc":        false,
		"\x02ab\x03bc":   true,
		"\x80":           false,
		"\x03abc\xff":    true,
		"\x01x\xff\xffB": false,
	} {
		assert.Equal(t, want, packedContainsFold([]driver.Value{"B", packed}), "%q", packed)
	}
}

// TestUnpack_Damaged ends where it can no longer be read, too.
func TestUnpack_Damaged(t *testing.T) {
	t.Parallel()
	for packed, want := range map[string][]string{
		"":                 {},
		"\x03abc\x00\x01x": {"abc", "", "x"},
		"\x01x\x03ab":      {"x"},
		"\x01x\x04abc":     {"x"},
		"\x01x\x80":        {"x"},
		"\x01x\xff\xffB":   {"x"},
	} {
		assert.Equal(t, want, unpack([]byte(packed)), "%q", packed)
	}
}
