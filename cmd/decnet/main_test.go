package main

import (
	"flag"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
)

func TestMain(m *testing.M) {
	// In a container of the Docker test, and where a test wants a process to kill,
	// this binary is the program.
	if (len(os.Args) > 1 && os.Args[1] == "decoy") || os.Getenv(asProgram) != "" {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		os.Exit(run(process{
			args: os.Args[1:], getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
			signals: signals, makers: greeters(), bcryptCost: bcrypt.MinCost,
		}))
	}
	if os.Getenv(asAttacker) != "" {
		if err := attackAs(os.Stdin, os.Stdout); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	flag.Bool("update", false, "rewrite the files that tests compare with")
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// asProgram is the variable that makes this binary the program.
const asProgram = "DECNET_TEST_AS_PROGRAM"

// updating reports whether -update was given.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }
