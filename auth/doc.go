// Package auth holds what a service must get right about secrets: password
// hashes behind a bounded gate, signed tokens, and a throttle of failed logins.
// It knows no user store and no HTTP, and imports no other package of ours.
//
// Nothing here is global: a secret, a cost or a memory of earlier checks is a
// field, so that two services in one process never share one.
package auth
