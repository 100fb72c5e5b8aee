package contract_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"decnet/contract"
)

func TestParseTimeBound(t *testing.T) {
	t.Parallel()
	pattern := load(t).Doc().Components.Parameters["StartTime"].Value.Schema.Value.Pattern
	for text, want := range map[string]struct{ first, last string }{
		"2026-04-17":                          {"2026-04-17T00:00:00Z", "2026-04-17T23:59:59.999999999Z"},
		"2024-02-29":                          {"2024-02-29T00:00:00Z", "2024-02-29T23:59:59.999999999Z"},
		"2026-04-17 19:30:11":                 {"2026-04-17T19:30:11Z", "2026-04-17T19:30:11.999999999Z"},
		"2026-04-17T19:30:11":                 {"2026-04-17T19:30:11Z", "2026-04-17T19:30:11.999999999Z"},
		"2026-04-17T19:30:11Z":                {"2026-04-17T19:30:11Z", "2026-04-17T19:30:11.999999999Z"},
		"2026-04-17t19:30:11z":                {"2026-04-17T19:30:11Z", "2026-04-17T19:30:11.999999999Z"},
		"2026-04-17 19:30:11Z":                {"2026-04-17T19:30:11Z", "2026-04-17T19:30:11.999999999Z"},
		"2026-04-17T01:30:00+02:00":           {"2026-04-16T23:30:00Z", "2026-04-16T23:30:00.999999999Z"},
		"2026-04-17T01:30:00 02:00":           {"2026-04-16T23:30:00Z", "2026-04-16T23:30:00.999999999Z"},
		"2026-04-17T23:30:00-02:00":           {"2026-04-18T01:30:00Z", "2026-04-18T01:30:00.999999999Z"},
		"2026-04-17 19:30:11.5":               {"2026-04-17T19:30:11.5Z", "2026-04-17T19:30:11.5Z"},
		"2026-04-17T19:30:11.000Z":            {"2026-04-17T19:30:11Z", "2026-04-17T19:30:11Z"},
		"2026-04-17T19:30:11.123456789-05:30": {"2026-04-18T01:00:11.123456789Z", "2026-04-18T01:00:11.123456789Z"},
		"0001-01-01":                          {"0001-01-01T00:00:00Z", "0001-01-01T23:59:59.999999999Z"},
		"9999-12-31":                          {"9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999999Z"},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			first, last, ok := contract.ParseTimeBound(text)
			assert.True(t, ok)
			// Clients and tools that don't know our format have a pattern to go by.
			assert.Regexp(t, pattern, text)
			assert.Equal(t, want.first, first.Format(time.RFC3339Nano))
			assert.Equal(t, want.last, last.Format(time.RFC3339Nano))
		})
	}
}

func TestParseTimeBound_Refuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "now", "2026", "2026-04", "2026-4-17", "20260417", "17.04.2026", "2026-02-30", "2025-02-29", "2026-13-01", "2026-00-10",
		"2026-04-17 ", " 2026-04-17", "2026-04-17\n", "2026-04-17Z", "2026-04-17T", "2026-04-17T19", "2026-04-17T19:30", "2026-04-17 19:30:1",
		"2026-04-17T24:00:00Z", "2026-04-17T19:60:00Z", "2026-04-17T19:30:60Z", "2026-04-17  19:30:11", "2026-04-17_19:30:11",
		"2026-04-17T19:30:11.Z", "2026-04-17T19:30:11.1234567890Z", "2026-04-17T19:30:11,5Z", "2026-04-17T19:30:11+0200",
		"2026-04-17T19:30:11+2:00", "2026-04-17T19:30:11+99:99",
		"2026-04-17T19:30:11+24:00", "2026-04-17T19:30:11-02:60", "2026-04-17T19:30:11 CET", "1776454211", "٢٠٢٦-04-17", "2026-04-17T19:30:11Z\x00", "+2026-04-17", "12026-04-17",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, _, ok := contract.ParseTimeBound(text)
			assert.False(t, ok)
		})
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	formats := map[string]contract.Format{}
	for _, f := range contract.Formats() {
		formats[f.Name] = f
	}
	for name, tt := range map[string]struct{ good, bad []string }{
		"date-time": {
			good: []string{"2026-04-17T19:30:11Z", "2026-04-17T19:30:11.25Z", "2026-04-17T19:30:11+02:00"},
			bad:  []string{"", "2026-04-17", "2026-04-17 19:30:11Z", "2026-04-17T19:30:11", "2026-02-30T00:00:00Z", "2026-04-17T25:00:00Z"},
		},
		"uuid": {
			good: []string{"0b9c3c52-6d0e-4b38-8f0e-3a5d1f3c9a77", "7c1d5a86-27b4-5a3a-9f0f-1c8d9b1f0e21"},
			bad:  []string{"", "0b9c3c526d0e4b388f0e3a5d1f3c9a77", "{0b9c3c52-6d0e-4b38-8f0e-3a5d1f3c9a77}", "0b9c3c52-6d0e-4b38-8f0e-3a5d1f3c9a7g"},
		},
		"ipv4":       {good: []string{"192.0.2.1"}, bad: []string{"", "192.0.2", "192.0.2.256", "2001:db8::1", "192.0.2.01"}},
		"ipv6":       {good: []string{"2001:db8::1", "::"}, bad: []string{"", "192.0.2.1", "2001:db8::1::", "2001:db8::g"}},
		"ip":         {good: []string{"192.0.2.1", "2001:db8::1"}, bad: []string{"", "Unknown", "192.0.2.1/24", "example.net"}},
		"time-bound": {good: []string{"2026-04-17"}, bad: []string{"yesterday"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := formats[name]
			for _, s := range tt.good {
				assert.True(t, f.Valid(s), "%q", s)
			}
			for _, s := range tt.bad {
				assert.False(t, f.Valid(s), "%q", s)
			}
			assert.NotEmpty(t, f.Wants)
		})
	}
}
