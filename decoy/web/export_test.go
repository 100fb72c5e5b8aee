package web

import (
	"fmt"

	"decnet/decoy/trap"
)

// Describe names what a host's web server is.
func Describe(h *trap.Host) string {
	s, app, err := choose(h, "")
	return fmt.Sprintf("%T %T %v", s, app, err)
}
