package decoy

import "decnet/decoy/trap"

// Makers returns what makes each service, by the names that package fleet has
// for them.
func Makers() map[string]trap.Maker {
	return map[string]trap.Maker{}
}
