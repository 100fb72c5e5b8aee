package smtp

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"decnet/decoy/sasl"
	"decnet/decoy/trap"
)

// auth takes a password by PLAIN or LOGIN (RFC 4616 and its draft), or the proof of
// one by CRAM-MD5, and refuses it.
func (st *state) auth(ctx context.Context, rest string) bool {
	method, initial, _ := strings.Cut(rest, " ")
	method = strings.ToUpper(method)
	if !st.hello {
		return st.refuse("503 5.5.1 Error: send HELO/EHLO first")
	}
	if method == "" {
		return st.refuse("501 5.5.4 Syntax: AUTH mechanism")
	}
	if !slices.Contains(st.mechanisms, method) {
		return st.refuse("535 5.7.8 Error: authentication failed: Invalid authentication mechanism")
	}
	var user, password string
	var ok, going bool
	switch method {
	case sasl.Plain:
		user, password, ok, going = st.plain(initial)
	case sasl.Login:
		user, password, ok, going = st.login(initial)
	case sasl.CRAM:
		return st.cram(ctx)
	}
	if !going {
		return false
	}
	if !ok {
		return st.refuse("535 5.7.8 Error: authentication failed: Invalid base64 data in continued response")
	}
	st.conn.Record("auth_attempt", trap.Field{Key: "username", Value: user}, trap.Field{Key: "password", Value: password},
		trap.Field{Key: "method", Value: method})
	st.conn.Pause(ctx, pauseAfterLogin, 2*pauseAfterLogin)
	return st.refuse("535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6")
}

// cram sends a challenge and records the proof.
func (st *state) cram(ctx context.Context) bool {
	challenge := sasl.Challenge(st.name, st.conn.Now())
	encoded := base64.StdEncoding.EncodeToString([]byte(challenge))
	answer, going := st.ask(encoded)
	if !going {
		return false
	}
	fields, ok := sasl.AnswerCRAM(challenge, answer)
	if !ok {
		return st.refuse("535 5.7.8 Error: authentication failed: Invalid base64 data in continued response")
	}
	st.conn.Record("auth_attempt", fields...)
	st.conn.Pause(ctx, pauseAfterLogin, 2*pauseAfterLogin)
	return st.refuse("535 5.7.8 Error: authentication failed: " + encoded)
}

// plain reads authorization identity, user and password in one.
func (st *state) plain(initial string) (user, password string, ok, going bool) {
	if initial == "" {
		if initial, going = st.ask(""); !going {
			return "", "", false, false
		}
	}
	text, ok := decode(initial)
	parts := strings.SplitN(text, "\x00", 3)
	if !ok || len(parts) != 3 {
		return "", "", false, true
	}
	return parts[1], parts[2], true, true
}

// login reads the user and then the password.
func (st *state) login(initial string) (user, password string, ok, going bool) {
	if initial == "" {
		if initial, going = st.ask("VXNlcm5hbWU6"); !going { // Username:
			return "", "", false, false
		}
	}
	user, first := decode(initial)
	if !first {
		return "", "", false, true
	}
	answer, going := st.ask("UGFzc3dvcmQ6") // Password:
	if !going {
		return "", "", false, false
	}
	password, ok = decode(answer)
	return user, password, ok, true
}

// ask sends a challenge and reads the answer.
func (st *state) ask(challenge string) (string, bool) {
	if !st.say("334 " + challenge) {
		return "", false
	}
	line, err := trap.ReadLine(st.r, maxLine)
	if err != nil && !errors.Is(err, trap.ErrLineTooLong) {
		return "", false
	}
	return string(line), true
}

func decode(s string) (string, bool) {
	if s == "=" {
		return "", true // an empty answer, RFC 4954
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return string(b), err == nil
}
