// Package trigram is an index for searches that look into the text of rows: it
// tells, for a stretch of rows, which small blocks of them may hold what is looked
// for. It is pure: it reads no rows and keeps no file.
//
// It promises that no block is left out that holds a match. It does not promise
// that a block which it names holds one: who asks reads those rows and looks.
//
// A segment is a number of consecutive blocks of [BlockRows] rows. Its index is a
// list of terms, each with the set of blocks in which it occurs: three adjacent
// bytes of a text, or a whole pair of a key and a value. Bytes are put into 64
// classes and pairs are hashed, so that the terms are few and dense; what falls
// together costs some needless looking and nothing else. The list is cut into
// chunks of some kilobytes, of which a search reads one a term.
//
// The same idea, with rows in place of blocks, is the trigram index of Russ Cox
// (https://swtch.com/~rsc/regexp/regexp4.html) and of SQLite's FTS5. Blocks make it
// about three times smaller and cheap enough to follow a busy ingest.
package trigram
