// Package sip imitates a telephone exchange, Asterisk, on port 5060 over UDP
// and TCP (RFC 3261, RFC 2617).
//
// It records each request with method, from, to, user and authorization
// (request), and a digest as hashcat cracks it (mode 11400). OPTIONS is answered;
// REGISTER, INVITE and what else needs a user gets a challenge with a nonce from a
// random source, and each answer to it is refused. No call is ever made.
package sip

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// Bounds, in bytes and lines.
const (
	maxLine    = 4096
	maxHead    = 16 << 10
	maxHeaders = 100
	maxBody    = 16 << 10
)

type server struct{ agent string }

// New makes the service. The setting banner overrules the name of the server.
func New(e trap.Env) (trap.Service, error) {
	v := &server{agent: e.Config["banner"]}
	if v.agent == "" {
		v.agent = "Asterisk PBX 16.28.0~dfsg-0+deb11u4"
		if e.Host.Distro == "ubuntu22" {
			v.agent = "Asterisk PBX 18.10.0~dfsg+~cs6.10.40431411-2"
		}
	}
	return trap.Service{TCP: v, UDP: v}, nil
}

// Request is a request of SIP.
type Request struct {
	Method, URI string
	headers     [][2]string
}

var errMalformed = errors.New("malformed SIP message")

// Parse reads the head of a request.
func Parse(b []byte) (*Request, error) {
	if len(b) > maxHead {
		return nil, errMalformed
	}
	lines := strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
	first := strings.Split(lines[0], " ")
	if len(first) != 3 || !strings.HasPrefix(first[2], "SIP/2.0") || first[0] == "" {
		return nil, errMalformed
	}
	r := &Request{Method: first[0], URI: first[1]}
	for _, line := range lines[1:] {
		if line == "" {
			break
		}
		if n := len(r.headers); (line[0] == ' ' || line[0] == '\t') && n > 0 {
			r.headers[n-1][1] += " " + strings.TrimSpace(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || len(r.headers) == maxHeaders {
			return nil, errMalformed
		}
		r.headers = append(r.headers, [2]string{long(strings.TrimSpace(name)), strings.TrimSpace(value)})
	}
	return r, nil
}

// long returns the whole name of a header.
func long(name string) string {
	name = strings.ToLower(name)
	if whole := map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length", "m": "contact", "c": "content-type"}[name]; whole != "" {
		return whole
	}
	return name
}

// Header returns the first of that name, "" for none.
func (r *Request) Header(name string) string {
	for _, h := range r.headers {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

// Respond implements [trap.Responder].
func (v *server) Respond(_ context.Context, d *trap.Datagram) []byte {
	if len(bytes.Trim(d.Data, "\r\n\x00")) == 0 {
		return nil // phones keep a mapping alive so
	}
	head, _, _ := bytes.Cut(d.Data, []byte("\r\n\r\n"))
	return v.answer(&d.Peer, head, "UDP")
}

// Serve implements [trap.Server].
func (v *server) Serve(_ context.Context, s *trap.Session) {
	r := bufio.NewReaderSize(s, maxLine)
	for {
		head, err := readHead(r)
		if err != nil {
			if len(head) > 0 {
				malformed(&s.Peer, head)
			}
			return
		}
		if len(head) == 0 {
			continue
		}
		answer := v.answer(&s.Peer, head, "TCP")
		if request, err := Parse(head); err == nil {
			n, _ := strconv.Atoi(request.Header("content-length"))
			if n < 0 || n > maxBody {
				return
			}
			if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
				return
			}
		} else {
			return
		}
		if _, err := s.Write(answer); err != nil {
			return
		}
	}
}

func readHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := trap.ReadLine(r, maxLine)
		head = append(head, line...)
		if err != nil {
			return head, err
		}
		if len(line) == 0 {
			return bytes.TrimRight(head, "\r\n"), nil
		}
		if head = append(head, '\r', '\n'); len(head) > maxHead {
			return head, errMalformed
		}
	}
}

func malformed(p *trap.Peer, b []byte) {
	p.Record("malformed", trap.Field{Key: "data", Value: hex.EncodeToString(b[:min(len(b), 64)])})
}

