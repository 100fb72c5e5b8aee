// Package decoy runs the decoys of a fleet inside this process: it implements
// the driver of package fleet with sockets of its own.
//
// What it promises: a change of the fleet is all or nothing; one decoy's panic
// or flood reaches neither another nor the API, since every session has limits
// of time and size, and every decky and every address a share of the sessions;
// what is refused is counted; and what an attacker did is in the journal, a file,
// before the attacker gets the next answer, so a process that is killed loses
// nothing of it. Nothing in it opens an outbound connection.
package decoy
