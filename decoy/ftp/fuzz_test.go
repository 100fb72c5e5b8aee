//go:build fuzz

package ftp

import (
	"strings"
	"testing"
)

// FuzzPath: no argument leads out of the root.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a", "../../etc/passwd", "/a//b/..", "", "\x00", "..\\"} {
		f.Add("/pub", seed)
	}
	f.Fuzz(func(t *testing.T, dir, arg string) {
		c := &client{dir: "/" + strings.TrimLeft(dir, "/")}
		if got := c.at(arg); !strings.HasPrefix(got, "/") || strings.Contains("/"+got+"/", "/../") {
			t.Fatalf("%q", got)
		}
	})
}
