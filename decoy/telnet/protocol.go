package telnet

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// Commands of RFC 854.
const (
	cmdSE, cmdSB, cmdWill, cmdWont, cmdDo, cmdDont, cmdIAC = 240, 250, 251, 252, 253, 254, 255
)

// Options.
const (
	optEcho, optSGA, optTerminal, optSize = 1, 3, 24, 31
)

// Bounds of a negotiation.
const (
	maxAnswers = 64
	maxSub     = 256
	maxNoted   = 32
)

// States of a decoder.
const (
	stateData = iota
	stateCR
	stateIAC
	stateOption
	stateSub
	stateSubIAC
)

// decoder takes the negotiation out of what a client sends. It is pure: what is
// to be answered gathers in answers.
type decoder struct {
	state   int
	verb    byte
	sub     []byte
	answers []byte
	replies int
	// asked are the options that were offered or asked for, which need no answer.
	asked map[byte]bool
	// noted is what the client negotiated, in its order.
	noted []string
	// terminal is the name that the client gave its own.
	terminal string
}

// decode returns the data in p.
func (d *decoder) decode(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for _, b := range p {
		switch d.state {
		case stateCR:
			d.state = stateData
			if b == 0 {
				continue
			}
			out = d.data(out, b)
		case stateData:
			out = d.data(out, b)
		case stateIAC:
			out = d.command(out, b)
		case stateOption:
			d.option(b)
			d.state = stateData
		case stateSub:
			if b == cmdIAC {
				d.state = stateSubIAC
			} else if len(d.sub) < maxSub {
				d.sub = append(d.sub, b)
			}
		case stateSubIAC:
			d.state = stateSub
			if b == cmdSE {
				d.subnegotiation()
				d.state = stateData
			} else if b == cmdIAC && len(d.sub) < maxSub {
				d.sub = append(d.sub, b)
			}
		}
	}
	return out
}

func (d *decoder) data(out []byte, b byte) []byte {
	switch b {
	case cmdIAC:
		d.state = stateIAC
		return out
	case '\r':
		d.state = stateCR
	}
	return append(out, b)
}

func (d *decoder) command(out []byte, b byte) []byte {
	d.state = stateData
	switch b {
	case cmdIAC:
		return append(out, b)
	case cmdSB:
		d.state, d.sub = stateSub, nil
	case cmdWill, cmdWont, cmdDo, cmdDont:
		d.state, d.verb = stateOption, b
	case 244: // interrupt process
		return append(out, 3)
	}
	return out
}

func (d *decoder) option(opt byte) {
	if len(d.noted) < maxNoted {
		d.noted = append(d.noted, [...]string{"WILL", "WONT", "DO", "DONT"}[d.verb-cmdWill]+" "+strconv.Itoa(int(opt)))
	}
	if d.asked[opt] {
		if opt == optTerminal && d.verb == cmdWill {
			d.answer(cmdIAC, cmdSB, optTerminal, 1, cmdIAC, cmdSE)
		}
		return
	}
	switch d.verb {
	case cmdWill:
		d.answer(cmdIAC, cmdDont, opt)
	case cmdDo:
		d.answer(cmdIAC, cmdWont, opt)
	}
}

func (d *decoder) answer(b ...byte) {
	if d.replies++; d.replies <= maxAnswers {
		d.answers = append(d.answers, b...)
	}
}

func (d *decoder) subnegotiation() {
	if len(d.sub) > 2 && d.sub[0] == optTerminal && d.sub[1] == 0 {
		d.terminal = string(d.sub[2:])
	}
	d.sub = nil
}

func (d *decoder) options() string { return strings.Join(d.noted, ",") }

// stream is a connection without its negotiation.
type stream struct {
	rw   io.ReadWriter
	d    *decoder
	rest []byte
	// changed is called after something was negotiated.
	changed func()
}

func (s *stream) Read(p []byte) (int, error) {
	var buf [1024]byte
	for len(s.rest) == 0 {
		n, err := s.rw.Read(buf[:])
		s.rest = s.d.decode(buf[:n])
		if len(s.d.answers) > 0 {
			if _, err := s.rw.Write(s.d.answers); err != nil {
				return 0, err
			}
			s.d.answers = nil
		}
		s.changed()
		if err != nil && len(s.rest) == 0 {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *stream) Write(p []byte) (int, error) {
	if bytes.IndexByte(p, cmdIAC) >= 0 {
		if _, err := s.rw.Write(bytes.ReplaceAll(p, []byte{cmdIAC}, []byte{cmdIAC, cmdIAC})); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return s.rw.Write(p)
}
