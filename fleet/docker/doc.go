// Package docker runs the decoys of a fleet as containers of a Docker engine: it
// implements the driver of package fleet for those who want machines with a
// network stack, an address and a MAC of their own.
//
// What it promises: a change of the fleet is all or nothing, as far as the engine
// lets it (what was stopped is started again); a decoy that is already as it
// should be is not touched; containers have no privileges, no writable root and
// nothing in them but this program; and it touches nothing at the engine that
// does not carry its label. What decoys see is in a journal for each of them.
package docker
