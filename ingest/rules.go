package ingest

import (
	"slices"
	"strconv"

	"decnet/repo"
)

// applyRules finds in an event's fields what is known of its attacker. Without
// an attacker there is nobody to know it of.
func applyRules(e *repo.Event, fields *object) {
	if e.AttackerIP == repo.UnknownAttacker {
		return
	}
	h := readHeaders(fields.get("headers"))
	findBounties(e, fields, h)
	e.Command = commandOf(e.EventType, fields)
	e.Traits = traitsOf(e, fields, h)
}

// commandOf is the line that the attacker had executed, "" for none.
func commandOf(eventType string, fields *object) string {
	types := [...]string{
		"command", "exec", "query", "input", "shell_input", "execute", "run", "sql_query", "redis_command",
	}
	if !slices.Contains(types[:], eventType) {
		return ""
	}
	for _, key := range [...]string{"command", "query", "input", "line", "sql", "cmd"} {
		if s, ok := fields.text(key); ok && s != "" {
			return s
		}
	}
	return ""
}

// traitsOf reads what package profile folds into an attacker's behaviour.
func traitsOf(e *repo.Event, fields *object, h headers) repo.Traits {
	var t repo.Traits
	if e.EventType == "request" {
		t.UserAgent, t.Mailer = h.userAgent, h.mailer
	}
	for _, key := range [...]string{"payload_size", "bytes", "body_bytes", "content_length"} {
		if n, ok := integer(fields.get(key)); ok && n >= 0 {
			t.PayloadBytes = n
			break
		}
	}
	switch e.Service {
	case serviceSniffer:
		snifferTraits(&t, fields)
	case serviceProber:
		if isSet(fields.get("tcpfp_hash")) {
			t.TTL = ttlOf(fields.get("ttl"))
			t.TCPFingerprint = tcpFingerprint(fields,
				"window_size", "window_scale", "options_order", "sack_ok", "timestamp")
		}
	}
	return t
}

func snifferTraits(t *repo.Traits, fields *object) {
	if s, ok := fields.str("os_guess"); ok && s != "unknown" {
		t.OSGuess = s
	}
	if t.TTL = ttlOf(fields.get("ttl")); t.TTL == 0 {
		t.TTL = ttlOf(fields.get("ja4l_client_ttl"))
	}
	if n, ok := integer(fields.get("hop_distance")); ok && n >= 0 {
		t.HopDistance = &n
	}
	if n, ok := integer(fields.get("retransmits")); ok && n > 0 {
		t.Retransmits = n
	}
	if fields.get("options_sig") != nil {
		t.TCPFingerprint = tcpFingerprint(fields,
			"window", "wscale", "options_sig", "has_sack", "has_timestamps")
	}
}

func ttlOf(raw []byte) int {
	if n, ok := integer(raw); ok && n > 0 && n < 256 {
		return int(n)
	}
	return 0
}

// tcpFingerprint is a SYN's shape in one form, whoever measured it: numbers as
// numbers, flags as booleans, null for what was not told.
func tcpFingerprint(fields *object, window, scale, options, sack, stamps string) string {
	number := func(key string) []byte {
		n, ok := integer(fields.get(key))
		if !ok {
			return []byte("null")
		}
		return strconv.AppendInt(nil, n, 10)
	}
	flag := func(key string) []byte {
		switch s, _ := fields.text(key); s {
		case "true", "True", "1":
			return []byte("true")
		case "false", "False", "0":
			return []byte("false")
		}
		return []byte("null")
	}
	return payload{
		{"window", number(window)},
		{"wscale", number(scale)},
		{"mss", number("mss")},
		{"options_sig", orNull(fields.get(options))},
		{"has_sack", flag(sack)},
		{"has_timestamps", flag(stamps)},
	}.text()
}
