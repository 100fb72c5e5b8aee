package mqtt_test

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/mqtt"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, mqtt.New, traptest.Options{Service: "mqtt", Config: config})
}

func open() trap.Config { return trap.Config{"anonymous": "true"} }

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, "**", "00"))
	require.NoError(t, err)
	return b
}

// exchange sends all at once and returns all that comes until the end.
func exchange(t *testing.T, b *traptest.Bench, sent []byte) []byte {
	t.Helper()
	c := b.Dial(1883)
	_, err := c.Write(sent)
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	return got
}

// The answers to some 170 good and broken sessions are those of the real broker,
// and it hangs up where that one does.
func TestMQTT_AnswersAsMosquittoDoes(t *testing.T) {
	t.Parallel()
	for file, config := range map[string]trap.Config{
		"open.txt":   open(),
		"closed.txt": {"username": "dev", "password": "secret"},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			parts := strings.Split(strings.TrimSpace(line), " | ")
			if strings.HasPrefix(line, "#") {
				continue
			}
			require.Len(t, parts, 4)
			t.Run(strings.TrimSuffix(file, ".txt")+"/"+parts[0], func(t *testing.T) {
				t.Parallel()
				ping := []byte{0xc0, 0}
				got := exchange(t, newBench(t, config), append(unhex(t, parts[1]), ping...))
				want := unhex(t, parts[2])
				if parts[3] == "open" {
					want = append(want, 0xd0, 0)
				}
				if i := strings.Index(parts[2], "**"); i >= 0 && len(got) == len(want) {
					clear(got[i/2 : i/2+strings.Count(parts[2], "**")])
				}
				assert.Equal(t, hex.EncodeToString(want), hex.EncodeToString(got))
			})
		}
	}
}

const connect311 = "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02c1"

func TestMQTT_RecordsAllThatAClientTells(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	body := "\x00\x04MQTT\x05\xee\x00\x1e" + "\x0a\x21\x00\x05\x26\x00\x01k\x00\x01v" + "\x00\x02id" + "\x00" + "\x00\x01w" + "\x00\x03bye" + "\x00\x05admin" + "\x00\x03\xff\x00'"
	exchange(t, b, append([]byte{0x10, byte(len(body))}, body...))
	auth := traptest.Fields(b.Wait("auth"))
	for key, want := range map[string]string{
		"client_id": "id", "proto": "MQTT", "version": "5.0", "keepalive": "30", "clean_session": "true", "username": "admin", "password": "\xff\x00'",
		"will_topic": "w", "will_payload": "bye", "will_qos": "1", "will_retain": "true", "user_property": "k=v", "status": "success",
	} {
		assert.Equal(t, want, auth[key], key)
	}
}

func TestMQTT_WhoIsLetIn(t *testing.T) {
	t.Parallel()
	login := func(user, password string) []byte {
		body := "\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01i\x00" + string(rune(len(user))) + user + "\x00" + string(rune(len(password))) + password
		return append([]byte{0x10, byte(len(body))}, body...)
	}
	in, out := "20020000", "20020005"
	for name, test := range map[string]struct {
		config          trap.Config
		user, password  string
		anonymous, with string
	}{
		"a password for all":         {trap.Config{"password": "pw"}, "any", "pw", out, in},
		"a password for one":         {trap.Config{"password": "pw", "username": "u"}, "any", "pw", out, out},
		"a wrong one":                {trap.Config{"password": "pw"}, "any", "pwd", out, out},
		"nobody else, but anonymous": {trap.Config{"password": "pw", "anonymous": "true"}, "any", "no", in, out},
		"everybody":                  {open(), "any", "any", in, in},
		"a closed one":               {trap.Config{"anonymous": "false"}, "no such user", "x", out, out},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, test.config)
			assert.Equal(t, test.anonymous, hex.EncodeToString(exchange(t, b, []byte(connect311))))
			assert.Equal(t, test.with, hex.EncodeToString(exchange(t, b, login(test.user, test.password))))
			status := map[string]string{in: "success", out: "failed"}
			events := b.WaitN("auth", 2)
			assert.Equal(t, status[test.anonymous], traptest.Fields(events[0])["status"])
			assert.Equal(t, status[test.with], traptest.Fields(events[1])["status"])
		})
	}
	_, err := mqtt.New(trap.Env{Host: newBench(t, nil).Env.Host, Config: trap.Config{"anonymous": "maybe"}})
	require.ErrorContains(t, err, "maybe")
}

