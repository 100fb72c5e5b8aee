//go:build fuzz

package mongodb

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"decnet/decoy/trap"
)

// oneWay is a connection of which all that will ever come is known.
type oneWay struct {
	net.Conn
	in *bytes.Reader
}

func (c *oneWay) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *oneWay) Write(p []byte) (int, error) { return len(p), nil }

type nobody struct{}

func (nobody) Record(trap.Event) {}

func msg(d doc) []byte { return frame(1, 0, opMsg, encode([]byte{0, 0, 0, 0, 0}, d)) }

// seeds are commands of a bot, each in a message.
func seeds() [][]byte {
	var all [][]byte
	for _, d := range []doc{
		{el("hello", int32(1)), el("client", doc{el("driver", doc{el("name", "x")})}), el("speculativeAuthenticate", doc{el("saslStart", int32(1)), el("mechanism", "SCRAM-SHA-1"), el("payload", blob{0, "n,,n=u,r=abc"})}), el("$db", "admin")},
		{el("insert", "c"), el("documents", list{doc{el("_id", int32(1)), el("a", objectID{}), el("b", 1.5), el("t", time.UnixMilli(5)), el("s", script("f")), el("p", pattern{"a", "i"})}}), el("$db", "test")},
		{el("find", "c"), el("filter", doc{el("a", doc{el("$gt", int64(1)), el("$in", list{nil, true})})}), el("sort", doc{el("a", int32(-1))}), el("batchSize", int32(1)), el("$db", "test")},
		{el("update", "c"), el("updates", list{doc{el("q", doc{}), el("u", doc{el("$inc", doc{el("a", 1.0)}), el("$unset", doc{el("b", "")})}), el("multi", true), el("upsert", true)}}), el("$db", "test")},
		{el("aggregate", "c"), el("pipeline", list{doc{el("$match", doc{})}, doc{el("$group", doc{el("_id", int32(1)), el("n", doc{el("$sum", int32(1))})})}}), el("cursor", doc{}), el("$db", "test")},
		{el("delete", "c"), el("deletes", list{doc{el("q", doc{}), el("limit", int32(1))}}), el("$db", "test")},
		{el("findAndModify", "c"), el("query", doc{}), el("update", doc{el("x", int32(1))}), el("new", true), el("$db", "test")},
		{el("listDatabases", int32(1)), el("$db", "admin")},
		{el("saslContinue", int32(1)), el("payload", blob{0, "c=biws,r=abc,p=x"}), el("$db", "admin")},
	} {
		all = append(all, msg(d))
	}
	q := append([]byte{0, 0, 0, 0}, "admin.$cmd\x00\x00\x00\x00\x00\xff\xff\xff\xff"...)
	return append(all, frame(1, 0, opQuery, encode(q, doc{el("isMaster", int32(1))})), bytes.Join(all, nil))
}

// FuzzSession: no bytes make a session panic, hang, or keep what it held.
func FuzzSession(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	host, err := trap.NewHost(trap.Identity{Decky: "d", Hostname: "h", Distro: "ubuntu20", Secret: make([]byte, 16)})
	if err != nil {
		f.Fatal(err)
	}
	env := trap.Env{Host: host, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Log: slog.New(slog.DiscardHandler)}
	made, err := New(env)
	if err != nil {
		f.Fatal(err)
	}
	s := made.TCP.(*server)
	known := s.commands
	s.commands = map[string]command{}
	for name, c := range known {
		switch name {
		case "saslStart", "saslContinue", "authenticate", "hello", "isMaster", "ismaster": // they wait; below they don't
		default:
			s.commands[name] = c
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := &trap.Session{Conn: &oneWay{in: bytes.NewReader(data)}, Peer: trap.Peer{
			Env: env, Remote: netip.MustParseAddrPort("192.0.2.1:1"), Recorder: nobody{},
		}}
		s.Serve(t.Context(), conn)
		if held := s.stored.Load(); held != 0 {
			t.Fatalf("%d bytes were not given back", held)
		}
	})
}

// FuzzDecode: what can be read is written as it was understood, and read the same
// again.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		if len(s) > 21 {
			f.Add(s[21:])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		budget := maxElements
		d, _, err := decode(data, &budget)
		if err != nil {
			return
		}
		once := encode(nil, d)
		if int(binary.LittleEndian.Uint32(once)) != len(once) {
			t.Fatalf("a length of %d for %d bytes", binary.LittleEndian.Uint32(once), len(once))
		}
		budget = maxElements
		again, rest, err := decode(once, &budget)
		if err != nil || len(rest) > 0 {
			t.Fatalf("what was written can't be read: %v, %d bytes left", err, len(rest))
		}
		if !bytes.Equal(once, encode(nil, again)) {
			t.Fatalf("%x became %x", once, encode(nil, again))
		}
		if text := jsonOf(d, 4096); len(text) > 4096 {
			t.Fatalf("%d bytes of JSON", len(text))
		}
		matches(d, d)
	})
}
