package repo

import "time"

// Push is a batch of lines that somebody sends, instead of a file that is read.
type Push struct {
	// Sensor is the UUID of the sender.
	Sensor string
	// Source names the sender in statuses and rejects.
	Source string
	// Key makes a retry of the batch harmless; see [Receipt]. "" means none.
	Key string
	// BodyHash is the SHA-256 of what was sent.
	BodyHash []byte
	// Format is the name of a format; "" recognises each line by itself.
	Format string
	Lines  [][]byte
}

// IngestStatus tells where events come from and where they went.
type IngestStatus struct {
	Sources []SourceStatus
	// Lines = Accepted + Duplicate + Rejected + Ignored, over all sources since the
	// start of the process.
	Lines, Accepted, Duplicate, Rejected, Ignored int64
	// LastCommit is the wall time of the last commit; zero for none.
	LastCommit time.Time
	// Problem is why nothing can be stored at the moment; "" when all is well.
	Problem string
}

// SourceStatus is the state of one source.
type SourceStatus struct {
	// Name is a path, the name of a sensor, or the peer of a syslog connection;
	// Kind is file, stdin, sensor or syslog.
	Name, Kind string
	// State is waiting, reading, following, done, failed, connected or idle.
	State string
	// Format is the format that was recognised last; "" for none.
	Format string
	// LastLine is the wall time of the last line; zero for none. LastEvent is the
	// latest time that an event had.
	LastLine, LastEvent time.Time
	// Rate is in lines a second, over the last minute.
	Rate float64
	// LagBytes is what is not read yet; LagSeconds is how long the oldest of it has
	// waited, as far as can be told.
	LagBytes   int64
	LagSeconds float64
	// Lines = Accepted + Duplicate + Rejected + Ignored, since the start of the process.
	Lines, Accepted, Duplicate, Rejected, Ignored int64
	// RejectedBy and IgnoredBy count by reason.
	RejectedBy, IgnoredBy map[string]int64
	// Problem is a sentence; "" when all is well.
	Problem string
}

// Explanation is what decnet makes of one line.
type Explanation struct {
	// Format is what recognised the line; "" when nothing did.
	Format string
	// Events are what the line gives, with their bounties, commands and traits.
	Events []Event
	// Ignored is the rule or reason by which the line gives no event on purpose,
	// Reason and Detail why it is rejected; "" where it is not.
	Ignored, Reason, Detail string
	// Notes are sentences on what an operator may wonder about.
	Notes []string
}

// RejectQuery asks for one page of rejects, newest first.
type RejectQuery struct {
	// Reason is equality, Source is equality with [Reject.Path]; "" means any.
	Reason, Source string
	Limit, Offset  int
}
