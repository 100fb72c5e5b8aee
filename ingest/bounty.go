package ingest

import (
	"slices"
	"strconv"
	"strings"

	"decnet/repo"
)

// The services of DECNET's own watchers, whose events have rules of their own.
const (
	serviceSniffer = "sniffer"
	serviceProber  = "prober"
)

// payload is a bounty's object before it is written.
type payload []member

// text writes the payload compact and with its keys in ascending order.
func (p payload) text() string {
	slices.SortFunc(p, func(a, b member) int { return strings.Compare(a.key, b.key) })
	dst := []byte{'{'}
	for i := range p {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, p[i].key)
		dst = append(dst, ':')
		dst = appendNormal(dst, p[i].raw)
	}
	return string(append(dst, '}'))
}

func addBounty(e *repo.Event, kind string, p payload) {
	e.Bounties = append(e.Bounties, repo.Bounty{Type: kind, Payload: p.text()})
}

func addFingerprint(e *repo.Event, kind string, p payload) {
	addBounty(e, repo.BountyFingerprint, append(p, member{"fingerprint_type", quote(kind)}))
}

// findBounties applies the rules of the wire contract to the fields of any
// format. Keys that an event lacks are null, as clients of the contract expect.
func findBounties(e *repo.Event, fields *object, h headers) {
	user, hasUser := fields.text("username")
	password, hasPassword := fields.text("password")
	if hasUser && hasPassword {
		addBounty(e, repo.BountyCredential, payload{
			{"username", quote(user)}, {"password", quote(password)},
		})
	}
	if h.userAgent != "" {
		addFingerprint(e, "http_useragent", payload{
			{"value", quote(h.userAgent)},
			{"method", orNull(fields.get("method"))},
			{"path", orNull(fields.get("path"))},
		})
	}
	if e.EventType == "version" && isSet(fields.get("client_version")) {
		addFingerprint(e, "vnc_client_version", payload{{"value", fields.get("client_version")}})
	}
	switch e.Service {
	case serviceSniffer:
		applyTable(e, fields, snifferRules())
	case serviceProber:
		applyTable(e, fields, proberRules())
	}
}

// addDecoyBounties adds those of our own decoys: SSH clients, and files that were
// brought or asked for, in the forms that Cowrie's have.
func addDecoyBounties(e *repo.Event, fields *object) {
	if e.AttackerIP == repo.UnknownAttacker {
		return
	}
	switch e.EventType {
	case "kex":
		if hash := fields.get("hassh"); isSet(hash) {
			addFingerprint(e, "hassh", payload{{"hash", hash}, {"algorithms", orNull(fields.get("hassh_algorithms"))}})
		}
	case "file_upload", "file_download":
		url, sum := filled(fields.get("url")), filled(fields.get("sha256"))
		if isNull(url) && isNull(sum) {
			return
		}
		size := []byte("null")
		if n, ok := integer(fields.get("size")); ok && n >= 0 {
			size = strconv.AppendInt(nil, n, 10)
			e.Traits.PayloadBytes = n
		}
		addBounty(e, repo.BountyPayload, payload{
			{"url", url}, {"sha256", sum}, {"filename", filled(fields.get("filename"))}, {"size", size},
		})
	}
}

// fingerprintRule gives a fingerprint for an event whose field key is set.
type fingerprintRule struct {
	kind, key string
	// as is the payload's name for key.
	as string
	// copied are fields that go along, under the same name; renamed hold
	// "payload key=field", optional are null where the field is empty.
	copied, renamed, optional []string
}

func snifferRules() []fingerprintRule {
	return []fingerprintRule{
		{
			kind: "ja3", key: "ja3", as: "ja3",
			copied:   []string{"ja3s", "ja4", "ja4s", "tls_version", "dst_port", "raw_ciphers", "raw_extensions"},
			optional: []string{"sni", "alpn"},
		},
		{kind: "ja4l", key: "ja4l_rtt_ms", as: "rtt_ms", renamed: []string{"client_ttl=ja4l_client_ttl"}},
		{kind: "tls_resumption", key: "resumption", as: "mechanisms"},
		{
			kind: "tls_certificate", key: "subject_cn", as: "subject_cn",
			copied:   []string{"issuer", "self_signed", "not_before", "not_after", "sans"},
			optional: []string{"sni"},
		},
	}
}

func proberRules() []fingerprintRule {
	target := []string{"target_ip", "target_port"}
	return []fingerprintRule{
		{kind: "jarm", key: "jarm_hash", as: "hash", copied: target},
		{
			kind: "hassh_server", key: "hassh_server_hash", as: "hash",
			copied: append([]string{
				"ssh_banner", "kex_algorithms", "encryption_s2c", "mac_s2c", "compression_s2c",
			}, target...),
		},
		{
			kind: "tcpfp", key: "tcpfp_hash", as: "hash",
			copied: append([]string{
				"ttl", "window_size", "df_bit", "mss", "window_scale", "sack_ok", "timestamp", "options_order",
			}, target...),
			renamed: []string{"raw=tcpfp_raw"},
		},
	}
}

func applyTable(e *repo.Event, fields *object, rules []fingerprintRule) {
	for _, r := range rules {
		value := fields.get(r.key)
		if !isSet(value) {
			continue
		}
		p := payload{{r.as, value}}
		for _, key := range r.copied {
			p = append(p, member{key, orNull(fields.get(key))})
		}
		for _, pair := range r.renamed {
			as, key, _ := strings.Cut(pair, "=")
			p = append(p, member{as, orNull(fields.get(key))})
		}
		for _, key := range r.optional {
			p = append(p, member{key, filled(fields.get(key))})
		}
		addFingerprint(e, r.kind, p)
	}
}

// isSet reports whether a value says something: it is there, and neither null
// nor empty text.
func isSet(raw []byte) bool {
	return len(raw) > 0 && string(raw) != "null" && string(raw) != `""`
}

func isNull(raw []byte) bool { return string(raw) == "null" }

func orNull(raw []byte) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

// filled is the value, or null where it says nothing.
func filled(raw []byte) []byte {
	if !isSet(raw) {
		return []byte("null")
	}
	return raw
}
