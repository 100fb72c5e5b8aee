package profile

import (
	"math"

	"decnet/repo"
)

// The behaviour classes of the wire contract.
const (
	ClassBeaconing   = "beaconing"
	ClassInteractive = "interactive"
	ClassScanning    = "scanning"
	ClassBruteForce  = "brute_force"
	ClassSlowScan    = "slow_scan"
	ClassMixed       = "mixed"
	ClassUnknown     = "unknown"
)

// The thresholds of the classes, in the order in which they are tried. Means
// are in seconds.
const (
	minEvents = 3

	slowScanServices = 2
	slowScanMean     = 10.0
	slowScanEvents   = 4

	sweepServices = 3
	sweepMean     = 10.0
	burstServices = 2
	burstMean     = 2.0

	bruteServices = 1
	bruteEvents   = 8
	bruteMean     = 5.0
	bruteCV       = 0.6

	beaconCV     = 0.35
	beaconMean   = 5.0
	beaconEvents = 4

	interactiveCV     = 0.5
	interactiveMean   = 5.0
	interactiveEvents = 6
)

// classOf names the behaviour; the first rule that matches wins. A beat without
// CV (every event at the same instant) matches no rule on the CV.
func classOf(t *repo.Timing, services int) string {
	n := t.EventCount
	if n < minEvents || t.Mean == nil {
		return ClassUnknown
	}
	mean, cv := decisive(t)
	switch {
	case services >= slowScanServices && mean >= slowScanMean && n >= slowScanEvents:
		return ClassSlowScan
	case services >= sweepServices && mean < sweepMean,
		services >= burstServices && mean < burstMean:
		return ClassScanning
	case services == bruteServices && n >= bruteEvents && mean < bruteMean && cv < bruteCV:
		return ClassBruteForce
	case cv < beaconCV && mean >= beaconMean && n >= beaconEvents:
		return ClassBeaconing
	case cv >= interactiveCV && mean < interactiveMean && n >= interactiveEvents:
		return ClassInteractive
	}
	return ClassMixed
}

// decisive returns mean and CV as the thresholds see them: rounded to a
// millisecond and to four digits, as the old API did before it compared, so that
// both agree on a beat that misses a threshold by a hair. The CV is NaN when
// there is none: all comparisons with it fail. t.Mean must not be nil.
func decisive(t *repo.Timing) (mean, cv float64) {
	mean, cv = math.RoundToEven(*t.Mean*1e3)/1e3, math.NaN()
	if t.CV != nil {
		cv = math.RoundToEven(*t.CV*1e4) / 1e4
	}
	return mean, cv
}
