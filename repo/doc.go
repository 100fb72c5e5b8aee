// Package repo is the vocabulary of storage: row types, filters, the search
// language and errors. It holds no SQL and opens nothing; an engine such as
// repo/sqlite implements it, and repo/repotest says what every engine must do.
//
// Promises that every engine keeps:
//
//   - Times go in and come out in UTC with nanosecond precision; [ValidTime]
//     says which ones an event can have.
//   - Log ids ascend in commit order, start at 1 and are never used again, not
//     even after a purge: a stream resumes by them.
//   - "Newest first" is time descending, then id descending; a list is never
//     nil, so that JSON shows [] and not null.
//   - An exported method is one transaction. It returns one of this package's
//     errors, wrapped, where the doc comment names one; any other error means
//     that the engine failed.
//   - Counts follow the rows: totals, lists and what a search counts agree, also
//     after expiry. What was learnt of expired events stays: attackers with their
//     profiles, bounties, credentials, which decoys were ever active, and how many
//     there were in each minute, which the histogram without a search shows.
//   - Text is kept byte for byte, also when it is not UTF-8 or holds NUL.
//
// The package imports no other package of ours.
package repo
