package ntlmtrap

import "decnet/decoy/ber"

func oidSPNEGO() []byte { return []byte{0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02} }

func oidNTLM() []byte {
	return []byte{0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a}
}

// Hello is the first token that a server sends, without being asked: that it
// speaks NTLM.
func Hello() []byte {
	// The hint is what both Windows and Samba send in this place.
	hints := ber.Wrap(0xa3, ber.Wrap(ber.Sequence, ber.Wrap(0xa0, ber.Text(0x1b, "not_defined_in_RFC4178@please_ignore"))))
	return ber.Wrap(0x60, oidSPNEGO(), ber.Wrap(0xa0, ber.Wrap(ber.Sequence,
		ber.Wrap(0xa0, ber.Wrap(ber.Sequence, oidNTLM())), hints)))
}

// WrapChallenge puts a challenge into SPNEGO.
func WrapChallenge(challenge []byte) []byte {
	return ber.Wrap(0xa1, ber.Wrap(ber.Sequence,
		ber.Wrap(0xa0, ber.Int(ber.Enumerated, 1)), // accept-incomplete
		ber.Wrap(0xa1, oidNTLM()), ber.Wrap(0xa2, ber.Wrap(ber.Octets, challenge))))
}

// AskNTLM answers a client that began with another mechanism: go on with NTLM.
func AskNTLM() []byte {
	return ber.Wrap(0xa1, ber.Wrap(ber.Sequence,
		ber.Wrap(0xa0, ber.Int(ber.Enumerated, 1)), ber.Wrap(0xa1, oidNTLM())))
}

// Accepted ends a login that was let in.
func Accepted() []byte {
	return ber.Wrap(0xa1, ber.Wrap(ber.Sequence, ber.Wrap(0xa0, ber.Int(ber.Enumerated, 0))))
}

// Wrapped says that a token is SPNEGO and not bare NTLM.
func Wrapped(token []byte) bool {
	return len(token) > 0 && (token[0] == 0x60 || token[0] == 0xa1)
}
