package profile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/profile"
	"decnet/repo"
)

func bountyOf(i int) *repo.Bounty {
	kind := []string{repo.BountyCredential, repo.BountyFingerprint, repo.BountyPayload}[i%3]
	return &repo.Bounty{
		Type: kind, Payload: fmt.Sprintf(`{"fingerprint_type":"ja3","ja3":"%032d"}`, i),
		Time: start().Add(time.Duration(i) * time.Second),
	}
}

// TestMarshal_AtAnyPointChangesNothing stores and reads back after every event.
func TestMarshal_AtAnyPointChangesNothing(t *testing.T) {
	t.Parallel()
	events := mixedEvents(rand.New(rand.NewPCG(21, 22)), 400)
	rand.New(rand.NewPCG(23, 24)).Shuffle(len(events), func(i, j int) {
		events[i], events[j] = events[j], events[i]
	})
	kept, trips := profile.New(), profile.New()
	var shown profile.Decoder
	for i := range events {
		for _, s := range []*profile.State{kept, trips} {
			s.Add(&events[i])
			if i%7 == 0 {
				s.AddBounty(bountyOf(i))
			}
		}
		a, err := shown.Attacker(trips.Marshal())
		require.NoError(t, err)
		trips = stored(t, trips)
		require.Equal(t, kept.Attacker(), trips.Attacker(), "after %d events", i+1)
		require.Equal(t, kept.Attacker(), a, "after %d events", i+1)
	}
	want := kept.Marshal()
	got := trips.Marshal()
	assert.Equal(t, want, got)
}

func TestUnmarshal_DoesNotKeepItsInput(t *testing.T) {
	t.Parallel()
	s := typical(100)
	b := s.Marshal()
	back, err := profile.Unmarshal(b)
	require.NoError(t, err)
	clear(b)
	assert.Equal(t, s.Attacker(), back.Attacker())
}

func TestUnmarshal_AnyDamageIsAnError(t *testing.T) {
	t.Parallel()
	good := typical(100).Marshal()
	for n := range good {
		_, err := profile.Unmarshal(good[:n])
		require.Error(t, err, "cut to %d bytes", n)
		damaged := bytes.Clone(good)
		damaged[n] ^= 0x10
		_, err = profile.Unmarshal(damaged)
		require.Error(t, err, "byte %d changed", n)
	}
	for _, b := range [][]byte{nil, {}, []byte("{}"), []byte("null"), bytes.Repeat([]byte{0xff}, 100), append(good, 0)} {
		_, err := profile.Unmarshal(b)
		require.Error(t, err)
	}
}

// TestUnmarshal_RefusesNamesThatAreThereTwice: they would be told twice for ever.
func TestUnmarshal_RefusesNamesThatAreThereTwice(t *testing.T) {
	t.Parallel()
	one, two := at(0, "service-one"), at(time.Second, "service-two")
	one.Traits.OSGuess, two.Traits.OSGuess = "guess-one", "guess-two"
	good := fold(one, two).Marshal()
	body := good[1 : len(good)-4]
	_, err := profile.Unmarshal(profile.Seal(body))
	require.NoError(t, err)
	for _, kind := range []string{"service", "guess"} {
		_, err := profile.Unmarshal(profile.Seal(bytes.Replace(body, []byte(kind+"-two"), []byte(kind+"-one"), 1)))
		require.Error(t, err, kind)
	}
}

func TestUnmarshal_NamesAVersionThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	_, err := profile.Unmarshal(profile.SealAs(77, nil))
	require.ErrorContains(t, err, "version 77")
}

// FuzzUnmarshal reaches the decoder behind the checksum: whatever it accepts
// must be usable and stay bounded.
func FuzzUnmarshal(f *testing.F) {
	for _, n := range []int{0, 1, 10, 200} {
		b := typical(n).Marshal()
		f.Add(b[1 : len(b)-4])
	}
	old, err := os.ReadFile(filepath.Join("testdata", "state-1"))
	require.NoError(f, err)
	f.Add(old[1 : len(old)-4])
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, body []byte) {
		var d profile.Decoder
		for _, version := range []byte{1, 2} {
			_, _ = d.Attacker(profile.SealAs(version, body))
		}
		s, err := profile.Unmarshal(profile.Seal(body))
		if err != nil {
			if s, err = profile.Unmarshal(profile.SealAs(1, body)); err != nil {
				return
			}
		}
		a, err := d.Attacker(s.Marshal())
		require.NoError(t, err)
		require.Equal(t, s.Attacker(), a)
		e := at(time.Second, "ssh")
		e.Command = "id"
		for range 3 {
			s.Add(&e)
			s.AddBounty(bountyOf(1))
		}
		s.Merge(typical(10))
		s.Merge(s)
		want := s.Attacker()
		b := s.Marshal()
		back, err := profile.Unmarshal(b)
		require.NoError(t, err)
		require.Len(t, back.Attacker().Commands, len(want.Commands))
	})
}

