// Package ingest turns log lines into rows: it tails files, parses their lines,
// applies the bounty rules and hands batches to a [Sink].
//
// It promises:
//
//   - Exactly once. The position that a file was read to is part of the batch
//     that holds the rows up to there, so a crash at any point neither loses nor
//     doubles an event.
//   - No line is lost silently: every line of a source becomes an event, or a
//     reject with a reason, or (a blank one) is counted as ignored. A line that
//     can't be parsed never stops the line behind it.
//   - Bounded memory, whatever the lines look like.
//   - What an attacker typed is kept as it is and never read as structure.
//
// DESIGN.md beside this file says how. The package knows no engine and no HTTP;
// it imports only package repo.
package ingest
