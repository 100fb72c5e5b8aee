package kubernetes

import (
	"encoding/json"
	"net/url"
	"strings"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

// workload is the part of a pod, or of what makes pods, that says what would run.
// The specification of a pod lies at different depths.
type workload struct {
	Kind string
	Spec podSpec
}

type podSpec struct {
	Containers, InitContainers []podContainer
	HostNetwork, HostPID       bool
	Volumes                    []struct{ HostPath struct{ Path string } }
	// Template and JobTemplate are those of deployments, jobs and cron jobs.
	Template    *struct{ Spec podSpec }
	JobTemplate *struct{ Spec podSpec }
}

type podContainer struct {
	Name, Image     string
	Command, Args   []string
	SecurityContext struct{ Privileged bool }
}

// maxContainers bounds the events of one request.
const maxContainers = 20

// recordCommands records what a request would have executed.
func recordCommands(s *trap.Session, r *httptrap.Request) {
	if strings.HasSuffix(r.Path, "/exec") || strings.HasSuffix(r.Path, "/attach") || strings.HasPrefix(r.Path, "/run/") {
		if q, _ := url.ParseQuery(r.Query); len(q["command"])+len(q["cmd"]) > 0 {
			s.Record("command", trap.Field{Key: "command", Value: strings.Join(append(q["command"], q["cmd"]...), " ")},
				trap.Field{Key: "how", Value: "exec"}, trap.Field{Key: "container", Value: r.Path})
		}
		return
	}
	if r.Method != "POST" && r.Method != "PUT" && r.Method != "PATCH" {
		return
	}
	var w workload
	if json.Unmarshal(r.Body, &w) != nil {
		return
	}
	spec := &w.Spec
	for range 3 {
		switch {
		case spec.JobTemplate != nil:
			spec = &spec.JobTemplate.Spec
		case spec.Template != nil:
			spec = &spec.Template.Spec
		}
	}
	for i, c := range append(spec.InitContainers, spec.Containers...) {
		if i == maxContainers {
			break
		}
		s.Record("command", spec.fields(w.Kind, &c)...)
	}
}

func (p *podSpec) fields(kind string, c *podContainer) []trap.Field {
	all := []trap.Field{
		{Key: "command", Value: strings.Join(append(append([]string{}, c.Command...), c.Args...), " ")},
		{Key: "how", Value: "create " + kind}, {Key: "image", Value: c.Image}, {Key: "container", Value: c.Name},
	}
	var mounts []string
	for _, v := range p.Volumes {
		if v.HostPath.Path != "" {
			mounts = append(mounts, v.HostPath.Path)
		}
	}
	if len(mounts) > 0 {
		all = append(all, trap.Field{Key: "mounts", Value: strings.Join(mounts, ",")})
	}
	for key, set := range map[string]bool{"privileged": c.SecurityContext.Privileged, "host_network": p.HostNetwork, "host_pid": p.HostPID} {
		if set {
			all = append(all, trap.Field{Key: key, Value: "true"})
		}
	}
	return all
}
