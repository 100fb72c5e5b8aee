package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
)

// certificate is a pair of PEM files that are read anew when one of them has
// changed, so that a renewed certificate needs no restart. It is safe for
// concurrent use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	// files is what the system told of the files before they were read.
	files [2]os.FileInfo
	// failure is the last reason for not taking new files, told once.
	failure string
}

// unchanged reports whether both tell of the same content of the same file.
func unchanged(a, b os.FileInfo) bool {
	return a != nil && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && os.SameFile(a, b)
}

// newCertificate reads the files for the first time.
func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	_, err := c.load()
	return c, err
}

// load reads the files if they are not those that were read before.
func (c *certificate) load() (changed bool, err error) {
	var files [2]os.FileInfo
	for i, path := range []string{c.certFile, c.keyFile} {
		if files[i], err = os.Stat(path); err != nil {
			return false, err
		}
	}
	if unchanged(c.files[0], files[0]) && unchanged(c.files[1], files[1]) {
		return false, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return false, err
	}
	c.pair, c.files = &pair, files
	return true, nil
}

// get is for [tls.Config.GetCertificate]. While new files can't be used, as when
// only one of them is written yet, it goes on with the old ones.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed, err := c.load()
	switch {
	case err != nil && err.Error() != c.failure:
		c.failure = err.Error()
		c.log.Warn("the new certificate can't be used; going on with the old one", slog.String("file", c.certFile), slog.Any("error", err))
	case err == nil:
		c.failure = ""
	}
	if changed {
		c.log.Info("took the new certificate", slog.String("file", c.certFile))
	}
	return c.pair, nil
}
