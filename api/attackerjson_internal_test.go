package api

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestAppendAttacker compares what is written by hand with what reflection writes of
// the same profile.
func TestAppendAttacker(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(20261124, 2))
	for range 500 {
		a := randomAttacker(r)
		want, err := json.Marshal(newReflectedAttacker(&a))
		require.NoError(t, err)
		got := appendAttacker(nil, &a)
		require.JSONEq(t, string(want), string(got))
		assert.Equal(t, got, appendAttacker([]byte("x"), &a)[1:], "after something else")
	}
}

func TestAppendFloat(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0: "0", 1.5: "1.5", -0.25: "-0.25", 1e-6: "0.000001", 1e-7: "1e-07", 1e20: "100000000000000000000", 1e21: "1e+21",
		math.Inf(1): "null", math.MaxFloat64: "1.7976931348623157e+308",
	} {
		assert.Equal(t, want, string(appendFloat(nil, &f)))
	}
	nan := math.NaN()
	assert.Equal(t, "null", string(appendFloat(nil, &nan)))
	assert.Equal(t, "null", string(appendFloat(nil, nil)))
}

func randomAttacker(r *rand.Rand) repo.Attacker {
	words := []string{"", "ssh", "decky-01", "<b>&\"\\", "\xff\x00\x1b[31m", "ünï\u2028", strings.Repeat("x", 300), "{}", "\n\t"}
	word := func() string { return words[r.IntN(len(words))] }
	list := func() (l []string) {
		for range r.IntN(4) {
			l = append(l, word())
		}
		return l
	}
	at := func() time.Time {
		if r.IntN(4) == 0 {
			return time.Time{}
		}
		return time.Unix(0, r.Int64N(2e18)).UTC()
	}
	number := func() *float64 {
		f := math.Ldexp(r.Float64()-0.5, r.IntN(160)-80)
		return []*float64{nil, &f, &f}[r.IntN(3)]
	}
	hops := r.Int64N(64)
	a := repo.Attacker{
		UUID: repo.AttackerUUID(word()), IP: []string{"192.0.2.1", "10.0.0.1", "2001:db8::1", word()}[r.IntN(4)],
		FirstSeen: at(), LastSeen: at(), EventCount: r.Int64(), Services: list(), Deckies: list(),
		BountyCount: r.Int64N(9), CredentialCount: r.Int64N(9), UpdatedAt: at(),
		Behavior: repo.Behavior{
			OSGuess: word(), HopDistance: []*int64{nil, &hops}[r.IntN(2)], TCPFingerprint: []string{"", "{\"a\":\"<\"}", "broken"}[r.IntN(3)],
			RetransmitCount: r.Int64N(99), Class: word(), BeaconInterval: number(), BeaconJitter: number(), Tools: list(),
			Timing: repo.Timing{
				Mean: number(), Median: number(), Stdev: number(), Min: number(), Max: number(), CV: number(),
				EventCount: r.Int64N(9), Duration: r.Float64() * 1e6,
			},
			Phases: repo.Phases{ReconEnd: at(), ExfilStart: at(), ExfilLatency: number(), LargePayloads: r.Int64N(9)},
		},
	}
	for range r.IntN(4) {
		a.Commands = append(a.Commands, repo.Command{Time: at(), Service: word(), Decky: word(), Text: word()})
		a.Fingerprints = append(a.Fingerprints, json.RawMessage([]string{"{}", "{\"ja3\":\"<script>\"}", "not JSON"}[r.IntN(3)]))
	}
	return a
}

// commandList and objectList are arrays that are never null.
type commandList []repo.Command

// MarshalJSON implements [json.Marshaler].
func (l commandList) MarshalJSON() ([]byte, error) { return appendCommands(nil, l), nil }

type objectList []json.RawMessage

// MarshalJSON implements [json.Marshaler].
func (l objectList) MarshalJSON() ([]byte, error) {
	return appendArray(nil, len(l), func(b []byte, i int) []byte { return appendObject(b, string(l[i])) }), nil
}

