// Package memcached imitates a memcached server that is open to everybody, as those
// are that get abused: it answers the text protocol with the meta commands
// (doc/protocol.txt of the memcached project) and the binary protocol
// (BinaryProtocolRevamped of its wiki) over TCP, and keeps a small store for each
// session, which begins with what an application has left there.
//
// It records each command as "command" (cmd, args, the whole as "query", and for what
// is stored its size and its begin as "data"), SASL as "auth" (mechanism, username
// and password), what is stored as a file to be, if it looks like a cron job, a key
// for ssh, a program or a serialized object, and what is no command as
// "protocol_error" with its first bytes in hexadecimal digits.
//
// In one thing it is more forthcoming than a real server: it lists SASL's PLAIN,
// refuses all passwords, and goes on for who has none, because only so it shows what
// passwords are tried.
//
// UDP is not answered at all, though old servers do. The requests that come by UDP
// have forged senders, and the answers are weapons.
package memcached
