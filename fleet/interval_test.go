package fleet_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

func TestParseInterval(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"30m": 30, "1d": 1440, "2M": 86400, "1y": 525600, "3Y": 1576800, "999999999y": 525599999474400, "9223372036854775807m": math.MaxInt64, "6405119470038038d": 9223372036854774720} {
		got, err := fleet.ParseInterval(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "m", "0m", "-1m", "+1m", "01m", "1", "1h", "1mm", "1.5d", " 1m", "6405119470038039d", "9223372036854775808m", "9223372036854775807d", "99999999999999999999m"} {
		_, err := fleet.ParseInterval(text)
		assert.Error(t, err, text)
	}
}
