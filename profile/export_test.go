package profile

import (
	"encoding/binary"

	"decnet/repo"
)

// Seal makes bytes a stored state with the right version and checksum, so that
// tests reach the decoder behind them.
func Seal(body []byte) []byte { return SealAs(version, body) }

// Unseal returns what stands between the version and the checksum.
func Unseal(state []byte) []byte { return state[1 : len(state)-checksumSize] }

// SealAs is Seal with another version.
func SealAs(v byte, body []byte) []byte {
	b := append([]byte{v}, body...)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// MaxChain is how many latest times are kept in order.
const MaxChain = maxChain

// BucketError is the largest relative error of the bucket that v falls into,
// measured at v.
func BucketError(v uint64) float64 {
	d := middleOf(bucketOf(v)) - float64(v)
	if v == 0 {
		return d
	}
	return max(d, -d) / float64(v)
}

// BucketOf is the index of v's bucket.
func BucketOf(v uint64) int { return int(bucketOf(v)) }

// MaxBucket is the highest index.
const MaxBucket = maxBucket

// ClassOf is the class of a beat with this mean (seconds) and CV.
func ClassOf(mean, cv float64, events int64, services int) string {
	return classOf(&repo.Timing{Mean: &mean, CV: &cv, EventCount: events}, services)
}

// BeatTools are the tools that a beat with this mean (seconds) and CV suggests.
func BeatTools(mean, cv float64) []string {
	return toolNames(beatTools(&repo.Timing{Mean: &mean, CV: &cv}))
}
