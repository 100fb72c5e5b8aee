package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"decnet/fleet"
)

type fleetPlanCommand struct {
	File      string `arg:"" help:"INI file of the deployment (docs/fleet.md)."`
	Replace   bool   `help:"Plan as serve --decoys=FILE does: deckies that the file does not name are taken away."`
	DataDir   string `variable:"DECNET_DATA_DIR" default:"./data" help:"Directory of the state file."`
	StateFile string `variable:"DECNET_STATE_FILE" placeholder:"FILE" help:"The fleet's state file; decnet-state.json in the data directory when not given."`
}

// fleetPlan prints what a deployment would lead to. It needs no service.
func (p process) fleetPlan(ctx context.Context, c *fleetPlanCommand) error {
	content, err := readINI(c.File)
	if err != nil {
		return err
	}
	ini, err := fleet.ParseINIFile(content)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	state := c.StateFile
	if state == "" {
		state = filepath.Join(c.DataDir, "decnet-state.json")
	}
	options := fleet.Options{State: fleet.NewStateFile(state), Now: p.now}
	options.Network.Host = hostAddresses()
	plan, err := fleet.NewManager(options).Deploy(ctx, fleet.Deployment{INI: ini, Replace: c.Replace, DryRun: true})
	if err != nil {
		return fmt.Errorf("%s cannot be deployed: %w", c.File, err)
	}
	return p.writePlan(plan)
}

// writePlan prints a plan. What is drawn at random comes out differently when it
// is deployed.
func (p process) writePlan(plan fleet.Plan) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tADDRESS\tSERVICES\tARCHETYPE\tDISTRO\tHOST NAME\tSYSTEM")
	for _, d := range plan.Deckies {
		archetype := "-"
		if d.Archetype != nil {
			archetype = *d.Archetype
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(d.Name), d.IP, strings.Join(d.Services, ","), archetype, d.Distro, d.Hostname, d.NmapOS)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the plan: %w", err)
	}
	for _, name := range plan.Removed {
		_, _ = fmt.Fprintf(p.stdout, "taken away: %s\n", printable(name))
	}
	for _, sentence := range plan.Ignored {
		_, _ = fmt.Fprintf(p.stdout, "note: %s\n", printable(sentence))
	}
	return nil
}
