//go:build fuzz

package engine

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Format is a value of the keyword format.
type Format struct {
	// Name is the value of the keyword.
	Name string
	// Valid reports whether a text has the format.
	Valid func(string) bool
	// Sample makes a text of the format; nil means that none can be made.
	Sample func(r *rand.Rand) string
}

var errNotOfFormat = errors.New("not of the format")

// formatRule teaches kin-openapi a format.
type formatRule struct{ Format }

// Validate implements [openapi3.StringFormatValidator].
func (f formatRule) Validate(s string) error {
	if !f.Valid(s) {
		return errNotOfFormat
	}
	return nil
}

var (
	uuidPattern     = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	hostPattern     = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)
	dateTimePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
)

func standardFormats() []Format {
	return append(addressFormats(), []Format{
		{"date-time", validDateTime, sampleDateTime},
		{"date", func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }, func(r *rand.Rand) string {
			return sampleTime(r).Format(time.DateOnly)
		}},
		{"time", func(s string) bool { _, err := time.Parse("15:04:05Z07:00", s); return err == nil }, func(r *rand.Rand) string {
			return sampleTime(r).Format("15:04:05Z07:00")
		}},
		{"uuid", uuidPattern.MatchString, func(r *rand.Rand) string {
			return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.Uint32N(1<<16), r.Uint32N(1<<12), r.Uint32N(1<<12), r.Uint64N(1<<48))
		}},
		{"byte", func(s string) bool { _, err := base64.StdEncoding.DecodeString(s); return err == nil }, func(r *rand.Rand) string {
			raw := make([]byte, r.IntN(12))
			for i := range raw {
				raw[i] = byte(r.Uint32())
			}
			return base64.StdEncoding.EncodeToString(raw)
		}},
		{"password", func(string) bool { return true }, nil},
		{"binary", func(string) bool { return true }, nil},
	}...)
}

func addressFormats() []Format {
	address := func(accept func(netip.Addr) bool) func(string) bool {
		return func(s string) bool {
			a, err := netip.ParseAddr(s)
			return err == nil && accept(a)
		}
	}
	v4 := func(r *rand.Rand) string { return fmt.Sprintf("192.0.2.%d", r.IntN(256)) }
	v6 := func(r *rand.Rand) string { return fmt.Sprintf("2001:db8::%x", r.IntN(1<<16)) }
	return []Format{
		{"ipv4", address(netip.Addr.Is4), v4},
		{"ipv6", address(netip.Addr.Is6), v6},
		{"ip", address(netip.Addr.IsValid), func(r *rand.Rand) string {
			if r.IntN(2) == 0 {
				return v4(r)
			}
			return v6(r)
		}},
		{"email", func(s string) bool {
			a, err := mail.ParseAddress(s)
			return err == nil && a.Address == s
		}, func(r *rand.Rand) string { return word(r) + "@" + word(r) + ".example" }},
		{"hostname", func(s string) bool { return len(s) <= 253 && hostPattern.MatchString(s) }, func(r *rand.Rand) string { return word(r) + ".example" }},
		{"uri", func(s string) bool { u, err := url.Parse(s); return err == nil && u.IsAbs() }, func(r *rand.Rand) string {
			return "https://" + word(r) + ".example/" + word(r)
		}},
		{"uri-reference", func(s string) bool { _, err := url.Parse(s); return err == nil }, func(r *rand.Rand) string { return "/" + word(r) }},
	}
}

func validDateTime(s string) bool {
	if !dateTimePattern.MatchString(s) {
		return false
	}
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

func sampleTime(r *rand.Rand) time.Time {
	edges := []time.Time{
		time.Unix(0, 0), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC),
	}
	if i := r.IntN(2 * len(edges)); i < len(edges) {
		return edges[i].UTC()
	}
	return time.Unix(r.Int64N(4e9), 0).UTC()
}

func sampleDateTime(r *rand.Rand) string {
	t := sampleTime(r)
	switch r.IntN(4) {
	case 0:
		return t.Format(time.RFC3339Nano)
	case 1:
		return t.Add(time.Duration(r.IntN(1e9))).Format("2006-01-02T15:04:05.000Z")
	case 2:
		if t.Year() > 1 && t.Year() < 9999 {
			return t.In(time.FixedZone("", 3600*(r.IntN(25)-12))).Format(time.RFC3339)
		}
	}
	return t.Format(time.RFC3339)
}

func word(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(8) {
		b.WriteByte(byte('a' + r.IntN(26)))
	}
	return b.String()
}
