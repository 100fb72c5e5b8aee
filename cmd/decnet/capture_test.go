package main

import (
	"encoding/json"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counts are what examples/cowrie/counts.sh found in the capture with jq.
type counts struct {
	Lines          int64            `json:"lines"`
	Attackers      int64            `json:"attackers"`
	PerEventType   map[string]int64 `json:"per_event_type"`
	PerService     map[string]int64 `json:"per_service"`
	PerAttacker    map[string]int64 `json:"per_attacker"`
	PerQuarterHour map[string]int64 `json:"per_quarter_hour"`
	Credentials    int64            `json:"credentials"`
}

// TestServe_TheShippedCaptureGivesTheCountsOfAnotherTool takes the way of make
// run: from the file to the answers of the API.
func TestServe_TheShippedCaptureGivesTheCountsOfAnotherTool(t *testing.T) {
	t.Parallel()
	const dir = "../../examples/cowrie/"
	b, err := os.ReadFile(dir + "counts.json")
	require.NoError(t, err)
	var want counts
	require.NoError(t, json.Unmarshal(b, &want))
	require.Len(t, want.PerAttacker, int(want.Attackers))

	c := launch(t, t.TempDir(), withAdmin(), "--ingest", dir+"tpot-2025-10-24.jsonl").admin(t)
	total := func(search string) int64 {
		var page logPage
		c.get(t, "/api/v1/logs?limit=1&search="+url.QueryEscape(search), &page)
		return page.Total
	}
	// Filtered totals are never cached.
	eventually(t, "all is stored", func() bool { return total("service:ssh")+total("service:telnet") == want.Lines })

	var s stats
	c.get(t, "/api/v1/stats", &s)
	assert.Equal(t, stats{TotalLogs: want.Lines, UniqueAttackers: want.Attackers}, s)

	for service, n := range want.PerService {
		assert.Equal(t, n, total("service:"+service), service)
	}
	for event, n := range want.PerEventType {
		assert.Equal(t, n, total("event:"+event), event)
	}

	var attackers struct {
		Total int64
		Data  []struct {
			IP         string
			EventCount int64 `json:"event_count"`
		}
	}
	c.get(t, "/api/v1/attackers?limit=1000", &attackers)
	assert.Equal(t, want.Attackers, attackers.Total)
	perAttacker := map[string]int64{}
	for _, a := range attackers.Data {
		perAttacker[a.IP] = a.EventCount
	}
	assert.Equal(t, want.PerAttacker, perAttacker)

	var buckets []struct {
		Time  string
		Count int64
	}
	c.get(t, "/api/v1/logs/histogram", &buckets)
	perQuarterHour := map[string]int64{}
	for _, b := range buckets {
		at, err := time.Parse(time.DateTime, b.Time)
		require.NoError(t, err)
		perQuarterHour[at.Format(time.RFC3339)] = b.Count
	}
	assert.Equal(t, want.PerQuarterHour, perQuarterHour)

	var bounties struct{ Total int64 }
	c.get(t, "/api/v1/bounty?bounty_type=credential", &bounties)
	assert.Equal(t, want.Credentials, bounties.Total)
}
