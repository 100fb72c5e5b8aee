package profile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"decnet/repo"
)

// The stored form is the version, the lengths of two parts in four bytes each, three
// parts, and a checksum of all that. The first part has what a profile shows but its
// fingerprints, which are the second; the third is what only the next event
// needs. So who shows a profile reads two parts, and computes nothing. Numbers
// are varints, times differences to the time before. It is written by hand
// because it is read and written for every attacker of every batch: encoding/json
// takes some ten times as long.
//
// Whoever changes how a behaviour is computed counts the version up: what is stored
// was computed by the code that stored it.
//
// Version 1 had one part, without the behaviour.
const (
	version        = 2
	versionOnePart = 1
)

// headSize is that of the version and of the lengths, in bytes.
const headSize, checksumSize = 1 + 4 + 4, 4

var (
	errShort    = errors.New("profile state: too short")
	errChecksum = errors.New("profile state: the checksum is wrong")
	errCorrupt  = errors.New("profile state: corrupt")
)

// Marshal writes the state.
func (s *State) Marshal() []byte {
	_, b := s.Stored()
	return b
}

// Stored returns the profile, as Attacker does, and the state, as Marshal does, for
// who needs both.
func (s *State) Stored() (repo.Attacker, []byte) {
	shown := s.behavior()
	b := make([]byte, headSize, s.sizeHint())
	b = shown.append(s.appendTexts(b))
	prints := len(b)
	b = s.appendPrints(b)
	b[0] = version
	binary.LittleEndian.PutUint32(b[1:], uint32(prints-headSize))
	binary.LittleEndian.PutUint32(b[5:], uint32(len(b)-prints))
	b = s.phases.append(s.traces.append(s.beat.append(b)))
	return s.attacker(&shown), binary.LittleEndian.AppendUint32(b, checksum(b))
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
// took for the next. The zero value is ready; it is not safe for concurrent use.
type Decoder struct{ state State }

// Attacker is [State.Attacker] of what Marshal wrote; anything else is an error.
// It keeps neither b nor anything of what it returned before.
func (d *Decoder) Attacker(b []byte) (repo.Attacker, error) {
	p, err := partsOf(b)
	if err != nil {
		return repo.Attacker{}, err
	}
	if p.version == versionOnePart {
		if err := d.state.decodeOnePart(p.rest); err != nil {
			return repo.Attacker{}, err
		}
		return d.state.Attacker(), nil
	}
	shown, err := d.state.decodeShown(p)
	if err != nil {
		return repo.Attacker{}, err
	}
	return d.state.attacker(&shown), nil
}

// unmarshal makes s the state that is stored in b, whatever it was before, in the
// room that it has. After an error s means nothing, and may be used again.
func (s *State) unmarshal(b []byte) error {
	p, err := partsOf(b)
	if err != nil {
		return err
	}
	if p.version == versionOnePart {
		return s.decodeOnePart(p.rest)
	}
	shown, err := s.decodeShown(p)
	if err != nil {
		return err
	}
	r := newReader(p.rest)
	s.beat.decode(r)
	s.traces.decode(r)
	s.traces.tcp, s.traces.retransmits = shown.TCPFingerprint, shown.RetransmitCount
	s.phases.decode(r)
	return r.end()
}

// parts are those of a stored state whose checksum is right.
type parts struct {
	version             byte
	texts, prints, rest []byte
}

func partsOf(b []byte) (parts, error) {
	if len(b) < 1+checksumSize {
		return parts{}, errShort
	}
	b, sum := b[:len(b)-checksumSize], binary.LittleEndian.Uint32(b[len(b)-checksumSize:])
	if sum != checksum(b) {
		return parts{}, errChecksum
	}
	p := parts{version: b[0], rest: b[1:]}
	switch p.version {
	case versionOnePart:
		return p, nil
	case version:
	default:
		return parts{}, fmt.Errorf("profile state: version %d is not known", b[0])
	}
	if len(b) < headSize {
		return parts{}, errShort
	}
	texts, prints := uint64(binary.LittleEndian.Uint32(b[1:])), uint64(binary.LittleEndian.Uint32(b[5:]))
	b = b[headSize:]
	if texts+prints > uint64(len(b)) {
		return parts{}, errCorrupt
	}
	p.texts, p.prints, p.rest = b[:texts], b[texts:texts+prints], b[texts+prints:]
	return p, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (s *State) sizeHint() int {
	n := 384 + len(s.traces.tcp) + s.prints.bytes + s.commands.bytes
	for _, name := range s.services {
		n += len(name) + 2
	}
	for _, d := range s.deckies {
		n += len(d.name) + 8
	}
	return n + 8*(len(s.prints.items)+len(s.commands.items)+len(s.beat.main)+len(s.beat.late)) +
		4*len(s.beat.sketch.buckets)
}

func (s *State) appendTexts(b []byte) []byte {
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
	return b
}

func (s *State) appendPrints(b []byte) []byte {
	b = appendInts(b, int64(len(s.prints.items)))
	var before int64
	for _, p := range s.prints.items {
		b = appendInts(b, p.at-before, int64(len(p.value)))
		b = append(b, p.value...)
		before = p.at
	}
	return b
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
	return appendInts(b, r.tcpAt, int64(r.tools))
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

// decodeShown reads what a profile shows. The rest of s is left as it was.
func (s *State) decodeShown(p parts) (shown behavior, err error) {
	r := newReader(p.texts)
	s.decodeTexts(r)
	shown.decode(r)
	shown.ofEvents(s.events, s.first, s.last)
	prints := &reader{bytes: p.prints}
	s.decodePrints(prints)
	return shown, errors.Join(r.end(), prints.end())
}

// decodeOnePart reads version 1.
func (s *State) decodeOnePart(b []byte) error {
	r := newReader(b)
	s.decodeTexts(r)
	s.decodePrints(r)
	s.beat.decode(r)
	s.traces.decodeOnePart(r)
	s.phases.decode(r)
	return r.end()
}

func (s *State) decodeTexts(r *reader) {
	s.events, s.first, s.last = r.int(), r.time(0), r.time(0)
	r.check(s.first <= s.last)
	s.bounties, s.credentials = r.int(), r.int()
	s.decodeNames(r)
	s.decodeCommands(r)
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

func (s *State) decodeCommands(r *reader) {
	s.commands.items, s.commands.bytes = sized(s.commands.items, r.count(repo.RecentCommands)), 0
	var before int64
	for i := range s.commands.items {
		before = r.time(before)
		c := command{r.string(MaxName), r.string(MaxName), r.string(MaxCommandText)}
		s.commands.items[i] = dated[command]{at: before, size: c.size(), value: c}
		s.commands.bytes += c.size()
	}
}

func (s *State) decodePrints(r *reader) {
	s.prints.items, s.prints.bytes = sized(s.prints.items, r.count(repo.MaxFingerprints)), 0
	if len(s.prints.items) == 0 {
		return
	}
	base := r.at
	own := bytes.Clone(r.bytes[base:]) // one copy for all
	var before int64
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
	r.decodeCounts(in)
	r.tcpAt = in.time(0)
	r.decodeTools(in)
}

// decodeOnePart reads version 1.
func (r *traces) decodeOnePart(in *reader) {
	r.decodeCounts(in)
	r.tcpAt, r.tcp = in.time(0), in.string(maxTCP)
	r.retransmits = in.int()
	r.decodeTools(in)
}

func (r *traces) decodeCounts(in *reader) {
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
}

func (r *traces) decodeTools(in *reader) {
	r.tools = in.tools()
	r.lastAgent = ""
}

func (p *phases) decode(r *reader) {
	transferred := r.uint()
	r.check(transferred <= 1)
	p.transferred, p.transfer = transferred == 1, r.time(0)
	p.large = r.int()
	p.recon = r.times(p.recon, maxRecon)
	n := len(p.recon)
	r.check(!p.transferred || n == 0 || p.recon[n-1] <= p.transfer)
}
