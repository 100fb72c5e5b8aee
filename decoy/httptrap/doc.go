// Package httptrap is what the imitated web services have in common: it reads
// HTTP/1.x requests as they are on the wire, finds credentials and uploads in
// them, records them, and writes answers byte for byte as the imitated server
// would.
//
// It does not use the server of net/http, which sorts headers, adds some, has
// error texts of its own, and hides from a handler what a honeypot is for: the
// order and the casing of headers, and requests that are malformed. The rules
// are those of RFC 9112; where servers differ, the [Site] decides. It relays
// nothing: CONNECT and absolute URIs are recorded and answered as by a server
// that is no proxy.
package httptrap
