// Package load puts a service under the load of many dashboards and tells how it
// bore it.
//
// What it promises: every user has a connection that stays open, as a browser
// has, thinks between two requests, and asks for the things that dashboards ask
// for, in their proportions. What is asked follows from a seed. While loading,
// answers are checked: a status, a content type and whole JSON in all of them,
// and in a sample that rows are in order, belong to what was asked, and that
// counts only rise. A fast wrong answer is an error.
//
// It shares the machine with the service, so it is frugal: requests are rendered
// once, bodies are read into a buffer that a user keeps, and latencies are counted
// in buckets that are at most three percent wide.
package load
