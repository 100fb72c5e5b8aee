package sqlite

import (
	"cmp"
	"encoding/binary"
	"slices"

	"decnet/repo"
)

const (
	lastQuarter = repo.MaxUnixNano / quarter
	// fineDays are the newest days with attempts of which quarters of an hour are
	// known, keptDays those of which anything is: what is older has only a sum.
	fineDays = 2
	keptDays = 400
)

// attemptsAt is how many attempts there were in a quarter of an hour or on a day.
// Both are counted from 1970 on.
type attemptsAt struct{ at, n int64 }

// attemptTimes tells when a credential was tried. All of it is newest first, and
// depends on the attempts only, not on the order in which they came: a day that is
// among the newest in the end was among them ever since its first attempt.
type attemptTimes struct {
	// quarters are those of the newest fineDays days that have attempts.
	quarters []attemptsAt
	// days are those before them.
	days []attemptsAt
	// before counts the attempts of which no more is known than that they were
	// between the first one of all and the end of the quarter until.
	before, until int64
}

// timesOf reads the column of a row that has so many attempts between two times.
// Where it says nothing, as in a row from before there was one, the row itself
// tells when the first and the last attempt were; so it does where the column is
// damaged.
func timesOf(packed []byte, attempts, first, last int64, t *attemptTimes) {
	if len(packed) > 0 && t.decode(packed) {
		return
	}
	t.clear()
	if attempts < 1 {
		return
	}
	first, last = first/quarter, last/quarter
	t.add(last, 1)
	switch rest := attempts - 2; {
	case rest < 0:
	case first == last:
		t.add(last, rest+1)
	default:
		t.add(first, 1)
		t.before, t.until = rest, last
	}
}

func (t *attemptTimes) clear() {
	t.quarters, t.days, t.before, t.until = t.quarters[:0], t.days[:0], 0, 0
}

// add counts attempts of a quarter of an hour. What is not among the newest any
// more goes from the quarters into its day, and from the days into the sum.
func (t *attemptTimes) add(quarter, n int64) {
	day := quarter / quartersOfDay
	if days := t.fine(); days < fineDays || day >= t.quarters[len(t.quarters)-1].at/quartersOfDay {
		t.quarters = addAt(t.quarters, quarter, n)
		if t.fine() <= fineDays {
			return
		}
		day, n = t.dropFineDay()
	}
	t.days = addAt(t.days, day, n)
	if oldest := len(t.days) - 1; oldest >= keptDays-fineDays {
		t.before += t.days[oldest].n
		t.until = max(t.until, (t.days[oldest].at+1)*quartersOfDay-1)
		t.days = t.days[:oldest]
	}
}

// fine counts the days of the quarters.
func (t *attemptTimes) fine() (days int) {
	for i, q := range t.quarters {
		if i == 0 || q.at/quartersOfDay != t.quarters[i-1].at/quartersOfDay {
			days++
		}
	}
	return days
}

// dropFineDay removes the oldest day from the quarters and returns its sum.
func (t *attemptTimes) dropFineDay() (day, n int64) {
	i := len(t.quarters)
	day = t.quarters[i-1].at / quartersOfDay
	for ; i > 0 && t.quarters[i-1].at/quartersOfDay == day; i-- {
		n += t.quarters[i-1].n
	}
	t.quarters = t.quarters[:i]
	return day, n
}

// addAt adds to an entry of a list, or makes one.
func addAt(list []attemptsAt, at, n int64) []attemptsAt {
	i, found := slices.BinarySearchFunc(list, at, func(a attemptsAt, at int64) int { return cmp.Compare(at, a.at) })
	if found {
		list[i].n += n
		return list
	}
	return slices.Insert(list, i, attemptsAt{at, n})
}

// sum is the number of attempts.
func (t *attemptTimes) sum() int64 {
	n := t.before
	for _, list := range [][]attemptsAt{t.quarters, t.days} {
		for _, a := range list {
			n += a.n
		}
	}
	return n
}

// within counts the attempts of a span that is widened to whole quarters of an
// hour, or to whole days where quarters aren't known. Those of which not even the
// day is known count where the span has all of their time, which begins with the
// first attempt; where it has a part of it, they are unsure.
func (t *attemptTimes) within(s span, first int64) (n, unsure int64) {
	if s.empty() {
		return 0, 0
	}
	from, to := s.first/quarter, s.last/quarter
	for _, q := range t.quarters {
		if q.at >= from && q.at <= to {
			n += q.n
		}
	}
	for _, d := range t.days {
		if d.at < from/quartersOfDay {
			break
		}
		if d.at <= to/quartersOfDay {
			n += d.n
		}
	}
	switch began := first / quarter; {
	case t.before == 0 || from > t.until || to < began:
		return n, 0
	case from <= began && to >= t.until:
		return n + t.before, 0
	}
	return n, t.before
}

// encode appends the times as unsigned varints: the sum of what is before the days,
// and if it isn't 0 the quarter until which it is; the number of quarters; then the
// quarters and the days. The first of either is as it is, each next one says how
// much earlier it is.
func (t *attemptTimes) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(t.before))
	if t.before > 0 {
		b = binary.AppendUvarint(b, uint64(t.until))
	}
	b = binary.AppendUvarint(b, uint64(len(t.quarters)))
	for _, list := range [][]attemptsAt{t.quarters, t.days} {
		for i, a := range list {
			at := a.at
			if i > 0 {
				at = list[i-1].at - at
			}
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(at)), uint64(a.n))
		}
	}
	return b
}

// decode reads what encode wrote, and reports whether that is what it read.
func (t *attemptTimes) decode(b []byte) bool {
	t.clear()
	r := varints{rest: b}
	if t.before = r.next(maxAttempts); t.before > 0 {
		t.until = r.next(lastQuarter)
	}
	quarters := r.next(fineDays * quartersOfDay)
	for i := range quarters {
		t.quarters = r.entry(t.quarters, i == 0, lastQuarter)
	}
	for first := true; len(r.rest) > 0 && len(t.days) <= keptDays; first = false {
		t.days = r.entry(t.days, first, lastQuarter/quartersOfDay)
	}
	if fine := t.fine(); r.bad || fine > fineDays || len(t.days) > keptDays-fineDays {
		return false
	} else if len(t.days) > 0 {
		return fine == fineDays && t.days[0].at < t.quarters[len(t.quarters)-1].at/quartersOfDay
	}
	return true
}

// maxAttempts bounds the counts, so that damage can't make sums overflow.
const maxAttempts = 1 << 48

// varints reads numbers. After the first one that is out of its bounds it is bad,
// and nothing is left.
type varints struct {
	rest []byte
	bad  bool
}

func (r *varints) next(most int64) int64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(most) {
		r.rest, r.bad = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

// entry appends the next entry of a list.
func (r *varints) entry(list []attemptsAt, first bool, most int64) []attemptsAt {
	a := attemptsAt{r.next(most), r.next(maxAttempts)}
	if !first {
		back := a.at
		if a.at = list[len(list)-1].at - back; back == 0 || a.at < 0 {
			r.rest, r.bad = nil, true
		}
	}
	if a.n == 0 {
		r.rest, r.bad = nil, true
	}
	return append(list, a)
}
