package mysql

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the protocol's
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"decnet/decoy/trap"
)

// What is said between client and server in caching_sha2_password.
const (
	moreData  = 1 // begins a packet of the server that goes on
	fullLogin = 4 // the server wants the password itself
	wantsKey  = 2 // the client wants the server's public key
)

// rsaKey is the key that the server made when it was installed.
func rsaKey(h *trap.Host) (*rsa.PrivateKey, error) {
	const bits = 2048
	der, err := h.Key("mysql_rsa", func() ([]byte, error) {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS1PrivateKey(key), nil
	})
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("the key that passwords are encrypted with: %w", err)
	}
	return key, nil
}

// proveSHA2 asks for the password itself, as a server does that has not seen the
// account since it was started.
func (v *visit) proveSHA2() (fields []trap.Field, there, using bool) {
	hashed := []trap.Field{
		{Key: "challenge", Value: hex.EncodeToString(v.challenge)},
		{Key: "response", Value: hex.EncodeToString(v.response)},
	}
	answer, ok := v.ask([]byte{moreData, fullLogin})
	if !ok {
		return hashed, false, true
	}
	if v.secure {
		return []trap.Field{{Key: "password", Value: text(answer)}}, true, true
	}
	if len(answer) == 1 && answer[0] == wantsKey {
		der, err := x509.MarshalPKIXPublicKey(&v.key.PublicKey)
		if err != nil {
			return hashed, true, true
		}
		public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		if answer, ok = v.ask(append([]byte{moreData}, public...)); !ok {
			return hashed, false, true
		}
	}
	password, ok := decrypt(v.key, answer, v.challenge)
	if !ok {
		return append(hashed, trap.Field{Key: "data", Value: hex.EncodeToString(answer[:min(len(answer), 64)])}), true, true
	}
	return []trap.Field{{Key: "password", Value: password}}, true, true
}

// decrypt returns the password that a client has laid under the challenge and
// encrypted.
func decrypt(key *rsa.PrivateKey, answer, challenge []byte) (string, bool) {
	plain, err := rsa.DecryptOAEP(sha1.New(), nil, key, answer, nil) //nolint:gosec // the protocol's
	if err != nil {
		return "", false
	}
	for i := range plain {
		plain[i] ^= challenge[i%len(challenge)]
	}
	password, _, ended := bytes.Cut(plain, []byte{0})
	return string(password), ended
}
