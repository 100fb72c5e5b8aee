// Package mongodb imitates a mongod (the wire protocol of the MongoDB manual: OP_MSG,
// and OP_QUERY with OP_REPLY of older clients) without access control, as those are
// that get emptied and held to ransom. It has a few databases that follow from the
// host, and keeps what a session inserts, changes and drops for that session only.
//
// It records each command as "command" (cmd, database, collection, and the whole in
// extended JSON as "query"), what drivers tell about themselves as
// "client_metadata", logins as "auth", other messages as "message" (opcode, length), and
// what is no message as "protocol_error" with its first bytes in hexadecimal digits.
//
// Of a login with SCRAM the event has everything that it takes to try passwords
// offline: mechanism, username, iterations, salt, auth_message and the client's
// proof as "response". There is no form of hashcat for that: its modes 24100 and 24200
// want the ServerKey, which no client sends. A login of old clients (MONGODB-CR) is
// there in the form of John the Ripper as "john", and PLAIN as "password".
//
// Nothing is decompressed, no script is run, and no pattern is matched.
package mongodb
