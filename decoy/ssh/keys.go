package ssh

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"

	"decnet/decoy/trap"
)

// hostKeys returns the keys of a machine in the order in which OpenSSH offers
// them, and their public halves as it announces them after a login.
func hostKeys(h *trap.Host) (signers []ssh.Signer, public []ssh.PublicKey, err error) {
	for _, k := range [...]struct {
		name   string
		create func() (crypto.PrivateKey, error)
	}{
		{"ssh_rsa", func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 3072) }},
		{"ssh_ecdsa", func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
		{"ssh_ed25519", func() (crypto.PrivateKey, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			return key, err
		}},
	} {
		b, err := h.Key(k.name, func() ([]byte, error) {
			key, err := k.create()
			if err != nil {
				return nil, fmt.Errorf("generate: %w", err)
			}
			block, err := ssh.MarshalPrivateKey(key, "")
			if err != nil {
				return nil, fmt.Errorf("encode: %w", err)
			}
			return pem.EncodeToMemory(block), nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("host key: %w", err)
		}
		signer, err := ssh.ParsePrivateKey(b)
		if err != nil {
			return nil, nil, fmt.Errorf("host key %s: %w", k.name, err)
		}
		public = append(public, signer.PublicKey())
		if signer.PublicKey().Type() == ssh.KeyAlgoRSA {
			// The library would offer SHA-256 first, which OpenSSH does not.
			for _, algorithm := range [...]string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256} {
				signers = append(signers, oneAlgorithm{signer, algorithm})
			}
			continue
		}
		signers = append(signers, oneAlgorithm{signer, signer.PublicKey().Type()})
	}
	return signers, public, nil
}

// oneAlgorithm is a key that is offered for one kind of signature only.
type oneAlgorithm struct {
	ssh.Signer
	algorithm string
}

func (o oneAlgorithm) PublicKey() ssh.PublicKey { return namedKey{o.Signer.PublicKey(), o.algorithm} }

func (o oneAlgorithm) Sign(random io.Reader, data []byte) (*ssh.Signature, error) {
	signer, ok := o.Signer.(ssh.AlgorithmSigner)
	if !ok {
		return o.Signer.Sign(random, data)
	}
	return signer.SignWithAlgorithm(random, data, o.algorithm)
}

// namedKey is a public key whose type is that of the signature.
type namedKey struct {
	ssh.PublicKey
	algorithm string
}

func (n namedKey) Type() string { return n.algorithm }
