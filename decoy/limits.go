package decoy

import "time"

// Limits bound what attackers can use up. A zero value stands for its default.
type Limits struct {
	// Sessions bounds the open TCP sessions of all decoys, PerDecky those of one
	// decky and PerAddress those of one attacker's address (1024, 256, 64).
	Sessions, PerDecky, PerAddress int
	// SSH bounds the open sessions of SSH of all decoys, each of which may make its
	// library take 256 kB before anybody is logged in (256).
	SSH int
	// Life bounds a session as a whole, Idle the wait for the client's next byte or
	// for it to take one (10 minutes, 2 minutes).
	Life, Idle time.Duration
	// In and Out bound what a session receives and sends, in bytes (64 MiB, 16 MiB).
	In, Out int64
	// Drain is how long the sessions of a decoy that was changed or removed may
	// go on (1 minute).
	Drain time.Duration
	// Datagrams bounds the datagrams a second of one address; a burst of twice as
	// many is let through (50).
	Datagrams int
	// Amplify bounds an answer over UDP: at most this many times the size of the
	// question, or 512 bytes if that is more, which keeps a decoy from being used
	// against whoever a forged address belongs to (3).
	Amplify int
	// UploadSize bounds a file that is kept, UploadTotal all of them, in bytes
	// (32 MiB, 1 GiB).
	UploadSize, UploadTotal int64
}

func (l *Limits) setDefaults() {
	setDefault(&l.Sessions, 1024)
	setDefault(&l.PerDecky, 256)
	setDefault(&l.PerAddress, 64)
	setDefault(&l.SSH, 256)
	setDefault(&l.Life, 10*time.Minute)
	setDefault(&l.Idle, 2*time.Minute)
	setDefault(&l.In, 64<<20)
	setDefault(&l.Out, 16<<20)
	setDefault(&l.Drain, time.Minute)
	setDefault(&l.Datagrams, 50)
	setDefault(&l.Amplify, 3)
	setDefault(&l.UploadSize, 32<<20)
	setDefault(&l.UploadTotal, 1<<30)
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
