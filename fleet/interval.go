package fleet

import (
	"errors"
	"math"
	"strconv"
)

// errInterval says that a text is no interval.
var errInterval = errors.New("an interval is a number and m, d, M or y")

// ParseInterval reads an interval such as "30m" and returns its minutes: m are
// minutes, d days, M months of 30 days, y and Y years of 365 days.
func ParseInterval(text string) (int64, error) {
	units := map[byte]int64{'m': 1, 'd': 24 * 60, 'M': 30 * 24 * 60, 'y': 365 * 24 * 60, 'Y': 365 * 24 * 60}
	if text == "" || text[0] < '1' || text[0] > '9' { // no sign, no zero
		return 0, errInterval
	}
	unit, known := units[text[len(text)-1]]
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	if !known || err != nil || n > math.MaxInt64/unit {
		return 0, errInterval
	}
	return n * unit, nil
}
