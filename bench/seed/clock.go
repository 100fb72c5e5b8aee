package seed

import "time"

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
)

// clock writes instants. It remembers the last day, which is that of nearly all
// the next ones.
type clock struct {
	day  int64
	date []byte
}

// append appends microseconds since 1970 as RFC 3339 with six digits.
func (c *clock) append(dst []byte, micros int64) []byte {
	day := micros / microsPerDay
	if day != c.day || c.date == nil {
		c.day = day
		c.date = time.Unix(day*86_400, 0).UTC().AppendFormat(c.date[:0], "2006-01-02T")
	}
	dst = append(dst, c.date...)
	rest := micros % microsPerDay
	seconds := rest / microsPerSecond
	dst = append(digits(dst, seconds/3600, 2), ':')
	dst = append(digits(dst, seconds/60%60, 2), ':')
	dst = append(digits(dst, seconds%60, 2), '.')
	return append(digits(dst, rest%microsPerSecond, 6), 'Z')
}

// digits appends n digits of a number that has no more.
func digits(dst []byte, v int64, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}
