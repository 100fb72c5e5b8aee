// Package contract reads the OpenAPI document of the service and checks requests
// against it, so that a bound is written once, in openapi.yaml, and nowhere in
// code.
//
// Promises:
//
//   - A [Contract] is immutable once loaded and safe for concurrent use.
//   - [Load] fails on a keyword that a request schema uses and this package
//     would not enforce: no constraint of the document is ever ignored silently.
//   - A [Violation] names the place, the keyword and the bound, never the value
//     that was sent: it may be a password.
//   - Length is counted in characters, as JSON Schema does.
//
// What a parameter may carry instead of a value ("null", "undefined" and the
// like) is stated at the parameter by the extension x-absent-values.
//
// The package imports no other package of ours.
package contract