// answer records a request and returns what is answered, nil for nothing.
func (v *server) answer(p *trap.Peer, head []byte, transport string) []byte {
	r, err := Parse(head)
	if err != nil {
		if !bytes.HasPrefix(head, []byte("SIP/2.0 ")) { // the answer to something
			malformed(p, head)
		}
		return nil
	}
	authorization := r.Header("authorization")
	if authorization == "" {
		authorization = r.Header("proxy-authorization")
	}
	digest := ParseDigest(authorization)
	user := digest["username"]
	if user == "" {
		user = userOf(r.Header("from"))
	}
	fields := []trap.Field{
		{Key: "method", Value: r.Method}, {Key: "uri", Value: r.URI}, {Key: "transport", Value: transport},
		{Key: "from_", Value: r.Header("from")}, {Key: "to", Value: r.Header("to")}, {Key: "username", Value: user},
		{Key: "auth", Value: authorization}, {Key: "user_agent", Value: r.Header("user-agent")},
	}
	if h := Hashcat(r.Method, digest, p.Host.Addr.String(), p.Remote.Addr().String()); h != "" {
		fields = append(fields, trap.Field{Key: "hashcat_mode", Value: "11400"}, trap.Field{Key: "hashcat", Value: h})
	}
	p.Record("request", fields...)
	if r.Header("via") == "" || r.Header("call-id") == "" || r.Header("cseq") == "" {
		return nil // it can't be answered
	}
	switch r.Method {
	case "ACK":
		return nil
	case "OPTIONS":
		return v.response(p, r, "200 OK", "Allow: OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, MESSAGE, INFO, REFER\r\nAccept: application/sdp\r\n")
	case "BYE", "CANCEL":
		return v.response(p, r, "481 Call/Transaction Does Not Exist", "")
	}
	return v.response(p, r, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"asterisk\",nonce=\""+
		strconv.FormatInt(p.Now().Unix(), 10)+"/"+random(16)+"\",opaque=\""+random(8)+"\",algorithm=md5,qop=\"auth\"\r\n")
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// response makes an answer with the headers that tell what it belongs to.
func (v *server) response(p *trap.Peer, r *Request, status, more string) []byte {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for i, h := range r.headers {
		if h[0] != "via" {
			continue
		}
		value := h[1]
		if i == first(r.headers, "via") {
			value = strings.ReplaceAll(value, ";rport", "") + ";rport=" + strconv.Itoa(int(p.Remote.Port())) + ";received=" + p.Remote.Addr().String()
		}
		b.WriteString("Via: " + value + "\r\n")
	}
	to := r.Header("to")
	if !strings.Contains(to, ";tag=") {
		to += ";tag=" + random(5)
	}
	b.WriteString("Call-ID: " + r.Header("call-id") + "\r\nFrom: " + r.Header("from") + "\r\nTo: " + to + "\r\nCSeq: " + r.Header("cseq") + "\r\n")
	b.WriteString(more + "Server: " + v.agent + "\r\nContent-Length:  0\r\n\r\n")
	return []byte(b.String())
}

func first(headers [][2]string, name string) int {
	for i, h := range headers {
		if h[0] == name {
			return i
		}
	}
	return -1
}

// userOf returns the user in an address such as "bob" <sip:100@host>.
func userOf(address string) string {
	_, rest, ok := strings.Cut(address, "sip:")
	user, _, at := strings.Cut(rest, "@")
	if !ok || !at {
		return ""
	}
	return user
}

// ParseDigest reads a header of digest authentication; names are in small
// letters. It is nil for what is none.
func ParseDigest(s string) map[string]string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	if !strings.EqualFold(scheme, "digest") {
		return nil
	}
	m := map[string]string{}
	for rest != "" && len(m) < 32 {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		var value string
		if strings.HasPrefix(after, `"`) {
			value, after, _ = strings.Cut(after[1:], `"`)
			_, rest, _ = strings.Cut(after, ",")
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		m[strings.ToLower(strings.Trim(name, " \t,"))] = strings.TrimSpace(value)
	}
	return m
}

// Hashcat returns a digest in the form of mode 11400, "" for what it can't take.
func Hashcat(method string, d map[string]string, server, client string) string {
	if d["response"] == "" || len(d["response"]) != 32 {
		return ""
	}
	scheme, rest, _ := strings.Cut(d["uri"], ":")
	resource, suffix, _ := strings.Cut(rest, ":")
	parts := []string{
		server, client, d["username"], d["realm"], method, scheme, resource, suffix,
		d["nonce"], d["cnonce"], d["nc"], d["qop"], "MD5", d["response"],
	}
	for _, p := range parts {
		if strings.Contains(p, "*") {
			return ""
		}
	}
	return "$sip$*" + strings.Join(parts, "*")
}
