// Package trap is what every imitated service is given: the machine that it
// pretends to run on, a session with limits for each connection, a place for
// what attackers upload, and the recorder of events.
//
// What it promises: a service built on it can neither reach the network nor the
// file system, since all that it gets is a connection somebody else opened, a port
// for the same client to open another, keys by name, and a quarantine that only
// takes bytes. All that it invents about its
// machine follows from the machine's secret, so it is the same after a restart.
// It imports no other package of ours.
package trap
