package mqtt

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// lastTick is when the broker last published what it knows of itself.
func (s *server) lastTick(now time.Time) time.Time {
	boot := s.host.Booted(now)
	return boot.Add(now.Sub(boot).Truncate(tick))
}

// retained returns what a subscriber finds: the broker's own topics, then those
// of the devices. It is the same for the same time.
func (s *server) retained(now time.Time) []message {
	at := s.lastTick(now)
	var devices []message
	for _, d := range s.devices {
		devices = append(devices, d.topics(at)...)
	}
	return append(s.system(at, devices), devices...)
}

// traffic is what a broker has to do, the same for all the life of a host.
type traffic struct {
	clients, gone, subscriptions int
	// perMinute are messages received; sent, bytesIn and bytesOut are for each.
	perMinute, sent, bytesIn, bytesOut float64
}

func (s *server) traffic() traffic {
	r := s.host.Rand("mqtt traffic")
	t := traffic{clients: len(s.devices) + 1 + r.IntN(3), gone: r.IntN(2)}
	t.subscriptions = t.clients + r.IntN(2*t.clients)
	t.perMinute = float64(t.clients) * (3 + 9*r.Float64())
	t.sent, t.bytesIn, t.bytesOut = 1+r.Float64(), 45+60*r.Float64(), 60+80*r.Float64()
	return t
}

// board collects topics below $SYS/broker/.
type board []message

func (b *board) add(name string, value any) {
	*b = append(*b, message{topic: "$SYS/broker/" + name, payload: fmt.Append(nil, value), qos: 2})
}

// load adds the three averages of what happens so often in a minute.
func (b *board) load(name string, perMinute float64, r *rand.Rand) {
	for _, over := range []struct {
		name   string
		spread float64
	}{{"1min", 0.12}, {"5min", 0.04}, {"15min", 0.015}} {
		b.add("load/"+name+"/"+over.name, strconv.FormatFloat(perMinute*(1+over.spread*(2*r.Float64()-1)), 'f', 2, 64))
	}
}

// system is the tree $SYS as mosquitto has it, in its order.
func (s *server) system(at time.Time, devices []message) []message {
	up := at.Sub(s.host.Booted(at))
	t := s.traffic()
	r := s.host.Rand("mqtt tick " + strconv.FormatInt(int64(up/tick), 10))
	// Counters only grow: the part by chance is less than what one tick adds.
	count := func(perMinute float64) int64 {
		return int64(perMinute * (up.Minutes() + r.Float64()*tick.Minutes()/2))
	}
	in, out := count(t.perMinute), count(t.perMinute*t.sent)
	stored := len(devices) + systemTopics
	bytesStored := 180
	for _, d := range devices {
		bytesStored += len(d.payload)
	}
	var b board
	b.add("version", "mosquitto version "+s.version)
	b.add("uptime", strconv.Itoa(int(up.Seconds()))+" seconds")
	b.add("clients/total", t.clients+t.gone)
	b.add("clients/inactive", t.gone)
	b.add("clients/disconnected", t.gone)
	b.add("clients/active", t.clients)
	b.add("clients/connected", t.clients)
	b.add("clients/expired", 0)
	b.load("messages/received", t.perMinute, r)
	b.load("messages/sent", t.perMinute*t.sent, r)
	b.load("publish/dropped", 0, r)
	b.load("publish/received", t.perMinute*0.6, r)
	b.load("publish/sent", t.perMinute*t.sent*0.6, r)
	b.load("bytes/received", t.perMinute*t.bytesIn, r)
	b.load("bytes/sent", t.perMinute*t.sent*t.bytesOut, r)
	b.load("sockets", 0.2, r)
	b.load("connections", 0.15, r)
	b.add("messages/stored", stored)
	b.add("messages/received", in)
	b.add("messages/sent", out)
	b.add("store/messages/count", stored)
	b.add("store/messages/bytes", bytesStored)
	b.add("subscriptions/count", t.subscriptions)
	b.add("shared_subscriptions/count", 0)
	b.add("retained messages/count", stored)
	b.add("heap/current", 40552+812*t.clients+260*stored)
	b.add("heap/maximum", 61204+1530*t.clients+260*stored)
	b.add("publish/messages/dropped", 0)
	b.add("publish/messages/received", int64(float64(in)*0.6))
	b.add("publish/messages/sent", int64(float64(out)*0.6))
	b.add("publish/bytes/received", int64(float64(in)*t.bytesIn*0.4))
	b.add("publish/bytes/sent", int64(float64(out)*t.bytesOut*0.4))
	b.add("bytes/received", int64(float64(in)*t.bytesIn))
	b.add("bytes/sent", int64(float64(out)*t.bytesOut))
	return b
}

// systemTopics is how many topics the broker has of its own.
const systemTopics = 52

// tell sends a subscriber what has changed since it was last told.
func (c *client) tell() error {
	now := c.conn.Now()
	if !c.lastTick(now).After(c.told) {
		return nil
	}
	before := map[string][]byte{}
	for _, m := range c.retained(c.told) {
		before[m.topic] = m.payload
	}
	c.told = c.lastTick(now)
	for _, m := range c.retained(now) {
		if bytes.Equal(before[m.topic], m.payload) {
			continue
		}
		if s := c.subscribed(m.topic); s != nil {
			if err := c.deliver(&m, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// wave is a value that goes up and down with the hour of the day, in steps of
// some minutes that differ by device.
func wave(at time.Time, phase int, mean, swing float64) float64 {
	minutes := float64(at.Unix()/60+int64(phase)) - math.Mod(float64(at.Unix()/60+int64(phase)), 3)
	return mean + swing*math.Sin(minutes/1440*2*math.Pi) + swing/6*math.Sin(minutes/37)
}
