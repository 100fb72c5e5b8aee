package ingest

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"decnet/repo"
)

// IgnoreRule names events that are not stored, such as those of the operator's
// own scanner. It is made by [ParseIgnoreRule].
type IgnoreRule struct {
	text   string
	prefix netip.Prefix
	// port is -1 where any will do; the texts are "" where any will do.
	port                  int
	service, event, decky string
}

// String is the rule as it was written.
func (r IgnoreRule) String() string { return r.text }

// ParseIgnoreRule reads conditions that are separated by commas and must all
// hold: cidr=10.0.0.0/8 (an address alone is one; "cidr=" may be left out),
// port=22 (the decoy's), service=ssh, event=connect, decky=web-1.
func ParseIgnoreRule(text string) (IgnoreRule, error) {
	r := IgnoreRule{text: strings.ReplaceAll(text, " ", ""), port: -1}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(r.text, ",") {
		key, value, found := strings.Cut(part, "=")
		if !found {
			key, value = "cidr", part
		}
		if value == "" || seen[key] {
			return r, fmt.Errorf("ignore rule %q: each condition needs one value", text)
		}
		seen[key] = true
		var err error
		switch key {
		case "cidr":
			r.prefix, err = parsePrefix(value)
		case "port":
			var port uint64
			port, err = strconv.ParseUint(value, 10, 16)
			r.port = int(port)
		case "service":
			r.service = strings.ToLower(value)
		case "event":
			r.event = value
		case "decky":
			r.decky = value
		default:
			return r, fmt.Errorf("ignore rule %q: %q is none of cidr, port, service, event and decky", text, key)
		}
		if err != nil {
			return r, fmt.Errorf("ignore rule %q: %q is no %s", text, value, key)
		}
	}
	return r, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// match reports whether the rule names an event on a decoy's port, 0 when that
// is not known.
func (r *IgnoreRule) match(e *repo.Event, port int) bool {
	if r.service != "" && r.service != e.Service || r.event != "" && r.event != e.EventType ||
		r.decky != "" && r.decky != e.Decky {
		return false
	}
	if r.prefix.IsValid() {
		if a, err := netip.ParseAddr(e.AttackerIP); err != nil || !r.prefix.Contains(a) {
			return false
		}
	}
	if r.port < 0 {
		return true
	}
	if port == 0 {
		port = portOf(e)
	}
	return port == r.port
}

// portOf is the decoy's port as the event itself tells it.
func portOf(e *repo.Event) int {
	fields, err := parseObject([]byte(e.Fields))
	if err != nil {
		return 0
	}
	for _, key := range [...]string{"dst_port", "dest_port", "dport", "local_port", "server_port", "port"} {
		if s, ok := fields.text(key); ok {
			if n, err := strconv.ParseUint(s, 10, 16); err == nil {
				return int(n)
			}
		}
	}
	return 0
}

// ignoredBy returns the first rule that names an event.
func (in *Ingester) ignoredBy(e *repo.Event, port int) (IgnoreRule, bool) {
	i := slices.IndexFunc(in.opt.Ignore, func(r IgnoreRule) bool { return r.match(e, port) })
	if i < 0 {
		return IgnoreRule{}, false
	}
	return in.opt.Ignore[i], true
}

// ruleReason is what lines ignored by a rule are counted under.
func ruleReason(r IgnoreRule) string { return "rule " + r.text }
