// Package api answers the wire contract of openapi.yaml: routes, handlers,
// caches, authentication, problems and the event stream. It holds no SQL and
// reads no file; what it needs of a store it says in stores.go.
//
// A [Server] is a value: its secret, its store, its caches and its clock are
// fields. Every cached handler has a Reset, and [Server.Reset] makes them all
// cold. DESIGN.md tells the life of a request and what the caches promise.
//
// Only cmd/decnet and tests import this package; it imports auth, contract,
// fleet, repo and the package of the contract.
package api
