package api_test

import (
	"flag"
	"testing"

	"decnet/testutil"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite testdata/costs.golden with what requests cost now")
	testutil.Main(m)
}

// updating reports whether -update was given.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }
