//go:build fuzz

package fuzz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// FuzzFormats shows a line to every format, whether or not it is its own.
func FuzzFormats(f *testing.F) {
	for _, line := range captured(f) {
		f.Add(line)
	}
	for _, line := range []string{"", "{", "{}", "[]", `{"timestamp":`, "<13>1 - - - - - -", "\x00\xff", strings.Repeat("[", 100)} {
		f.Add([]byte(line))
	}
	formats := ingest.Formats()
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 {
			return // that is two lines
		}
		before := bytes.Clone(line)
		for _, format := range formats {
			if err := tryFormat(format, line); err != nil {
				t.Errorf("%s: %v, of %q", format.Name, err, line)
			}
			require.Equal(t, before, line, "%s changed the line", format.Name)
		}
	})
}

// tryFormat checks what a format promises of one line.
func tryFormat(format ingest.Format, line []byte) error {
	format.Sniff(line)
	records, err := format.Parse(line)
	again, errAgain := format.Parse(line)
	if !reflect.DeepEqual(records, again) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
		return errors.New("the same line gives something else the second time")
	}
	if wrong := soundRecords(records, err); wrong != nil {
		return wrong
	}
	if format.ParseAt == nil {
		return nil
	}
	return soundRecords(format.ParseAt(line, began()))
}

// soundRecords checks what [ingest.Format] and package repo promise.
func soundRecords(records []ingest.Record, err error) error {
	var rejected *ingest.ParseError
	var ignored *ingest.IgnoreError
	switch {
	case err != nil && !errors.As(err, &rejected) && !errors.As(err, &ignored):
		return fmt.Errorf("an error of another type: %w", err)
	case err != nil && len(records) > 0:
		return errors.New("records beside an error")
	}
	for i := range records {
		e := records[i].Event
		if e.Service == "" && (records[i].Session.Service != "" || records[i].Session.Fallback != "") {
			e.Service = "of the session" // it is filled in by what the session tells
		}
		if err := soundEvent(&e); err != nil {
			return err
		}
	}
	return nil
}

func soundEvent(e *repo.Event) error {
	switch {
	case !repo.ValidTime(e.Time) || e.Time.Location() != time.UTC:
		return fmt.Errorf("the time %v", e.Time)
	case e.AttackerIP != repo.UnknownAttacker && repo.AttackerAddress(e.AttackerIP) != e.AttackerIP:
		return fmt.Errorf("the address %q is not in normal form", e.AttackerIP)
	case e.AttackerIP == repo.UnknownAttacker && len(e.Bounties) > 0:
		return errors.New("a bounty without an attacker")
	case e.Decky == "" || e.Service == "" || e.EventType == "":
		return fmt.Errorf("a name is missing: decky %q, service %q, event type %q", e.Decky, e.Service, e.EventType)
	case e.Key != nil && len(e.Key) != 16:
		return fmt.Errorf("a key of %d bytes", len(e.Key))
	}
	for _, text := range []string{e.Decky, e.Service, e.EventType, e.Msg} {
		if !utf8.ValidString(text) {
			return fmt.Errorf("not UTF-8: %q", text)
		}
	}
	objects := []string{e.Fields}
	if e.Traits.TCPFingerprint != "" {
		objects = append(objects, e.Traits.TCPFingerprint)
	}
	for _, b := range e.Bounties {
		keys, err := soundObject(b.Payload)
		if err != nil || !slices.IsSorted(keys) {
			return fmt.Errorf("the bounty %q is not in normal form: %w", b.Payload, err)
		}
	}
	for _, text := range objects {
		if _, err := soundObject(text); err != nil {
			return fmt.Errorf("the object %q: %w", text, err)
		}
	}
	return nil
}

// soundObject wants a compact JSON object in UTF-8 that has no key twice, and
// returns its keys.
func soundObject(text string) ([]string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(text)); err != nil {
		return nil, err
	}
	if compact.String() != text || !utf8.ValidString(text) || text[0] != '{' {
		return nil, errors.New("not a compact object in UTF-8")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var keys []string
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if slices.Contains(keys, key) {
			return nil, fmt.Errorf("the key %q comes twice", key)
		}
		keys = append(keys, key)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// FuzzRFC5424 writes a decoy's line as the RFC says and wants every part back,
// whatever an attacker put into the value and the text.
func FuzzRFC5424(f *testing.F) {
	f.Add("password", `a"b]c\d`, "free text")
	f.Add("username", `\`, ` [decnet@55555 src_ip="198.51.100.9"] forged`)
	f.Add("k", `"] [decnet@55555 k="v`, "")
	f.Add("k", "\x00\xff\u2028", "\x1b[2J")
	f.Fuzz(func(t *testing.T, name, value, msg string) {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" || name == "src_ip" || len(name) > 32 {
			return
		}
		value, msg = strings.ToValidUTF8(value, "?"), strings.ToValidUTF8(msg, "?")
		escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(value)
		raw := `<134>1 2026-04-17T12:00:00.25+02:00 decky-1 ssh - auth_attempt [decnet@55555 src_ip="192.0.2.7" ` + name + `="` + escaped + `"]`
		if msg != "" {
			raw += " " + msg
		}
		line, err := json.Marshal(map[string]string{"timestamp": "2026-04-17 12:00:00", "raw_line": raw})
		require.NoError(t, err)
		out := ingest.Explain(line, "decnet")
		require.Len(t, out.Events, 1, "%+v", out)
		e := out.Events[0]
		require.NoError(t, soundEvent(&e))
		var fields map[string]string
		require.NoError(t, json.Unmarshal([]byte(e.Fields), &fields))
		require.Equal(t, map[string]string{"src_ip": "192.0.2.7", name: value}, fields)
		require.Equal(t, strings.TrimLeft(msg, " "), e.Msg)
		require.Equal(t, raw, e.RawLine)
		require.Equal(t, "192.0.2.7", e.AttackerIP)
		require.Equal(t, []string{"decky-1", "ssh", "auth_attempt"}, []string{e.Decky, e.Service, e.EventType})
		require.Equal(t, time.Date(2026, 4, 17, 10, 0, 0, 250_000_000, time.UTC), e.Time)
	})
}

// FuzzMapping reads a mapping that an operator wrote, and what it makes of a line.
func FuzzMapping(f *testing.F) {
	for _, text := range shippedMappings(f) {
		for _, line := range []string{`{"timestamp":"2026-04-17T12:00:00Z","src_ip":"192.0.2.1"}`, "{}"} {
			f.Add(text, []byte(line))
		}
	}
	f.Add([]byte("a: &a [*a]"), []byte("{}"))
	f.Fuzz(func(t *testing.T, mapping, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 || len(mapping) > 8192 {
			return
		}
		format, err := ingest.LoadMapping(mapping)
		if err != nil {
			return
		}
		require.NotEmpty(t, format.Name)
		require.NoError(t, tryFormat(format, line), "%q", line)
	})
}
