// Package redis imitates a Redis server without a password, of the kind that is
// found and abused on the internet: it answers RESP2 and RESP3 (the protocol
// specification of redis.io) and inline commands, keeps a small store for each
// session, and obeys none of the commands that attackers use to write files or to
// load code, though it answers them as the real one does.
//
// It records each command as "command" (cmd, args, and the whole as "query"),
// AUTH as "auth" (password, and username where one was given), the address that a
// replica is asked to follow, and the content that is written to a key as a file
// to be, if it looks like a crontab, a key for ssh or a program.
package redis
