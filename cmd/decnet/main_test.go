package main

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the files that tests compare with")
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// updating reports whether -update was given.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }
