package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"decnet/decoy"
	"decnet/fleet"
	"decnet/fleet/docker"
)

// decoyCommand is what runs in a container of the Docker driver: one decky, on
// the addresses of the container.
type decoyCommand struct {
	Config string `required:"" placeholder:"FILE" help:"Description of the decky."`
	Dir    string `required:"" placeholder:"DIR" help:"Directory of its keys, its journal and its status."`
	logOptions
}

const (
	// reportEvery is how often the process in a container says how it is.
	reportEvery = 5 * time.Second
	// decoyGrace is how long the decoys of a container may take to end.
	decoyGrace = 2 * time.Second
	// maxDecky bounds the description of a decky, in bytes.
	maxDecky = 1 << 20
)

// decoy runs one decky until a signal.
func (p process) decoy(c *decoyCommand) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.runDecky(ctx, c) }()
	select {
	case err := <-done:
		return err
	case <-p.signals:
		cancel()
		return <-done
	}
}

func (p process) runDecky(ctx context.Context, c *decoyCommand) error {
	decky, err := readDecky(c.Config)
	if err != nil {
		return err
	}
	report := docker.Report{Config: filepath.Base(c.Config)}
	driver, err := decoy.New(decoy.Options{Dir: c.Dir, Now: p.now, Log: newLogger(c.logOptions, p.stderr), Makers: p.makers})
	if err == nil {
		err = driver.Apply(ctx, []fleet.Decky{decky})
	}
	if err != nil {
		report.Error, report.At = err.Error(), p.now()
		var at *fleet.DeckyError
		if errors.As(err, &at) {
			report.Error, report.Service = at.Err.Error(), at.Service
		}
		return errors.Join(err, docker.WriteReport(c.Dir, report))
	}
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		report.Listeners, report.At = driver.Status(), p.now()
		err := docker.WriteReport(c.Dir, report)
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), decoyGrace)
			defer cancel()
			return errors.Join(err, driver.Close(last))
		case <-tick.C: // a full disk may have room again
		}
	}
}

func readDecky(path string) (fleet.Decky, error) {
	var d fleet.Decky
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return d, fmt.Errorf("the description of the decky: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if err := json.NewDecoder(io.LimitReader(file, maxDecky)).Decode(&d); err != nil {
		return d, fmt.Errorf("the description of the decky %s: %w", path, err)
	}
	return d, nil
}
