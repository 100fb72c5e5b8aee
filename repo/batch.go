package repo

import "time"

// Event is one event on its way into the store: the row and all that the rules
// found in it.
type Event struct {
	// Log is the row; the engine fills in its ID when it commits. The ID stays 0
	// when Key was known already: the event is a duplicate and nothing of it is
	// stored.
	Log
	// Key identifies the event to the one who sent it, as 16 bytes of a hash over
	// sender and id; nil means that the sender gave no id.
	Key []byte
	// Part says that the event comes from the same line as the event before it.
	// Counts of lines, such as those of a [Receipt], leave it out.
	Part bool
	// Bounties take Time, Decky, Service and AttackerIP from Log; only Type and
	// Payload are read.
	Bounties []Bounty
	// Command is the line that the attacker typed; "" means none.
	Command string
	Traits  Traits
}

// Traits are what an event tells about its attacker beside its time and place;
// package profile folds them into [Behavior]. The zero value tells nothing.
type Traits struct {
	// UserAgent and Mailer are header values of an HTTP request.
	UserAgent, Mailer string
	// OSGuess comes from a passive fingerprint; TTL is the observed IP TTL, 0 when
	// unknown; HopDistance is nil when unknown.
	OSGuess     string
	TTL         int
	HopDistance *int64
	// TCPFingerprint is a JSON object; "" means none.
	TCPFingerprint string
	// Retransmits is the count that the event reports.
	Retransmits int64
	// PayloadBytes is the size of what was moved, 0 when unknown.
	PayloadBytes int64
}

// Batch is committed whole or not at all.
type Batch struct {
	// Events are stored in this order.
	Events []Event
	// Rejects are lines that gave no event.
	Rejects []Reject
	// Positions are the read positions that this batch brings its sources to.
	Positions []Position
	// Sessions are sessions that began; ClosedSessions are keys of those that
	// ended and may be forgotten. A session in both is forgotten.
	Sessions       []Session
	ClosedSessions []string
	// Receipts answer what sensors sent: each for Events[First:Last]. The engine
	// fills in their Accepted and Duplicate, in lines: of the events without Part,
	// those that got an ID and those whose Key was known.
	// A receipt whose key is stored already fails the batch with [ErrConflict].
	Receipts []*Receipt
}

// Position is how far a source has been read. It is committed with the rows
// that it covers: that is what makes ingest exactly-once.
type Position struct {
	// Source is the key, chosen by package ingest; one file has one source
	// whatever its name.
	Source string
	// Path is the last name that the source was read under.
	Path string
	// Device and Inode identify a file while it lives; 0 where there is none.
	Device, Inode uint64
	// HeadLen is how many first bytes HeadHash (SHA-256) covers, at most 1024.
	HeadLen  int64
	HeadHash []byte
	// Offset is the number of bytes read, after decompression.
	Offset int64
	// TailLen is how many bytes before Offset TailHash (SHA-256) covers, at most 1024.
	TailLen  int64
	TailHash []byte
	// Done says that the source was read whole and will not grow (a .gz file).
	Done bool
	// Format is the name of the format that was found, "" before the first line.
	Format string
	// Lines = Accepted + Duplicate + Rejected + Ignored, since the source was first
	// read.
	Lines, Accepted, Duplicate, Rejected, Ignored int64
	// UpdatedAt is the wall time of the commit.
	UpdatedAt time.Time
}

// Session is what later lines of a decoy's session need to know from its first.
type Session struct {
	// Key is unique over all sensors.
	Key     string
	Service string
	// DstPort is 0 when unknown.
	DstPort int
	// Attacker is "" when unknown.
	Attacker string
	// OpenedAt is the time of the first line.
	OpenedAt time.Time
}

// MaxRejectLine bounds [Reject.Line], in bytes.
const MaxRejectLine = 64 << 10

// MaxRejects and MaxRejectBytes bound the rejects that an engine keeps, the
// newest, and their lines together: a decoy whose format nobody knows would fill
// the disk otherwise.
const (
	MaxRejects     = 100_000
	MaxRejectBytes = 64 << 20
)

// Reject is a line that could not be made an event.
type Reject struct {
	ID     int64
	Source string
	Path   string
	// Offset is where the line begins, in bytes of the decompressed source.
	Offset int64
	// Reason is a short stable slug, such as "not_json"; Detail is a sentence.
	Reason, Detail string
	// Line holds at most the first [MaxRejectLine] bytes of Size bytes.
	Line []byte
	Size int64
	// SeenAt is the wall time at which it was read.
	SeenAt time.Time
}
