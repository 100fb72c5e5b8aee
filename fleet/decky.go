// Package fleet knows the decoys that should run, and sees to it that they do.
//
// It reads deployment files ([ParseINIFile]), plans a fleet from one ([NewPlan]),
// and owns the fleet ([Manager]): a change is either run by the [Driver] and kept
// in the state file, or nothing changed. The state file is shared with other
// tools. What imitates the services is the driver's; this package imports no
// other of ours.
package fleet

import "encoding/json"

// Decky is one decoy, in the wire form of the state file and of GET /deckies.
type Decky struct {
	Name          string                                `json:"name"`
	IP            string                                `json:"ip"`
	Services      []string                              `json:"services"`
	Distro        string                                `json:"distro"`
	BaseImage     string                                `json:"base_image"`
	BuildBase     string                                `json:"build_base"`
	Hostname      string                                `json:"hostname"`
	Archetype     *string                               `json:"archetype"`
	ServiceConfig map[string]map[string]json.RawMessage `json:"service_config"`
	NmapOS        string                                `json:"nmap_os"`
	// MutateInterval is in minutes; null means the fleet's own interval.
	MutateInterval *int64 `json:"mutate_interval"`
	// LastMutated and LastLoginAttempt are Unix seconds, 0 for never.
	LastMutated      float64 `json:"last_mutated"`
	LastLoginAttempt float64 `json:"last_login_attempt"`
}
