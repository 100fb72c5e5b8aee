// Package sasl has what imitated mail servers share of logging in by a challenge:
// CRAM-MD5 (RFC 2195) and APOP (RFC 1939, 7), and the setting that offers them.
//
// What a client answers is a hash over its password. It is recorded in the form
// of hashcat and never as a password. Both are offered only where the setting says
// so, because a client that finds them on offer sends no password in clear text.
package sasl

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// The mechanisms, as the setting and servers call them.
const (
	Plain = "PLAIN"
	Login = "LOGIN"
	CRAM  = "CRAM-MD5"
	APOP  = "APOP"
)

// Mechanisms reads the setting "auth", a list with blanks or commas in any case,
// of those that a service knows; usual are those where it is not set. The error
// is a sentence for whoever wrote the settings.
func Mechanisms(c trap.Config, usual []string, known ...string) ([]string, error) {
	words := strings.FieldsFunc(strings.ToUpper(c["auth"]), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' })
	if len(words) == 0 {
		return usual, nil
	}
	for _, w := range words {
		if !slices.Contains(known, w) {
			return nil, fmt.Errorf("auth is a list of %s, without %q", strings.Join(known, ", "), w)
		}
	}
	return slices.Compact(words), nil
}

// Challenge makes one as Dovecot does: 16 digits at random, the time and the host.
func Challenge(host string, now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	for i := range b {
		b[i] = b[i]%10 + '0'
	}
	return fmt.Sprintf("<%s.%d@%s>", b, now.Unix(), host)
}

// Stamp makes what a greeting of POP3 has for APOP, as Dovecot does.
func Stamp(host string, now time.Time) string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // it never fails
	return fmt.Sprintf("<%x.%x.%x.%s@%s>", 1000+int(b[16])<<4, 1+int(b[17]), now.Unix(), base64.StdEncoding.EncodeToString(b[:16]), host)
}

// isDigest reports whether a hash is written as it is to be: 32 hexadecimal digits.
func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16
}

// AnswerCRAM reads a client's answer to a challenge: the user name, and the fields
// of an event with the proof (hashcat, mode 10200).
func AnswerCRAM(challenge, answer string) (fields []trap.Field, ok bool) {
	text, err := base64.StdEncoding.DecodeString(answer)
	space := strings.LastIndexByte(string(text), ' ')
	if err != nil || space < 0 || !isDigest(string(text[space+1:])) {
		return nil, false
	}
	return []trap.Field{
		{Key: "username", Value: string(text[:space])}, {Key: "method", Value: CRAM},
		{Key: "hashcat", Value: "$cram_md5$" + base64.StdEncoding.EncodeToString([]byte(challenge)) + "$" + base64.StdEncoding.EncodeToString(text)},
	}, true
}

// AnswerAPOP reads the argument of APOP: the user name, and the fields of an event
// with the proof (hashcat, mode 20).
func AnswerAPOP(stamp, argument string) (fields []trap.Field, ok bool) {
	space := strings.LastIndexByte(argument, ' ')
	if space < 0 || !isDigest(argument[space+1:]) {
		return nil, false
	}
	return []trap.Field{
		{Key: "username", Value: argument[:space]}, {Key: "method", Value: APOP},
		{Key: "hashcat", Value: strings.ToLower(argument[space+1:]) + ":" + stamp},
	}, true
}
