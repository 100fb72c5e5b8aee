package ingest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests of this file hold the parsers against values that are just within
// what is allowed, and just beyond.

// parsed reads a line in a format.
func parsed(t *testing.T, format, line string) ([]Record, error) {
	t.Helper()
	f, ok := formatNamed(Formats(), format)
	require.True(t, ok, format)
	return f.parseAt([]byte(line), time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
}

// recordsOf reads a line that gives records.
func recordsOf(t *testing.T, format, line string) []Record {
	t.Helper()
	records, err := parsed(t, format, line)
	require.NoError(t, err, "%s", line)
	require.NotEmpty(t, records)
	return records
}

// decnetLineWith is a collector's line of a service and its fields.
func decnetLineWith(service, event, fields string) string {
	return fmt.Sprintf(`{"timestamp":"2026-04-14 09:00:00","decky":"d","service":%q,"event_type":%q,"attacker_ip":"203.0.113.5","fields":{%s},"msg":""}`,
		service, event, fields)
}

// TestPayload_AnEmptyFileHasASize: 0 is a size, and not none.
func TestPayload_AnEmptyFileHasASize(t *testing.T) {
	t.Parallel()
	for format, line := range map[string]string{
		"decnet": decnetLineWith("ftp", "file_upload", `"sha256":"ab","size":"%s"`),
		"cowrie": `{"eventid":"cowrie.session.file_download","timestamp":"2026-04-14T09:00:00Z","src_ip":"203.0.113.5","shasum":"ab","size":%s}`,
		"suricata": `{"event_type":"fileinfo","timestamp":"2026-04-14T09:00:00Z","src_ip":"203.0.113.5","src_port":40000,"dest_ip":"10.0.0.1",` +
			`"dest_port":80,"fileinfo":{"sha256":"ab","size":%s}}`,
	} {
		for size, want := range map[string]string{"0": `"size":0`, "-1": `"size":null`} {
			e := recordsOf(t, format, strings.Replace(line, "%s", size, 1))[0].Event
			require.Len(t, e.Bounties, 1, "%s", line)
			assert.Contains(t, e.Bounties[0].Payload, want, format)
		}
	}
}

func TestTraits_AtTheirBounds(t *testing.T) {
	t.Parallel()
	e := recordsOf(t, "decnet", decnetLineWith("http", "request", `"payload_size":"0","bytes":"5"`))[0].Event
	assert.Zero(t, e.Traits.PayloadBytes, "the first that is there counts, also 0")
	e = recordsOf(t, "decnet", decnetLineWith("sniffer", "flow", `"ttl":"255","hop_distance":"0"`))[0].Event
	assert.Equal(t, 255, e.Traits.TTL)
	require.NotNil(t, e.Traits.HopDistance)
	assert.Zero(t, *e.Traits.HopDistance)
	e = recordsOf(t, "decnet", decnetLineWith("sniffer", "flow", `"ttl":"256","hop_distance":"-1"`))[0].Event
	assert.Zero(t, e.Traits.TTL, "no TTL is that large")
	assert.Nil(t, e.Traits.HopDistance)
}

func TestSessions_PortsAndKeysAtTheirBounds(t *testing.T) {
	t.Parallel()
	connect := func(port, session string) SessionRef {
		return recordsOf(t, "cowrie", fmt.Sprintf(`{"eventid":"cowrie.session.connect","sensor":"s","timestamp":"2026-04-14T09:00:00Z",`+
			`"dst_port":%s,"session":%q}`, port, session))[0].Session
	}
	for port, want := range map[string]int{"1": 1, "65535": 65535, "65536": 0, "0": 0, "-1": 0} {
		assert.Equal(t, want, connect(port, "x").DstPort)
	}
	longest := strings.Repeat("x", maxSessionKey-len("cowrie/s/"))
	for name, key := range map[string]func(session string) string{
		"cowrie": func(session string) string { return connect("22", session).Key },
		"others": func(session string) string { return sessionKey("cowrie", "s", session) },
	} {
		assert.Equal(t, "cowrie/s/"+longest, key(longest), name)
		hashed := key(longest + "x")
		assert.Len(t, hashed, len("cowrie/")+64, name)
		assert.NotEqual(t, hashed, key(longest+"y"), name)
	}
}

func TestSlug_EveryLetterAndDigitStays(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a_z_0_9_a_z_", slugOf("a`z{0/9:A@Z["))
	records := recordsOf(t, "honeytrap-go", `{"category":"x","sensor":"s","date":"2026-04-14T09:00:00Z","source-ip":"203.0.113.5","type":"A`+"`"+`Z{0/9:"}`)
	assert.Equal(t, "a_z_0_9_", records[0].Event.EventType)
}

func TestOpenCanary_LogTypesAtTheirBounds(t *testing.T) {
	t.Parallel()
	line := `{"logtype":%d,"logdata":{},"node_id":"oc","src_host":%q,"utc_time":"2026-04-14 09:00:00"}`
	for logtype, want := range map[int]string{
		999: "logtype_999", 1000: "message", 1006: "message", 1007: "logtype_1007",
		98999: "logtype_98999", 99000: "user_event", 99009: "user_event", 99010: "logtype_99010",
	} {
		assert.Equal(t, want, recordsOf(t, "opencanary", fmt.Sprintf(line, logtype, "203.0.113.5"))[0].Event.EventType)
		_, err := parsed(t, "opencanary", fmt.Sprintf(line, logtype, ""))
		assert.Equal(t, want == "message", err != nil, "type %d is the pot's own where nobody is blamed", logtype)
	}
}

func TestOpenCanary_HeadersAtTheirBounds(t *testing.T) {
	t.Parallel()
	line := `{"logtype":3000,"logdata":{},"node_id":"oc","src_host":"203.0.113.5","utc_time":"2026-04-14 09:00:00"}`
	longest := "Jan  1 00:00:00 "
	longest += strings.Repeat("x", maxCanaryHeader-len(longest)-1) + " "
	for header, want := range map[string]bool{"": true, "  ": true, longest: true, "x" + longest: false, longest[:16] + "x" + longest[16:]: false} {
		_, err := parsed(t, "opencanary", header+line)
		assert.Equal(t, want, err == nil, "%d bytes %.20s", len(header), header)
	}
}

func TestSSHD_TimesPrioritiesAndRepeatsAtTheirBounds(t *testing.T) {
	t.Parallel()
	const connect = "h sshd[1]: Connection from 203.0.113.5 port 5"
	for stamp, want := range map[string]string{
		"Jan  1 00:00:00": "2026-01-01T00:00:00Z", "Dec 31 23:59:59": "2025-12-31T23:59:59Z", "Dec 31 23:59:60": "2026-01-01T00:00:00Z",
		"<5>Jan 10 09:09:09": "2026-01-10T09:09:09Z", "<191>Jan 1 00:00:00": "2026-01-01T00:00:00Z",
		"Dec 31 24:00:00": "", "Dec 31 23:60:00": "", "Dec 31 23:59:61": "", "Dec 32 00:00:00": "", "Dec 0 00:00:00": "", "Dec  00:00:00": "",
		"<1234>Jan  1 00:00:00": "", "<>Jan  1 00:00:00": "", "anF  1 00:00:00": "",
	} {
		records, err := parsed(t, "sshd", stamp+" "+connect)
		if want == "" {
			assert.Error(t, err, stamp)
			continue
		}
		require.NoError(t, err, stamp)
		assert.Equal(t, want, records[0].Event.Time.Format(time.RFC3339), stamp)
	}
	for place, want := range map[string]string{
		"203.0.113.5 port 5": "203.0.113.5", "invalid user x 203.0.113.5 port 5": "203.0.113.5",
		"invalid user 192.0.2.1 port 7: x 203.0.113.5 port 5": "Unknown",
	} {
		e := recordsOf(t, "sshd", "Jan  1 00:00:00 h sshd[1]: Disconnecting "+place+": Too many authentication failures [preauth]")[0].Event
		assert.Equal(t, want, e.AttackerIP, place)
		assert.Equal(t, want != "Unknown", e.EventType == "disconnecting", place)
	}
	for _, year := range []string{"0001", "9999"} {
		_, err := parsed(t, "sshd", year+"-01-01T00:00:00Z "+connect)
		require.ErrorContains(t, err, ReasonTimeRange, "it is a time, and no format that is unknown")
	}
	for times, want := range map[int]int{1: 1, 2: 2, maxRepeats: maxRepeats, maxRepeats + 1: 1} {
		records := recordsOf(t, "sshd", fmt.Sprintf("Jan  1 00:00:00 h sshd[1]: message repeated %d times: [ Failed password for root from 203.0.113.5 port 5 ssh2]", times))
		assert.Len(t, records, want)
		assert.Equal(t, "login_failed", records[0].Event.EventType)
		assert.Equal(t, times > 1, strings.Contains(records[0].Event.Fields, `"repeated":`))
	}
}

// TestSyslogLine_OnlyTheProbersTargetIsTheAttacker: who connects to a decoy is, of
// whatever it says that the aim was.
func TestSyslogLine_OnlyTheProbersTargetIsTheAttacker(t *testing.T) {
	t.Parallel()
	for service, want := range map[string]string{"prober": "203.0.113.5", "http": "198.51.100.1"} {
		e := recordsOf(t, "syslog", "<134>1 2026-04-14T09:00:00Z d "+service+` - scan [decnet@55555 src_ip="198.51.100.1" target_ip="203.0.113.5"]`)[0].Event
		assert.Equal(t, want, e.AttackerIP, service)
	}
}

func TestWeb_EscapesAreReadToTheLastOne(t *testing.T) {
	t.Parallel()
	line := `203.0.113.5 - - [08/Jun/2020:08:04:45 +0000] "GET / HTTP/1.1" 200 5 "%s" "-"`
	for escaped, want := range map[string]string{
		`\x4A`: "J", `\x4F\x4a\x4f`: "OJO", `\x0a\x40\x09\x39`: "\n@\t9", `a\t`: "a\t", `a\`: `a\`, `\x4`: `\x4`, `\x4G`: `\x4G`, `\x4g`: `\x4g`, `\y`: `\y`,
	} {
		assert.Equal(t, want, unescapeLog(escaped))
	}
	e := recordsOf(t, "web", strings.Replace(line, "%s", `\x4A`, 1))[0].Event
	assert.Contains(t, e.Fields, `"Referer":"J"`)
	for rest, want := range map[string]string{
		`"" -`: `"request":""`, `"" - "x"`: `"request":""`, `"GET / HTTP/1.1" 200 5 "cut`: `"extra":"\"cut"`, `"GET / HTTP/1.1" 200 5 "`: `"extra":"\""`,
	} {
		e := recordsOf(t, "web", `203.0.113.5 - - [08/Jun/2020:08:04:45 +0000] `+rest)[0].Event
		assert.Contains(t, e.Fields, want, rest)
	}
}

// TestParts_WhatIsSharedAtTheBounds of what the rows of one line repeat of it.
func TestParts_WhatIsSharedAtTheBounds(t *testing.T) {
	t.Parallel()
	line := make([]byte, maxRepeated/2+1)
	assert.NotEmpty(t, shareLine(make([]Record, 2), line[1:])[1].Event.RawLine)
	records := shareLine(make([]Record, 2), line)
	assert.NotEmpty(t, records[0].Event.RawLine)
	assert.Empty(t, records[1].Event.RawLine)
	var o object
	o.set("a", make([]byte, maxShared-2))
	o.set("b", make([]byte, 3))
	o.set("c", make([]byte, 2))
	common := shared(&o, "a", "b", "c")
	require.Len(t, common.members, 2)
	assert.Equal(t, "c", common.members[1].key)
}

// framesOf reads a connection to its end.
func framesOf(t *testing.T, maxLine int, r io.Reader) (frames []rawLine) {
	t.Helper()
	f := newFrameReader(r, maxLine)
	for {
		line, err := f.next()
		if err == nil || line.size > 0 {
			frames = append(frames, line)
		}
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return frames
		}
	}
}

func TestFrameReader_TellsWhereAMessageBegins(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string][]string{
		"5 <abcd\n6 <efghi":   {"2: <abcd", "10: <efghi"},
		"<abcd\r\n\n<ef\n<gh": {"0: <abcd", "7: ", "8: <ef", "12: <gh"},
		"12":                  {"0: 12"},
		"":                    nil,
	} {
		var got []string
		for _, line := range framesOf(t, 100, iotest.OneByteReader(strings.NewReader(sent))) {
			got = append(got, fmt.Sprintf("%d: %s", line.begin, line.text))
		}
		assert.Equal(t, want, got, "%q", sent)
	}
}

// TestFrameReader_MemoryIsBounded whatever is sent without an end.
func TestFrameReader_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	const sent = 32 << 20
	frames := framesOf(t, 100_000, io.LimitReader(endless('x'), sent))
	require.Len(t, frames, 1)
	assert.True(t, frames[0].long)
	assert.EqualValues(t, sent, frames[0].size)
	assert.Less(t, cap(frames[0].text), 1<<20)
}

// endless is a stream of one byte.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestCut_KeepsSentencesShort(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", 40)
	assert.Equal(t, longest, cut(longest))
	assert.Equal(t, longest+"…", cut(longest+"y"))
}

// TestDionaea_ListsOfDifferentLengths: what has no partner counts, too.
func TestDionaea_ListsOfDifferentLengths(t *testing.T) {
	t.Parallel()
	for lists, want := range map[string]int{
		`"username":["a","b"],"password":["c"]`: 2, `"username":["a"],"password":["b","c"]`: 2, `"password":["a","b","c"]`: 3, `"username":["a"]`: 1,
	} {
		records := recordsOf(t, "dionaea", `{"connection":{"protocol":"ftpd","transport":"tcp","type":"accept"},"src_ip":"203.0.113.66",`+
			`"src_hostname":"","timestamp":"2025-10-24T08:53:37","credentials":{`+lists+`}}`)
		assert.Len(t, records, 1+want, lists)
	}
}

// TestSniff_RarerLines are those of second files, and of which no file of testdata
// must be recognised.
func TestSniff_RarerLines(t *testing.T) {
	t.Parallel()
	const id = "0ccf3beb-6c08-44e8-bae4-841c99850b8a"
	formats := Formats()
	for line, want := range map[string]string{
		`{"sensorID":"s","ts":1625133600,"level":"info","msg":"m","src_ip":"203.0.113.5"}`:  "glutton",
		`{"sensorID":"s","ts":1625133600,"level":"info"}`:                                   "",
		`{"sensorID":"s","level":"info","msg":"m"}`:                                         "",
		"2020-02-22 03:58:44," + id + "," + id + ",203.0.113.66,1,192.0.2.10,22,ssh,root,a": "heralding",
		"2020-02-22 03:58:44,0," + id + ",203.0.113.66,1,192.0.2.10,22,ssh,2":               "heralding",
		"2020-02-22 03:58:44,0," + id + ",203.0.113.66,1,192.0.2.10,22,ssh":                 "",
		"a,b,c,d,e,f,g,h,i": "",
		`{"timestamp":"2026-04-14T09:00:00Z","event_type":"packetinfo","flow_id":1,"proto":"TCP"}`:       "suricata",
		`{"timestamp":"2026-04-14T09:00:00Z","event_type":"packetinfo","proto":"TCP"}`:                   "",
		`{"timestamp":"2026-04-14T09:00:00Z","event_type":"packetinfo","flow_id":1}`:                     "",
		`{"event_type":"alert","alert":{}}`:                                                              "",
		"<134>1 2026-04-14T09:00:00Z web http - request - GET /":                                         "syslog",
		"<13>1 2026-04-14T09:00:00Z web http - request - GET /":                                          "",
		"<134>1 2026-04-14T09:00:00Z web http 12 request - GET /":                                        "",
		"<14>1 2026-04-14T09:00:00Z web bash 12 - - CMD uid=0 pwd=/ cmd=id":                              "syslog",
		"<14>1 2026-04-14T09:00:00Z web bash 12 - - echo":                                                "",
		"<86>1 2026-04-14T09:00:00Z web login 12 - -  FAILED LOGIN":                                      "syslog",
		"<86>1 2026-04-14T09:00:00Z web login 12 - - FAILED LOGIN":                                       "sshd",
		`{"category":"ssh","date":"2026-04-14T09:00:00Z","sensor":"services","source-ip":"203.0.113.5"}`: "honeytrap-go",
		`{"category":"heartbeat","date":"2026-04-14T09:00:00Z","sensor":"services","type":"info"}`:       "honeytrap-go",
		`{"category":"ssh","date":"2026-04-14T09:00:00Z","sensor":"services"}`:                           "",
		`{"category":"ssh","date":"2026-04-14T09:00:00Z","source-ip":"203.0.113.5"}`:                     "",
		`{"category":"ssh","sensor":"services","source-ip":"203.0.113.5"}`:                               "",
	} {
		f, _ := sniff(formats, []byte(line))
		assert.Equal(t, want, f.Name, line)
	}
}

// TestEventKey_StaysTheSame: a key that changes with an update makes every event
// that is sent again one that nobody has seen.
func TestEventKey_StaysTheSame(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "50f7b8df2f00430dc420a3d4f0d48ff3", fmt.Sprintf("%x", eventKey("sensor", "event", "id", 0, 0)))
	assert.Equal(t, "26f4ba5b3afe6122e63deab4c249e772", fmt.Sprintf("%x", eventKey("sensor", "event", "id", 0, 1)))
	assert.Equal(t, "351dd2e6b1bdcd11efe369bcdc072c6f", fmt.Sprintf("%x", eventKey("sensor", "batch", "id", 1, 0)))
}

// TestJSON_AgreesWithTheStandardLibrary in what a number and a text are.
func TestJSON_AgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for _, number := range []string{
		"0", "9", "10", "19", "-0", "-9", "1.0", "1.9", "0.09", "1e0", "9e9", "1E+9", "1e-09", "1.05e+10",
		"", "-", "00", "01", "-01", "1.", ".1", "1.e1", "1e", "1e+", "1E-", "+1", "1/", "1:", "/", ":", "0x1", "1.:", "1e/", "--1",
	} {
		for _, line := range []string{number, " " + number, `{"a":` + number, `{"a":` + number + "}", `{"a":[` + number + `,` + number + `]}`} {
			checkObject(t, []byte(line))
		}
	}
	var escaped strings.Builder
	for r := range 0x10000 {
		fmt.Fprintf(&escaped, `\u%04x\u%04X`, r, r)
	}
	for _, text := range []string{`"` + escaped.String() + `"`, `"\u09aF"`, `"\ud83d\ude00"`, `"\ud83d\uDE0"`, `"\ud83d"`, `"\n"`, `"\"`, `"\`, `"\u123"`, `"\u123g"`, `"\u/:@G"`, `"\u` + "`gGF" + `"`} {
		line := []byte(`{"a":` + text + "}")
		checkObject(t, line)
		checkObject(t, line[:len(line)-1])
	}
	for b := range 256 {
		text := "a" + string([]byte{byte(b)}) + "z"
		var got string
		require.NoError(t, json.Unmarshal(quote(text), &got))
		require.True(t, utf8.Valid(quote(text)))
		assert.Equal(t, strings.ToValidUTF8(text, "\uFFFD"), got)
	}
}
