package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"decnet/ingest"
	"decnet/repo"
)

// lineOptions say how lines are understood, for every command that reads some.
type lineOptions struct {
	IngestFormat string   `variable:"DECNET_INGEST_FORMAT" placeholder:"FORMAT" help:"Format of all lines, instead of recognising it by the first one; docs/formats.md lists them. For one path alone write PATH=FORMAT."`
	Mapping      []string `sep:"none" placeholder:"FILE" help:"File that describes a further format (docs/formats.md); may be repeated."`
	Ignore       []string `sep:"none" placeholder:"RULE" help:"Events to count and not to store, such as 10.0.0.0/8 or cidr=192.0.2.7,port=22,service=ssh,event=connect,decky=web-1, of which all must hold; may be repeated."`
}

func (o *lineOptions) validate(bad *faults) {
	for _, text := range o.Ignore {
		_, err := ingest.ParseIgnoreRule(text)
		bad.check(err == nil, "--ignore: %v.", err)
	}
	for _, path := range o.Mapping {
		bad.check(path != "", "--mapping needs the name of a file.")
	}
}

// maxMapping bounds a mapping file.
const maxMapping = 1 << 20

// apply reads the mappings and sets what the options say of lines.
func (o *lineOptions) apply(to *ingest.Options) error {
	for _, path := range o.Mapping {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("--mapping: %w", err)
		}
		if !info.Mode().IsRegular() || info.Size() > maxMapping {
			return fmt.Errorf("--mapping: %s is not a small regular file", path)
		}
		data, err := os.ReadFile(filepath.Clean(path))
		if err != nil {
			return fmt.Errorf("--mapping: %w", err)
		}
		f, err := ingest.LoadMapping(data)
		if err != nil {
			return fmt.Errorf("--mapping: %s: %w", path, err)
		}
		to.Formats = append(to.Formats, f)
	}
	for _, text := range o.Ignore {
		rule, err := ingest.ParseIgnoreRule(text)
		if err != nil {
			return fmt.Errorf("--ignore: %w", err)
		}
		to.Ignore = append(to.Ignore, rule)
	}
	names := formatNames(to.Formats)
	if o.IngestFormat != "" && !slices.Contains(names, o.IngestFormat) {
		return fmt.Errorf("--ingest-format (DECNET_INGEST_FORMAT): there is no format %q; there are %s", o.IngestFormat, strings.Join(names, ", "))
	}
	return nil
}

func formatNames(extra []ingest.Format) []string {
	var names []string
	for _, f := range slices.Concat(extra, ingest.Formats()) {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// addSources reads PATH and PATH=FORMAT. What is behind the last = is a format
// only if it is the name of one, so that file names with = need no quoting; a
// name that ends like that is written with one more = at its end.
func (o *lineOptions) addSources(to *ingest.Options, paths []string, follow bool) error {
	names := formatNames(to.Formats)
	for _, text := range paths {
		src := ingest.Source{Path: text, Format: o.IngestFormat, Follow: follow}
		if i := strings.LastIndexByte(text, '='); i > 0 {
			path, format := text[:i], text[i+1:]
			switch {
			case format == "":
				src.Path = path
			case slices.Contains(names, format):
				src.Path, src.Format = path, format
			case missing(text) && !missing(path):
				return fmt.Errorf("%s: there is no format %q; there are %s", path, format, strings.Join(names, ", "))
			}
		}
		to.Sources = append(to.Sources, src)
	}
	return nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func (a *app) buildIngester(context.Context) error {
	options := ingest.Options{
		Sink:         &publishingSink{Store: a.store, publish: func(rows []repo.Log) { a.server.Publish(rows) }, logins: func(events []repo.Event) { noteLogins(a.fleet, events) }},
		Stdin:        a.stdin,
		AcceptPushes: true,
		Syslog:       ingest.SyslogOptions{Listener: a.syslog, MaxConnections: a.config.SyslogMaxConnections},
		BatchSize:    a.config.BatchSize,
		BatchWait:    time.Duration(a.config.BatchMaxWaitMS) * time.Millisecond,
		StopGrace:    ingestGrace,
		Now:          a.now,
		Log:          a.log,
	}
	err := a.config.apply(&options)
	if err == nil {
		err = a.config.addSources(&options, a.config.sources(), !a.config.NoFollow)
	}
	if err != nil {
		return err
	}
	if a.driver != nil {
		options.Sources = append(options.Sources, a.driver.journal)
	}
	a.ingester, err = ingest.New(options)
	return err
}

// listenSyslog takes the port of the syslog receiver, if there is to be one.
func (a *app) listenSyslog(ctx context.Context) error {
	address := a.config.Syslog
	if address == "" {
		return nil
	}
	var config *tls.Config
	if a.config.SyslogTLSCert != "" {
		pair, err := newCertificate(a.config.SyslogTLSCert, a.config.SyslogTLSKey, a.log)
		if err != nil {
			return fmt.Errorf("--syslog-tls-cert and --syslog-tls-key: %w", err)
		}
		config = &tls.Config{GetCertificate: pair.get, MinVersion: tls.VersionTLS12}
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: stop that, or choose another address with --syslog (DECNET_SYSLOG)", address)
	}
	if err != nil {
		return fmt.Errorf("listen for syslog on %s: %w", address, err)
	}
	a.syslog = listener
	if config != nil {
		a.syslog = tls.NewListener(listener, config)
	} else if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		a.log.Warn("taking syslog beyond this machine without TLS: anybody who reaches the port can make up events", slog.String("address", listener.Addr().String()))
	}
	a.log.Info("taking syslog over TCP", slog.String("address", listener.Addr().String()), slog.Bool("tls", config != nil))
	a.add("syslog listener", func(context.Context) error {
		if err := a.syslog.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}