// A controller of a plant or a thing is open, as they are; and what other hosts
// do is not the same for all.
func TestMQTT_AccessFollowsFromTheHost(t *testing.T) {
	t.Parallel()
	answers := map[string]int{}
	for i := range 16 {
		b := traptest.New(t, mqtt.New, traptest.Options{Identity: trap.Identity{Decky: "d" + string(rune('a'+i))}})
		answers[hex.EncodeToString(exchange(t, b, []byte(connect311)))]++
		iot := traptest.New(t, mqtt.New, traptest.Options{Identity: trap.Identity{Decky: "d" + string(rune('a'+i)), Archetype: "iot-device", System: "embedded"}})
		assert.Equal(t, "20020000", hex.EncodeToString(exchange(t, iot, []byte(connect311))))
	}
	assert.Len(t, answers, 2, "%v", answers)
}

func publish(qos byte, topic string, payload []byte) []byte {
	body := append([]byte{0, byte(len(topic))}, topic...)
	if qos > 0 {
		body = append(body, 0, 1)
	}
	body = append(body, payload...)
	head := []byte{0x30 | qos<<1}
	for n := len(body); ; n >>= 7 {
		if n < 0x80 {
			head = append(head, byte(n))
			break
		}
		head = append(head, byte(n)|0x80)
	}
	return append(head, body...)
}

func TestMQTT_BigPayloadsGoIntoTheQuarantine(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	payload := bytes.Repeat([]byte("\x7fELF\x00\xff"), 30000)
	got := exchange(t, b, append([]byte(connect311), publish(1, "dev/fw", payload)...))
	assert.Equal(t, "2002000040020001", hex.EncodeToString(got))
	p := traptest.Fields(b.Wait("publish"))
	assert.Equal(t, "dev/fw", p["topic"])
	assert.Equal(t, "180000", p["payload_bytes"])
	assert.Equal(t, string(payload[:8<<10]), p["payload"])
	up := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, p["sha256"], up["sha256"])
	assert.Equal(t, "dev/fw", up["filename"])
	kept, err := os.ReadFile(filepath.Join(b.QuarantineDir, up["sha256"]))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(payload, kept))
}

// A client that announces 256 MB and hangs up costs nothing and leaves what came.
func TestMQTT_APayloadWithoutEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	exchange(t, b, append([]byte(connect311), "\x30\xff\xff\xff\x7f\x00\x01apart"...))
	p := traptest.Fields(b.Wait("publish"))
	assert.Equal(t, "part", p["payload"])
	assert.Equal(t, "268435452", p["payload_bytes"])
}

func TestMQTT_NobodyGetsWhatAnotherPublished(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	exchange(t, b, append([]byte(connect311), "\x31\x0b\x00\x04dropkeep it"...)) // retained
	got := exchange(t, b, append([]byte(connect311), "\x82\x09\x00\x01\x00\x04drop\x00"...))
	assert.Equal(t, "200200009003000100", hex.EncodeToString(got))
	assert.Equal(t, "['drop']", traptest.Fields(b.Wait("subscribe"))["topics"])
}

func TestMQTT_MalformedInputIsRecorded(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	for _, sent := range []string{"GET / HTTP/1.1\r\n\r\n", "\x10\xff\xff\xff\xff\x7f", "\x10\xff\xff\xff\x7f\x00", "\x10\x20\x00\x04MQTT", connect311 + "\x82\x80\x80\x10"} {
		exchange(t, b, []byte(sent))
	}
	var data []string
	for _, e := range b.WaitN("protocol_error", 5) {
		data = append(data, traptest.Fields(e)["data"])
	}
	assert.Contains(t, data[0], hex.EncodeToString([]byte("GET / HTTP")))
}

