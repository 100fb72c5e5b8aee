package tlstrap

import (
	"crypto/md5" //nolint:gosec // JA3 is defined with it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// JA3 returns the fingerprint of that name: 32 hexadecimal digits.
func (h *Hello) JA3() string {
	sum := md5.Sum([]byte(h.ja3Text())) //nolint:gosec // JA3 is defined with it
	return hex.EncodeToString(sum[:])
}

func (h *Hello) ja3Text() string {
	formats := make([]uint16, len(h.PointFormats))
	for i, f := range h.PointFormats {
		formats[i] = uint16(f)
	}
	return strings.Join([]string{
		strconv.Itoa(int(h.Version)), dashed(h.Ciphers), dashed(h.Extensions), dashed(h.Groups), dashed(formats),
	}, ",")
}

// dashed writes numbers as JA3 does: decimal, with dashes between them.
func dashed(list []uint16) string {
	text := make([]string, len(list))
	for i, v := range list {
		text[i] = strconv.Itoa(int(v))
	}
	return strings.Join(text, "-")
}

// JA4 returns the fingerprint of that name, such as
// t13d1516h2_8daaf6152771_e5627efa2ab1.
func (h *Hello) JA4() string {
	ciphers := slices.Clone(h.Ciphers)
	slices.Sort(ciphers)
	return h.ja4Begin() + "_" + short(hexadecimal(ciphers)) + "_" + short(h.ja4Extensions())
}

func (h *Hello) ja4Begin() string {
	name := "i"
	if h.HasSNI {
		name = "d"
	}
	return fmt.Sprintf("t%s%s%02d%02d%s", ja4Version(h.Highest()), name,
		min(len(h.Ciphers), 99), min(len(h.Extensions), 99), h.ja4ALPN())
}

func ja4Version(v uint16) string {
	switch v {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	default:
		return "00"
	}
}

// ja4ALPN is the first and the last character of the first protocol, or of its
// hexadecimal form where one of them is neither a letter nor a digit.
func (h *Hello) ja4ALPN() string {
	if len(h.ALPN) == 0 || h.ALPN[0] == "" {
		return "00"
	}
	p := h.ALPN[0]
	if !alphanumeric(p[0]) || !alphanumeric(p[len(p)-1]) {
		p = hex.EncodeToString([]byte(p))
	}
	return string([]byte{p[0], p[len(p)-1]})
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// ja4Extensions is the sorted list of extensions but those that say where the
// client goes, and the signature algorithms in the order of the client.
func (h *Hello) ja4Extensions() string {
	var extensions []uint16
	for _, e := range h.Extensions {
		if e != extServerName && e != extALPN {
			extensions = append(extensions, e)
		}
	}
	slices.Sort(extensions)
	text := hexadecimal(extensions)
	if len(h.SignatureAlgorithms) > 0 && text != "" {
		text += "_" + hexadecimal(h.SignatureAlgorithms)
	}
	return text
}

func hexadecimal(list []uint16) string {
	text := make([]string, len(list))
	for i, v := range list {
		text[i] = fmt.Sprintf("%04x", v)
	}
	return strings.Join(text, ",")
}

// short is the first 12 digits of a hash; of nothing it is zeros.
func short(s string) string {
	if s == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// versionName is what events call a version.
func versionName(v uint16) string {
	switch v {
	case 0x0304:
		return "TLS 1.3"
	case 0x0303:
		return "TLS 1.2"
	case 0x0302:
		return "TLS 1.1"
	case 0x0301:
		return "TLS 1.0"
	case 0x0300:
		return "SSL 3.0"
	default:
		return fmt.Sprintf("0x%04x", v)
	}
}