type reflectedAttacker struct {
	UUID            string            `json:"uuid"`
	IP              text              `json:"ip"`
	Scope           string            `json:"address_scope"`
	FirstSeen       wireTime          `json:"first_seen"`
	LastSeen        wireTime          `json:"last_seen"`
	EventCount      int64             `json:"event_count"`
	ServiceCount    int               `json:"service_count"`
	DeckyCount      int               `json:"decky_count"`
	Services        []text            `json:"services"`
	Deckies         []text            `json:"deckies"`
	TraversalPath   *text             `json:"traversal_path"`
	IsTraversal     bool              `json:"is_traversal"`
	BountyCount     int64             `json:"bounty_count"`
	CredentialCount int64             `json:"credential_count"`
	Fingerprints    objectList        `json:"fingerprints"`
	Commands        commandList       `json:"commands"`
	UpdatedAt       wireTime          `json:"updated_at"`
	Behavior        reflectedBehavior `json:"behavior"`
}

func newReflectedAttacker(a *repo.Attacker) reflectedAttacker {
	body := reflectedAttacker{
		UUID: a.UUID, IP: text(a.IP), Scope: repo.AddressScope(a.IP), FirstSeen: wireTime(a.FirstSeen), LastSeen: wireTime(a.LastSeen),
		EventCount: a.EventCount, ServiceCount: len(a.Services), DeckyCount: len(a.Deckies),
		Services: texts(a.Services), Deckies: texts(a.Deckies), IsTraversal: a.IsTraversal(),
		BountyCount: a.BountyCount, CredentialCount: a.CredentialCount,
		Fingerprints: a.Fingerprints, Commands: a.Commands, UpdatedAt: wireTime(a.UpdatedAt),
		Behavior: newBehaviorBody(a),
	}
	if a.IsTraversal() {
		path := text(strings.Join(a.Deckies, " → "))
		body.TraversalPath = &path
	}
	return body
}

type reflectedBehavior struct {
	AttackerUUID    string          `json:"attacker_uuid"`
	OSGuess         *text           `json:"os_guess"`
	HopDistance     *int64          `json:"hop_distance"`
	TCPFingerprint  objectText      `json:"tcp_fingerprint"`
	RetransmitCount int64           `json:"retransmit_count"`
	Class           string          `json:"behavior_class"`
	BeaconInterval  *float64        `json:"beacon_interval_s"`
	BeaconJitter    *float64        `json:"beacon_jitter_pct"`
	Tools           []text          `json:"tool_guesses"`
	Timing          reflectedTiming `json:"timing_stats"`
	Phases          reflectedPhases `json:"phase_sequence"`
	UpdatedAt       wireTime        `json:"updated_at"`
}

type reflectedTiming struct {
	Mean       *float64 `json:"mean_iat_s"`
	Median     *float64 `json:"median_iat_s"`
	Stdev      *float64 `json:"stdev_iat_s"`
	Min        *float64 `json:"min_iat_s"`
	Max        *float64 `json:"max_iat_s"`
	CV         *float64 `json:"cv"`
	EventCount int64    `json:"event_count"`
	Duration   float64  `json:"duration_s"`
}

type reflectedPhases struct {
	ReconEnd      wireTime `json:"recon_end_ts"`
	ExfilStart    wireTime `json:"exfil_start_ts"`
	ExfilLatency  *float64 `json:"exfil_latency_s"`
	LargePayloads int64    `json:"large_payload_count"`
}

func newBehaviorBody(a *repo.Attacker) reflectedBehavior {
	b := &a.Behavior
	body := reflectedBehavior{
		AttackerUUID: a.UUID, HopDistance: b.HopDistance, TCPFingerprint: objectText(b.TCPFingerprint),
		RetransmitCount: b.RetransmitCount, Class: b.Class, BeaconInterval: b.BeaconInterval,
		BeaconJitter: b.BeaconJitter, Tools: texts(b.Tools), UpdatedAt: wireTime(a.UpdatedAt),
		Timing: reflectedTiming{
			Mean: b.Timing.Mean, Median: b.Timing.Median, Stdev: b.Timing.Stdev, Min: b.Timing.Min,
			Max: b.Timing.Max, CV: b.Timing.CV, EventCount: b.Timing.EventCount, Duration: b.Timing.Duration,
		},
		Phases: reflectedPhases{
			ReconEnd: wireTime(b.Phases.ReconEnd), ExfilStart: wireTime(b.Phases.ExfilStart),
			ExfilLatency: b.Phases.ExfilLatency, LargePayloads: b.Phases.LargePayloads,
		},
	}
	if b.OSGuess != "" {
		guess := text(b.OSGuess)
		body.OSGuess = &guess
	}
	return body
}
