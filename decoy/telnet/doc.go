// Package telnet imitates a Telnet server with a login prompt (RFC 854, 855,
// 857, 858, 1073, 1091): BusyBox's telnetd on Alpine and on embedded machines,
// Netkit's and shadow's login elsewhere. Behind the prompt is the shell of
// [decnet/decoy/shell], and who gets in is decided by its Gate.
//
// It records what the client negotiates, in its order, which tells clients apart
// (negotiation), its terminal (terminal), each user name with its password
// (auth_attempt), and what is done in the shell (command, file_download,
// file_upload).
//
// Settings: password is the one password that opens every account; hostname is
// the name that the machine shows.
package telnet
