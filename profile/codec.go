package profile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"decnet/repo"
)

// The stored form is the version, the parts of the state one after the other,
// and a checksum of both. Numbers are varints, times differences to the time
// before. It is written by hand because it is read and written for every
// attacker of every batch: encoding/json takes some ten times as long.
const version = 1

const checksumSize = 4

var (
	errShort    = errors.New("profile state: too short")
	errChecksum = errors.New("profile state: the checksum is wrong")
	errCorrupt  = errors.New("profile state: corrupt")
)

// Marshal writes the state.
func (s *State) Marshal() ([]byte, error) {
	b := make([]byte, 0, s.sizeHint())
	b = append(b, version)
	b = s.appendBody(b)
	return binary.LittleEndian.AppendUint32(b, checksum(b)), nil
}

// Unmarshal reads what Marshal wrote, also by an older version of this package.
// Anything else is an error. It does not keep b, and allocates no more than a
// small multiple of its length.
func Unmarshal(b []byte) (*State, error) {
	s := &State{}
	if err := s.unmarshal(b); err != nil {
		return nil, err
	}
	return s, nil
}

// Decoder reads the profiles of many states. It keeps the room that one state
// took for the next, which is most of what [Unmarshal] costs. The zero value is
// ready; it is not safe for concurrent use.
type Decoder struct{ state State }

// Attacker is [State.Attacker] of what Marshal wrote; anything else is an error.
// It keeps neither b nor anything of what it returned before.
func (d *Decoder) Attacker(b []byte) (repo.Attacker, error) {
	if err := d.state.unmarshal(b); err != nil {
		return repo.Attacker{}, err
	}
	return d.state.Attacker(), nil
}

