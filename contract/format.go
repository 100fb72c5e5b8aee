package contract

import (
	"net/netip"
	"regexp"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// Format checks what the keyword format of the document promises of a string.
type Format struct {
	// Name is the value of the keyword.
	Name string
	// Valid reports whether the string has the format.
	Valid func(string) bool
	// Wants says what is valid: "X must be …".
	Wants string
}

// Formats returns the formats that this package enforces. [Load] refuses a
// request schema that names another.
func Formats() []Format {
	return []Format{
		{"date-time", isDateTime, "an RFC 3339 time"},
		{"uuid", isUUID, "a UUID"},
		{"ipv4", isIPv4, "an IPv4 address"},
		{"ipv6", isIPv6, "an IPv6 address"},
		{"ip", isIP, "an IP address"},
		{"time-bound", isTimeBound, "YYYY-MM-DD HH:MM:SS, an RFC 3339 time, or a date"},
	}
}

func findFormat(name string) (Format, bool) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// ParseTimeBound reads a value of the format time-bound: "2026-04-17",
// "2026-04-17 19:30:11" (UTC; a fraction is allowed) or an RFC 3339 time. It
// returns the first and the last instant, in UTC, of what the text names: a
// whole day for a date, a whole second where there is no fraction, else one
// nanosecond. A fraction has at most nine digits.
func ParseTimeBound(s string) (first, last time.Time, ok bool) {
	layout, span := "", time.Second
	switch m := timeBoundPattern.FindStringSubmatch(s); {
	case m == nil:
		return time.Time{}, time.Time{}, false
	case m[1] == "":
		layout, span = time.DateOnly, 24*time.Hour
	case m[3] != "":
		layout = time.RFC3339
	default:
		layout = time.DateTime
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, time.Time{}, false
	}
	if m := timeBoundPattern.FindStringSubmatch(s); m[2] != "" {
		span = 1
	}
	t = t.UTC()
	return t, t.Add(span - 1), true
}

// timeBoundPattern groups the time of day, its fraction, and "T" or the zone;
// which days and hours exist is left to package time.
var timeBoundPattern = regexp.MustCompile(
	`^\d{4}-\d\d-\d\d((?: \d\d:\d\d:\d\d|T\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?)?$`)

func isTimeBound(s string) bool {
	_, _, ok := ParseTimeBound(s)
	return ok
}

var dateTimePattern = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$`)

func isDateTime(s string) bool {
	if !dateTimePattern.MatchString(s) {
		return false
	}
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

var uuidPattern = regexp.MustCompile(openapi3.FormatOfStringForUUIDOfRFC9562)

func isUUID(s string) bool { return uuidPattern.MatchString(s) }

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6()
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