// Who looks for TLS on this port leaves a fingerprint.
func TestMQTT_AClientHelloIsLookedAt(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	c := tls.Client(b.Dial(1883), &tls.Config{ServerName: "broker.test", MinVersion: tls.VersionTLS12})
	require.Error(t, c.HandshakeContext(t.Context()))
	hello := traptest.Fields(b.Wait("tls_client_hello"))
	assert.Equal(t, "broker.test", hello["sni"])
	assert.NotEmpty(t, hello["ja4"])
	assert.Equal(t, "160301", traptest.Fields(b.Wait("protocol_error"))["data"][:6])
}

// A session can't make the decoy keep more than its share, however it tries.
func TestMQTT_TheShareOfASessionIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	sent := []byte(connect311 + "\x82\x06\x00\x01\x00\x01#\x02")
	for i := range 400 {
		topic := "t/" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		m := publish(2, topic, make([]byte, 4000))
		m[0] |= 1
		m[3+2+len(topic)], m[3+3+len(topic)] = byte((i+1)>>8), byte(i+1)
		sent = append(sent, m...)
		sent = append(sent, 0x62, 2, byte((i+1)>>8), byte(i+1))
	}
	got := exchange(t, b, append(sent, 0xc0, 0))
	assert.Less(t, len(got), 400*2000, "what has no room is not given back")
	assert.True(t, bytes.HasSuffix(got, []byte{0xd0, 0}), "and it goes on")
}

// A subscriber is told every ten seconds what the broker counts, and the numbers
// fit those of before; who is silent for too long is left.
func TestMQTT_TellsOfItself(t *testing.T) {
	t.Parallel()
	host := newBench(t, nil).Env.Host
	synctest.Test(t, func(t *testing.T) {
		recorder := make(silent)
		env := trap.Env{Host: host, Service: "mqtt", Config: open(), Now: time.Now}
		service, err := mqtt.New(env)
		require.NoError(t, err)
		ours, theirs := net.Pipe()
		over := make(chan struct{})
		go func() {
			defer close(over)
			defer theirs.Close() //nolint:errcheck // the test is over
			service.TCP.Serve(t.Context(), &trap.Session{Conn: theirs, Peer: trap.Peer{Env: env, Recorder: recorder}})
		}()
		begun := time.Now()
		_, err = ours.Write([]byte(connect311))
		require.NoError(t, err)
		read(t, ours)
		go ours.Write([]byte("\x82\x17\x00\x01\x00\x12$SYS/broker/uptime\x00")) //nolint:errcheck // what is read shows it
		require.Equal(t, "9003000100", hex.EncodeToString(read(t, ours)))
		first := read(t, ours)
		assert.Equal(t, byte(0x31), first[0], "it was retained")
		for range 8 {
			next := read(t, ours)
			assert.Equal(t, byte(0x30), next[0])
			assert.NotEqual(t, first[2:], next[2:])
			assert.True(t, bytes.HasSuffix(next, []byte(" seconds")))
		}
		_, err = io.ReadAll(ours)
		require.NoError(t, err)
		<-over
		assert.Equal(t, 90*time.Second, time.Since(begun), "one and a half times its 60 seconds")
	})
}

type silent map[string]int

func (silent) Record(trap.Event) {}

// read returns one packet of less than 128 bytes.
func read(t *testing.T, c io.Reader) []byte {
	t.Helper()
	head := make([]byte, 2)
	_, err := io.ReadFull(c, head)
	require.NoError(t, err)
	body := make([]byte, head[1])
	_, err = io.ReadFull(c, body)
	require.NoError(t, err)
	return append(head, body...)
}
