// Package tlstrap lets imitated services speak TLS. It reads the client hello
// from the wire before crypto/tls sees it, so that every client leaves its
// fingerprint, also one whose handshake then fails.
//
// What it promises: a client hello gives one event "tls_client_hello" of the
// service "sniffer" with JA3 (Salesforce's definition) and JA4 (FoxIO's
// definition of the TLS client part, which is the one under the BSD licence).
// A certificate follows from its options, is made once, and stays. Versions and
// curves are those of the OpenSSL of the imitated distribution. What is beyond
// it: the order in which crypto/tls prefers cipher suites, by which an active
// scanner such as JARM can tell it from OpenSSL.
package tlstrap
