package load

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Mode is how the number of users changes.
type Mode string

const (
	// Mix is a steady number of users.
	Mix Mode = "mix"
	// Spike is few users, then many within five seconds, then few again.
	Spike Mode = "spike"
	// Sustained is a steady number of users for so long that a drift would show.
	Sustained Mode = "sustained"
)

// The parts of a spike.
const (
	// SpikeUsers are those before and after the spike.
	SpikeUsers = 10
	spikeCalm  = 5 * time.Second
	// spikeWarm is how long the service may take at the begin until its caches are filled.
	spikeWarm = 2 * time.Second
	spikeRise = 5 * time.Second
	spikeHold = time.Second
)

// Options say what load is made. URL, Username and Password are mandatory.
type Options struct {
	// URL is the root of the service, such as http://127.0.0.1:8000.
	URL string
	// Username and Password are of an account that need not change its password.
	Username, Password string
	// Mode is Mix when "".
	Mode Mode
	// Users are 500 in a mix, 1000 at the top of a spike and 200 sustained, when 0.
	Users int
	// Duration is how long they stay: 30 s for a mix, 60 s sustained, and 15 s that are
	// watched after a spike, when 0.
	Duration time.Duration
	// ThinkMin and ThinkMax bound the pause before each request, from 10 to 50 ms
	// when both are 0.
	ThinkMin, ThinkMax time.Duration
	// Seed chooses who asks for what, and when.
	Seed uint64
	// SampleEvery is of how many answers one is read whole and checked; 16 when 0.
	SampleEvery int
	// Timeout bounds a request, 10 s when 0.
	Timeout time.Duration
	// PID is the service's process on this machine, whose use of CPU and memory is
	// read from /proc; when 0 it is taken from /metrics.
	PID int
	// MetricsToken opens /metrics where that has a token.
	MetricsToken string
	// Feed are lines that come in meanwhile, nil for none.
	Feed *Feed
	// Now is the clock, time.Now when nil; it is called from many goroutines.
	Now func() time.Time
}

// complete sets the defaults and looks for faults.
func (o *Options) complete() (*url.URL, error) {
	root, err := url.Parse(o.URL)
	if err != nil || root.Scheme != "http" && root.Scheme != "https" || root.Host == "" {
		return nil, fmt.Errorf("%q is not the URL of a service, such as http://127.0.0.1:8000", o.URL)
	}
	users, duration := 500, 30*time.Second
	switch o.Mode {
	case "":
		o.Mode = Mix
	case Mix:
	case Spike:
		users, duration = 1000, 15*time.Second
	case Sustained:
		users, duration = 200, time.Minute
	default:
		return nil, fmt.Errorf("there is no mode %q", o.Mode)
	}
	setDefault(&o.Users, users)
	setDefault(&o.Duration, duration)
	setDefault(&o.SampleEvery, 16)
	setDefault(&o.Timeout, 10*time.Second)
	if o.ThinkMin == 0 && o.ThinkMax == 0 {
		o.ThinkMin, o.ThinkMax = 10*time.Millisecond, 50*time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Users < 1 || o.Duration < 0 || o.ThinkMin < 0 || o.ThinkMax < o.ThinkMin || o.SampleEvery < 1 {
		return nil, errors.New("users, duration, think time and sample must be positive, and the shortest think time not above the longest")
	}
	return root, nil
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
