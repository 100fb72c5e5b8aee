package load_test

import (
	"testing"

	"decnet/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }
