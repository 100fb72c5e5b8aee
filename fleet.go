package decnet

import _ "embed" // for the example

//go:embed examples/fleet.ini
var exampleFleet string

// ExampleFleet returns the INI text of a small fleet on loopback addresses, which
// a service that shall run decoys begins with.
func ExampleFleet() []byte { return []byte(exampleFleet) }
