package api

import (
	"math"
	"strconv"

	"decnet/repo"
)

// appendAttacker appends the wire form of a profile. It is the largest answer that
// is not remembered by its request, and reflection would walk what it writes twice.
func appendAttacker(b []byte, a *repo.Attacker) []byte {
	// Most of it are the commands and fingerprints.
	size := 1536
	for i := range a.Commands {
		size += 128 + len(a.Commands[i].Text)
	}
	for _, f := range a.Fingerprints {
		size += len(f) + 1
	}
	if len(b) == 0 {
		b = make([]byte, 0, size)
	}
	b = appendString(append(b, `{"uuid":`...), a.UUID)
	b = appendString(append(b, `,"ip":`...), a.IP)
	b = appendString(append(b, `,"address_scope":`...), repo.AddressScope(a.IP))
	b = appendTime(append(b, `,"first_seen":`...), a.FirstSeen)
	b = appendTime(append(b, `,"last_seen":`...), a.LastSeen)
	b = strconv.AppendInt(append(b, `,"event_count":`...), a.EventCount, 10)
	b = strconv.AppendInt(append(b, `,"service_count":`...), int64(len(a.Services)), 10)
	b = strconv.AppendInt(append(b, `,"decky_count":`...), int64(len(a.Deckies)), 10)
	b = appendStrings(append(b, `,"services":`...), a.Services)
	b = appendStrings(append(b, `,"deckies":`...), a.Deckies)
	b = appendTraversal(append(b, `,"traversal_path":`...), a)
	b = strconv.AppendInt(append(b, `,"bounty_count":`...), a.BountyCount, 10)
	b = strconv.AppendInt(append(b, `,"credential_count":`...), a.CredentialCount, 10)
	b = append(b, `,"fingerprints":`...)
	b = appendArray(b, len(a.Fingerprints), func(b []byte, i int) []byte { return appendObject(b, string(a.Fingerprints[i])) })
	b = appendCommands(append(b, `,"commands":`...), a.Commands)
	b = appendTime(append(b, `,"updated_at":`...), a.UpdatedAt)
	b = appendBehavior(append(b, `,"behavior":`...), a)
	return append(b, '}')
}

func appendStrings(b []byte, list []string) []byte {
	return appendArray(b, len(list), func(b []byte, i int) []byte { return appendString(b, list[i]) })
}

// appendTraversal appends the path over the deckies, or null for one who knows one
// at most, and whether there is a path.
func appendTraversal(b []byte, a *repo.Attacker) []byte {
	if !a.IsTraversal() {
		return append(b, `null,"is_traversal":false`...)
	}
	b = append(b, '"')
	for i, name := range a.Deckies {
		if i > 0 {
			b = append(b, " → "...)
		}
		b = appendEscaped(b, name, false)
	}
	return append(b, `","is_traversal":true`...)
}

func appendBehavior(b []byte, a *repo.Attacker) []byte {
	v := &a.Behavior
	b = appendString(append(b, `{"attacker_uuid":`...), a.UUID)
	b = appendOptional(append(b, `,"os_guess":`...), v.OSGuess)
	b = append(b, `,"hop_distance":`...)
	if v.HopDistance == nil {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, *v.HopDistance, 10)
	}
	b = appendObject(append(b, `,"tcp_fingerprint":`...), v.TCPFingerprint)
	b = strconv.AppendInt(append(b, `,"retransmit_count":`...), v.RetransmitCount, 10)
	b = appendString(append(b, `,"behavior_class":`...), v.Class)
	b = appendFloat(append(b, `,"beacon_interval_s":`...), v.BeaconInterval)
	b = appendFloat(append(b, `,"beacon_jitter_pct":`...), v.BeaconJitter)
	b = appendStrings(append(b, `,"tool_guesses":`...), v.Tools)
	b = appendTiming(append(b, `,"timing_stats":`...), &v.Timing)
	b = appendPhases(append(b, `,"phase_sequence":`...), &v.Phases)
	b = appendTime(append(b, `,"updated_at":`...), a.UpdatedAt)
	return append(b, '}')
}

func appendTiming(b []byte, t *repo.Timing) []byte {
	b = appendFloat(append(b, `{"mean_iat_s":`...), t.Mean)
	b = appendFloat(append(b, `,"median_iat_s":`...), t.Median)
	b = appendFloat(append(b, `,"stdev_iat_s":`...), t.Stdev)
	b = appendFloat(append(b, `,"min_iat_s":`...), t.Min)
	b = appendFloat(append(b, `,"max_iat_s":`...), t.Max)
	b = appendFloat(append(b, `,"cv":`...), t.CV)
	b = strconv.AppendInt(append(b, `,"event_count":`...), t.EventCount, 10)
	b = appendFloat(append(b, `,"duration_s":`...), &t.Duration)
	return append(b, '}')
}

func appendPhases(b []byte, p *repo.Phases) []byte {
	b = appendTime(append(b, `{"recon_end_ts":`...), p.ReconEnd)
	b = appendTime(append(b, `,"exfil_start_ts":`...), p.ExfilStart)
	b = appendFloat(append(b, `,"exfil_latency_s":`...), p.ExfilLatency)
	b = strconv.AppendInt(append(b, `,"large_payload_count":`...), p.LargePayloads, 10)
	return append(b, '}')
}

// appendFloat appends the shortest digits that give the number again, as
// encoding/json does, and null for what JSON has no number for.
func appendFloat(b []byte, f *float64) []byte {
	if f == nil || math.IsNaN(*f) || math.IsInf(*f, 0) {
		return append(b, "null"...)
	}
	if abs := math.Abs(*f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, *f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, *f, 'f', -1, 64)
}
