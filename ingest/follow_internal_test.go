package ingest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestIsRotationOf: what is missed here is not read after a stop, and what is
// taken wrongly is read as if an attacker had done it.
func TestIsRotationOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"log.json.1": true, "log.json.0": true, "log.json.9": true, "log.json.10": true, "log.json.1.gz": true,
		"log.json-20260414": true, "log.json-20260414.gz": true, "log.json.2026-04-14": true, "log.json.2026-04-14T09:00:00Z": true,
		"log.json": false, "log.json.": false, "log.json.gz": false, "log.json.old": false, "log.json.1x": false, "log.json.:": false,
		"log.json./": false, "log.json1": false, "log.json_1": false, "other.json.1": false, "my-log.json.1": false,
	} {
		assert.Equal(t, want, isRotationOf("/var/log/"+name, "/var/log/log.json"), name)
	}
}
