package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTimeOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-04-14T09:00:00Z":                 "2026-04-14T09:00:00Z",
		"2026-04-14t09:00:00z":                 "2026-04-14T09:00:00Z",
		"2026-04-14 09:00:00":                  "2026-04-14T09:00:00Z",
		"2026-04-14 09:00:00,005":              "2026-04-14T09:00:00.005Z",
		"2026-04-14T09:00:00.1234567891Z":      "2026-04-14T09:00:00.123456789Z",
		"2026-04-14T09:00:00.999999+00:00":     "2026-04-14T09:00:00.999999Z",
		"2026-04-14T09:00:00+0200":             "2026-04-14T07:00:00Z",
		"2026-04-14T09:00:00-05:30":            "2026-04-14T14:30:00Z",
		"2026-04-14T09:00:00+02":               "2026-04-14T07:00:00Z",
		"2026-04-14T09:00:00+23:59":            "2026-04-13T09:01:00Z",
		"2026-04-14T09:00:00-23:59":            "2026-04-15T08:59:00Z",
		"2024-02-29T23:59:60Z":                 "2024-03-01T00:00:00Z",
		"1970-01-01T00:00:00Z":                 "1970-01-01T00:00:00Z",
		"1970-01-01T01:00:00+01:00":            "1970-01-01T00:00:00Z",
		"2261-12-31T23:59:59.999999999Z":       "2261-12-31T23:59:59.999999999Z",
		"1625133600":                           "2021-07-01T10:00:00Z",
		"1625133600.123456":                    "2021-07-01T10:00:00.123456Z",
		"1625133600123":                        "2021-07-01T10:00:00.123Z",
		"1625133600123456":                     "2021-07-01T10:00:00.123456Z",
		"1625133600123456789":                  "2021-07-01T10:00:00.123456789Z",
		"1625133600123.5":                      "2021-07-01T10:00:00.1235Z",
		"100000000":                            "1973-03-03T09:46:40Z",
		"1969-12-31T23:59:59Z":                 ReasonTimeRange,
		"0001-01-01T00:00:00Z":                 ReasonTimeRange,
		"1970-01-01T00:30:00+01:00":            ReasonTimeRange,
		"2262-01-01T00:00:00Z":                 ReasonTimeRange,
		"99999999999":                          ReasonTimeRange,
		"":                                     ReasonBadTimestamp,
		"-":                                    ReasonBadTimestamp,
		"2026-04-14":                           ReasonBadTimestamp,
		"2026-04-14T09:00":                     ReasonBadTimestamp,
		"2026-04-14T09:00:00.":                 ReasonBadTimestamp,
		"2026-04-14T09:00:00 Z":                ReasonBadTimestamp,
		"2026-04-14T09:00:00Zx":                ReasonBadTimestamp,
		"2026-04-14T09:00:00+1":                ReasonBadTimestamp,
		"2026-04-14T09:00:00+24:00":            ReasonBadTimestamp,
		"2026-04-14T09:00:00+02:60":            ReasonBadTimestamp,
		"2026-02-29T00:00:00Z":                 ReasonBadTimestamp,
		"2026-13-01T00:00:00Z":                 ReasonBadTimestamp,
		"2026-00-01T00:00:00Z":                 ReasonBadTimestamp,
		"2026-01-01T24:00:00Z":                 ReasonBadTimestamp,
		"2026-01-01T00:60:00Z":                 ReasonBadTimestamp,
		"2026-01-01T00:00:61Z":                 ReasonBadTimestamp,
		"20260414":                             ReasonBadTimestamp,
		"1.625133600e9":                        ReasonBadTimestamp,
		"-1625133600":                          ReasonBadTimestamp,
		"1625133600.":                          "2021-07-01T10:00:00Z",
		"16251336001234567890":                 ReasonBadTimestamp,
		"１625133600":                           ReasonBadTimestamp,
		"Tue Apr 14 09:00:00 2026":             ReasonBadTimestamp,
		"2026-04-14T09:00:00.000000+00:00\x00": ReasonBadTimestamp,
	} {
		got, err := timeOf(in)
		if err != nil {
			var why *ParseError
			require.ErrorAs(t, err, &why)
			assert.Equal(t, want, why.Reason, "%q", in)
			continue
		}
		assert.Equal(t, want, got.Format(time.RFC3339Nano), "%q", in)
	}
}

// TestParseTime_AgreesWithTheStandardLibrary walks through many instants in
// every form that decoys write.
func TestParseTime_AgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	layouts := []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999Z07:00", "2006-01-02T15:04:05.000000-0700", "2006-01-02 15:04:05.000000-07",
	}
	for i := range 5000 {
		at := time.Unix(int64(i)*1_843_200+int64(i%86400), int64(i)*1000).
			In(time.FixedZone("", (i%27-13)*3600))
		for _, layout := range layouts {
			text := at.Format(layout)
			got, ok := parseTime(text)
			require.True(t, ok, text)
			require.True(t, at.Equal(got), "%s gives %s", text, got)
		}
		got, ok := parseUnix(fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()))
		require.Equal(t, at.Unix() >= 100_000_000, ok)
		if ok {
			require.True(t, at.Equal(got))
		}
	}
}
