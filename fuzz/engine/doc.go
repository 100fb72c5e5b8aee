// Package engine tests an HTTP API against its OpenAPI 3.0 document: it makes
// requests from the document, valid ones and such that break it in exactly one
// way, sends them, and holds what comes back against the document and against
// rules that any API should keep. All but this file is behind the build tag fuzz.
//
// Promises:
//
//   - Whether a request keeps the document is decided on the request as it goes
//     over the wire, never on the value that it was made from.
//   - Every trial has a world of its own, made by the caller and ended after it;
//     so has every step of shrinking one.
//   - The same seed makes the same trials. A trial depends on (seed, operation,
//     index) only, and can be stored as JSON and run again alone.
//   - A finding names places, keywords and statuses. Secrets that the world knows
//     are masked wherever the engine prints a request.
//
// The package imports no other package of ours and may be used for any API.
package engine