// TestUnmarshal_APartThatIsCutShortIsAnError: behind a checksum that is right, too.
func TestUnmarshal_APartThatIsCutShortIsAnError(t *testing.T) {
	t.Parallel()
	body := profile.Unseal(typical(100).Marshal())
	texts, prints := int(binary.LittleEndian.Uint32(body)), int(binary.LittleEndian.Uint32(body[4:]))
	require.Positive(t, texts)
	require.Positive(t, prints)
	cut := func(texts, prints, rest []byte) {
		t.Helper()
		forged := binary.LittleEndian.AppendUint32(nil, uint32(len(texts)))
		forged = binary.LittleEndian.AppendUint32(forged, uint32(len(prints)))
		forged = profile.Seal(slices.Concat(forged, texts, prints, rest))
		_, err := profile.Unmarshal(forged)
		require.Error(t, err, "%d, %d, %d bytes", len(texts), len(prints), len(rest))
	}
	body = body[8:]
	for n := range texts {
		cut(body[:n], body[texts:texts+prints], body[texts+prints:])
	}
	for n := range prints {
		cut(body[:texts], body[texts:texts+n], body[texts+prints:])
	}
	for n := range len(body) - texts - prints {
		cut(body[:texts], body[texts:texts+prints], body[texts+prints:][:n])
	}
	_, err := profile.Unmarshal(profile.Seal(binary.LittleEndian.AppendUint64(nil, math.MaxUint64)))
	require.Error(t, err, "lengths that are larger than all there is")
}

// TestMarshal_ATransferAtTheInstantOfTheLastLook is a state like any other.
func TestMarshal_ATransferAtTheInstantOfTheLastLook(t *testing.T) {
	t.Parallel()
	upload := at(time.Second, "ftp")
	upload.EventType = "file_upload"
	s := fold(at(time.Second, "ftp"), upload)
	back := stored(t, s).Attacker()
	assert.Equal(t, s.Attacker(), back)
	require.NotNil(t, back.Behavior.Phases.ExfilLatency)
	assert.Zero(t, *back.Behavior.Phases.ExfilLatency)
}

// TestUnmarshal_ReadsWhatTheVersionBeforeStored: the file is what version 1 made of
// the same events.
func TestUnmarshal_ReadsWhatTheVersionBeforeStored(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("testdata", "state-1"))
	require.NoError(t, err)
	s, err := profile.Unmarshal(b)
	require.NoError(t, err)
	assert.Equal(t, typical(120).Marshal(), s.Marshal())
	var d profile.Decoder
	a, err := d.Attacker(b)
	require.NoError(t, err)
	assert.Equal(t, typical(120).Attacker(), a)
}

// TestDecoder_TellsOfEachStateWhatUnmarshalTells: nothing of one profile is left in
// the next, be that smaller or damaged.
func TestDecoder_TellsOfEachStateWhatUnmarshalTells(t *testing.T) {
	t.Parallel()
	var d profile.Decoder
	var got, want []repo.Attacker
	for _, n := range []int{300, 0, 3, 1000, 1, 40, 300, 7} {
		data := typical(n).Marshal()
		_, err := d.Attacker(profile.Seal(data[1 : len(data)/2]))
		require.Error(t, err)
		a, err := d.Attacker(data)
		require.NoError(t, err)
		clear(data)
		got, want = append(got, a), append(want, stored(t, typical(n)).Attacker())
	}
	assert.Equal(t, want, got)
}

// typical is the state of an attacker with n events of all sorts.
func typical(n int) *profile.State {
	events := mixedEvents(rand.New(rand.NewPCG(31, uint64(n))), n)
	s := fold(events...)
	for i := range n / 5 {
		s.AddBounty(bountyOf(i))
	}
	return s
}

func BenchmarkAdd(b *testing.B) {
	events := mixedEvents(rand.New(rand.NewPCG(41, 42)), 1024)
	s := fold(events...)
	shift := events[1023].Time.Sub(events[0].Time) + time.Second
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := events[i%1024]
		e.Time = e.Time.Add(shift * time.Duration(1+i/1024))
		s.Add(&e)
	}
}

func BenchmarkAttacker(b *testing.B) {
	for _, n := range []int{5, 50, 1000} {
		s := typical(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Attacker()
			}
		})
	}
}

// BenchmarkDecoder reads a profile as a page of them does, each time the same.
func BenchmarkDecoder(b *testing.B) {
	for _, n := range []int{5, 50, 1000, 20000} {
		data := typical(n).Marshal()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var d profile.Decoder
			for b.Loop() {
				if _, err := d.Attacker(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMarshalUnmarshal(b *testing.B) {
	for _, n := range []int{5, 50, 1000, 20000} {
		s := typical(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				data := s.Marshal()
				if _, err := profile.Unmarshal(data); err != nil {
					b.Fatal(err)
				}
				size = len(data)
			}
			b.ReportMetric(float64(size), "state-bytes")
		})
	}
}
