package repo

import "time"

// Sensor is somebody who may send events, and do nothing else.
type Sensor struct {
	// UUID is random, given by the caller of CreateSensor.
	UUID string
	// Name is unique, for people.
	Name string
	// TokenHash is the SHA-256 of the token, which is shown once and never stored.
	TokenHash []byte
	CreatedAt time.Time
	// LastSeen is the wall time of the last batch; zero for never. Engines set it
	// when they commit a batch with a [Receipt] of the sensor.
	LastSeen time.Time
	// Accepted, Duplicate and Rejected count the sensor's events since it was made.
	Accepted, Duplicate, Rejected int64
}

// Receipt is the answer to a batch that a sensor sent. It is committed with the
// batch, so that a batch which is sent again under the same key is answered from
// it and stored once.
type Receipt struct {
	// Sensor is the sensor's UUID, Key the sensor's own word for the batch; ""
	// means that there is none: the receipt is then only counted.
	Sensor, Key string
	// BodyHash is the SHA-256 of what was sent: the same key with another body is
	// a mistake of the sender.
	BodyHash []byte
	// The counts are of lines. A line that gives several events is counted with the
	// first of them; see [Event.Part].
	Accepted, Duplicate, Rejected, Ignored int64
	// Rejects say what was wrong with which line, counted from 0; at most
	// [MaxReceiptRejects].
	Rejects []ReceiptReject
	// At is the wall time of the commit.
	At time.Time
	// First and Last choose the events that the receipt is for, as
	// Batch.Events[First:Last]. They mean something only within a batch.
	First, Last int
}

// MaxReceiptRejects bounds [Receipt.Rejects].
const MaxReceiptRejects = 100

// ReceiptLifetime is how long a receipt is kept: a retry comes within it.
const ReceiptLifetime = 7 * 24 * time.Hour

// ReceiptReject is one line of a batch that gave no event.
type ReceiptReject struct {
	Line           int
	Reason, Detail string
}
