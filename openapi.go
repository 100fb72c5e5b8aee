// Package decnet holds the contract of the service, openapi.yaml, and embeds it.
//
// DECNET is a deception network: decoys (deckies) imitate services, attackers
// touch them, and this service stores what happened and answers questions about
// it over a JSON API. Log lines come in by package ingest, are committed with
// all that can be counted from them by repo/sqlite, and go out by package api;
// cmd/decnet wires them together. Package fleet knows which decoys should run and
// decoy runs them.
//
// openapi.yaml is the single source of truth of the wire: package contract
// checks every request against it, and the tests check every response. The
// package also embeds the fleet that a new service begins with, and imports nothing
// of ours.
package decnet

import _ "embed" // for the document

//go:embed openapi.yaml
var openAPI string

// OpenAPI returns the OpenAPI 3.0 document, YAML; the bytes are the caller's.
func OpenAPI() []byte { return []byte(openAPI) }
