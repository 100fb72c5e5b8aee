// Command decnet turns the logs of honeypots into an API. It is the only place
// that knows every package: it reads the options, builds the parts, starts them,
// and stops them in the opposite order. See docs/architecture.md.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Two, so that the second signal is not lost while the first is handled.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(process{
		args:    os.Args[1:],
		getenv:  os.Getenv,
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		signals: signals,
	}))
}
