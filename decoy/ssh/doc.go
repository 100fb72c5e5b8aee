// Package ssh imitates an SSH server: OpenSSH as the distribution of the machine
// ships it, or Dropbear on embedded machines (RFC 4250 to 4254, RFC 4256, RFC
// 8308). The transport is that of golang.org/x/crypto/ssh; what a client sees
// before the encryption begins, the banner and the lists of algorithms, is in
// the order of the imitated version, as far as that library knows the algorithms.
//
// It records the client's banner (client_banner), the algorithms it offers with
// their HASSH (kex), every password and key (auth_attempt, key_attempt), the
// commands and files of those who get in (command, file_upload, file_download,
// sftp_request), what they ask of the session (env, pty_request), and tunnels
// (port_forward, port_forward_data), which lead nowhere. Who gets in is decided
// by [decnet/decoy/shell.Gate].
//
// Settings: password is the one password that opens every account; hostname is
// the name that the machine shows.
package ssh