// unmarshal makes s the state that is stored in b, whatever it was before, in the
// room that it has. After an error s means nothing, and may be used again.
func (s *State) unmarshal(b []byte) error {
	if len(b) < 1+checksumSize {
		return errShort
	}
	b, sum := b[:len(b)-checksumSize], binary.LittleEndian.Uint32(b[len(b)-checksumSize:])
	if sum != checksum(b) {
		return errChecksum
	}
	if b[0] != version {
		return fmt.Errorf("profile state: version %d is not known", b[0])
	}
	return s.decodeBody(b[1:])
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (s *State) sizeHint() int {
	n := 256 + len(s.traces.tcp) + s.prints.bytes + s.commands.bytes
	for _, name := range s.services {
		n += len(name) + 2
	}
	for _, d := range s.deckies {
		n += len(d.name) + 8
	}
	return n + 8*(len(s.prints.items)+len(s.commands.items)+len(s.beat.main)+len(s.beat.late)) +
		4*len(s.beat.sketch.buckets)
}

func (s *State) appendBody(b []byte) []byte {
	b = appendInts(b, s.events, s.first, s.last, s.bounties, s.credentials)
	b = appendInts(b, int64(len(s.services)))
	for _, name := range s.services {
		b = appendString(b, name)
	}
	b = appendInts(b, int64(len(s.deckies)))
	var before int64
	for _, d := range s.deckies {
		b = appendString(appendInts(b, d.at-before), d.name)
		before = d.at
	}
	b = appendInts(b, int64(len(s.commands.items)))
	before = 0
	for _, c := range s.commands.items {
		b = appendInts(b, c.at-before)
		b = appendString(appendString(appendString(b, c.value.service), c.value.decky), c.value.text)
		before = c.at
	}
	b = appendInts(b, int64(len(s.prints.items)))
	before = 0
	for _, p := range s.prints.items {
		b = appendInts(b, p.at-before, int64(len(p.value)))
		b = append(b, p.value...)
		before = p.at
	}
	return s.phases.append(s.traces.append(s.beat.append(b)))
}

func (b *beat) append(out []byte) []byte {
	out = appendTimes(appendTimes(out, b.main), b.late)
	for _, v := range [...]uint64{
		b.sealed.n, b.sealed.sum, b.sealed.squareH, b.sealed.squareL, b.sealed.min, b.sealed.max,
	} {
		out = binary.AppendUvarint(out, v)
	}
	out = appendInts(out, int64(len(b.sketch.buckets)))
	var before uint16
	for _, k := range b.sketch.buckets {
		out = binary.AppendUvarint(out, uint64(k.index-before))
		out = binary.AppendUvarint(out, k.count)
		before = k.index
	}
	return out
}

func (r *traces) append(b []byte) []byte {
	b = appendInts(b, int64(len(r.guesses)))
	for _, g := range r.guesses {
		b = appendInts(appendString(b, g.name), g.count)
	}
	b = appendInts(b, r.ttl[:]...)
	b = appendInts(b, int64(len(r.hops)))
	for _, h := range r.hops {
		b = appendInts(b, int64(h.distance), h.count)
	}
	b = appendString(appendInts(b, r.tcpAt), r.tcp)
	return appendInts(b, r.retransmits, int64(r.tools))
}

func (p *phases) append(b []byte) []byte {
	var transferred int64
	if p.transferred {
		transferred = 1
	}
	return appendTimes(appendInts(b, transferred, p.transfer, p.large), p.recon)
}

// appendInts appends numbers that are not negative.
func appendInts(b []byte, values ...int64) []byte {
	for _, v := range values {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

func appendTimes(b []byte, times []int64) []byte {
	b = appendInts(b, int64(len(times)))
	var before int64
	for _, t := range times {
		b = binary.AppendUvarint(b, uint64(t-before))
		before = t
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (s *State) decodeBody(b []byte) error {
	// One copy, into which all texts point.
	r := &reader{bytes: b, text: string(b)}
	s.events, s.first, s.last = r.int(), r.time(0), r.time(0)
	s.bounties, s.credentials = r.int(), r.int()
	s.decodeNames(r)
	s.decodeRecent(r)
	s.beat.decode(r)
	s.traces.decode(r)
	s.phases.decode(r)
	if r.failed || r.at != len(r.bytes) || s.last < s.first {
		return errCorrupt
	}
	return nil
}

// sized is a list of n elements, in the room of one that is not needed any more.
// There is room for one more element, since an event is about to be added.
func sized[T any](list []T, n int) []T {
	if n <= cap(list) {
		return list[:n]
	}
	return make([]T, n, n+1)
}

func (s *State) decodeNames(r *reader) {
	s.services = sized(s.services, r.count(MaxServices))
	for i := range s.services {
		s.services[i] = r.string(MaxName)
		r.check(i == 0 || s.services[i-1] < s.services[i])
	}
	s.deckies = sized(s.deckies, r.count(MaxDeckies))
	var before int64
	for i := range s.deckies {
		before = r.time(before)
		s.deckies[i] = contact{at: before, name: r.string(MaxName)}
	}
}

func (s *State) decodeRecent(r *reader) {
	s.commands.items, s.commands.bytes = sized(s.commands.items, r.count(repo.RecentCommands)), 0
	var before int64
	for i := range s.commands.items {
		before = r.time(before)
		c := command{r.string(MaxName), r.string(MaxName), r.string(MaxCommandText)}
		s.commands.items[i] = dated[command]{at: before, size: c.size(), value: c}
		s.commands.bytes += c.size()
	}
	s.prints.items, s.prints.bytes = sized(s.prints.items, r.count(repo.MaxFingerprints)), 0
	before = 0
	var own []byte
	base := r.at
	if len(s.prints.items) > 0 {
		own = bytes.Clone(r.bytes[base:]) // one copy for all
	}
	for i := range s.prints.items {
		before = r.time(before)
		from, to := r.span(MaxFingerprintSize)
		p := json.RawMessage(own[from-base : to-base : to-base])
		s.prints.items[i] = dated[json.RawMessage]{at: before, size: len(p), value: p}
		s.prints.bytes += len(p)
	}
}

func (b *beat) decode(r *reader) {
	b.main, b.late = r.times(b.main, maxChain), r.times(b.late, maxChain)
	b.sealed = gaps{
		n: r.uint(), sum: r.uint(), squareH: r.uint(), squareL: r.uint(), min: r.uint(), max: r.uint(),
	}
	b.sketch.buckets = sized(b.sketch.buckets, r.count(maxBucket+1))
	var index, total uint64
	for i := range b.sketch.buckets {
		step := r.uint()
		index += step
		count := r.uint()
		r.check((i == 0 || step > 0) && step <= maxBucket && index <= maxBucket && count <= b.sealed.n-total)
		total += count
		b.sketch.buckets[i] = bucket{index: uint16(index), count: count}
	}
	r.check(total == b.sealed.n)
}

func (r *traces) decode(in *reader) {
	r.guesses = sized(r.guesses, in.count(maxGuesses))
	for i := range r.guesses {
		r.guesses[i] = guess{in.string(maxGuess), in.int()}
		in.check(i == 0 || r.guesses[i-1].name < r.guesses[i].name)
	}
	for i := range r.ttl {
		r.ttl[i] = in.int()
	}
	r.hops = sized(r.hops, in.count(maxHop))
	for i := range r.hops {
		d := in.uint()
		in.check(d >= 1 && d <= maxHop && (i == 0 || uint8(d) > r.hops[i-1].distance))
		r.hops[i] = hop{uint8(d), in.int()}
	}
	r.tcpAt, r.tcp = in.time(0), in.string(maxTCP)
	r.retransmits = in.int()
	tools := in.uint()
	in.check(tools < uint64(toolsEnd))
	r.tools = toolSet(tools)
	r.lastAgent = ""
}

func (p *phases) decode(r *reader) {
	transferred := r.uint()
	r.check(transferred <= 1)
	p.transferred, p.transfer = transferred == 1, r.time(0)
	p.large = r.int()
	p.recon = r.times(p.recon, maxRecon)
}

// reader takes the parts off a stored state. The first thing that is wrong makes
// it fail; from then on it gives zeroes.
type reader struct {
	bytes  []byte
	text   string // the same bytes
	at     int
	failed bool
}

func (r *reader) check(ok bool) { r.failed = r.failed || !ok }

func (r *reader) uint() uint64 {
	if r.failed {
		return 0
	}
	if r.at < len(r.bytes) && r.bytes[r.at] < 0x80 { // most are short
		r.at++
		return uint64(r.bytes[r.at-1])
	}
	v, n := binary.Uvarint(r.bytes[r.at:])
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.at += n
	return v
}

func (r *reader) int() int64 {
	v := r.uint()
	if v > math.MaxInt64 {
		r.failed = true
		return 0
	}
	return int64(v)
}

// time reads a time as its distance to the one before.
func (r *reader) time(before int64) int64 {
	d := r.uint()
	if d > uint64(repo.MaxUnixNano-before) {
		r.failed = true
		return before
	}
	return before + int64(d)
}

func (r *reader) times(room []int64, limit int) []int64 {
	times := sized(room, r.count(limit))
	var before int64
	for i := range times {
		before = r.time(before)
		times[i] = before
	}
	return times
}

// count reads a number of elements, of which each takes at least a byte.
func (r *reader) count(limit int) int {
	n := r.uint()
	if n > uint64(limit) || n > uint64(len(r.bytes)-r.at) {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *reader) span(limit int) (from, to int) {
	n := r.count(limit)
	r.at += n
	return r.at - n, r.at
}

func (r *reader) string(limit int) string {
	from, to := r.span(limit)
	return r.text[from:to]
}
