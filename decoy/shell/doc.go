// Package shell imitates the shell of a small Linux machine: bash on the
// distributions that have it, BusyBox ash on Alpine and on embedded machines.
//
// What it promises: all that a command sees and does follows from an invented
// file system, the clock of the service and what was typed. Nothing is executed,
// fetched or read from the real machine. Each line has a budget of steps and of
// output, and what is written into the invented files has a bound, so no line
// can hold the machine up. It records each line as the event command, URLs that
// are asked for as file_download, and files that are brought by way of the shell
// as file_upload.
//
// The language is the part of the POSIX shell that bots use (IEEE 1003.1, Shell
// Command Language, 2.2 to 2.10): quoting, variables, command substitution,
// pipelines, lists, redirections, here-documents, if, for, while, until, case,
// functions and groups.
package shell
