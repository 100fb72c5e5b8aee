// Package testutil gives every test a world of its own: a database, a fleet
// state file, a secret, a clock, a server with cold caches, and clients for
// each kind of user. Nothing in a world is shared with another but what never
// changes (the parsed contract, the template that databases are cloned from),
// so tests run in parallel and in any order by construction.
//
//	func TestLogs(t *testing.T) {
//		t.Parallel()
//		w := testutil.New(t)
//		w.Seed(3)
//		w.Viewer.Get("/api/v1/logs").OK()
//	}
//
// A client checks every exchange against openapi.yaml, so that each test is a
// test of the contract too. Failure messages never hold a secret.
//
// Only tests import this package; it may import everything.
package testutil
