package dockerapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"decnet/decoy/httptrap"
	"decnet/decoy/trap"
)

// words is a command that is either a string or a list of them.
type words []string

// UnmarshalJSON implements [json.Unmarshaler].
func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		if one != "" {
			*w = words{one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w)) //nolint:wrapcheck // the caller only asks whether it is JSON
}

// wish is what a request for a container or a command asks for.
type wish struct {
	Image                   string
	Cmd, Entrypoint         words
	Env                     []string
	User                    string
	Privileged, Tty, Detach bool
	HostConfig              struct {
		Binds                         []string
		Privileged                    bool
		NetworkMode, PidMode, IpcMode string
		CapAdd                        []string
		Mounts                        []struct{ Type, Source, Target string }
	}
}

// shell writes a command as one line, with quotes where they are needed.
func shell(command []string) string {
	quoted := make([]string, len(command))
	for i, w := range command {
		quoted[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`;&|<>()*?#~") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// record records what would have been executed.
func (w *wish) record(s *trap.Session, how, image, container string) {
	command := append(append([]string{}, w.Entrypoint...), w.Cmd...)
	all := []trap.Field{{Key: "command", Value: shell(command)}, {Key: "how", Value: how}, {Key: "image", Value: image}}
	add := func(key, value string) {
		if value != "" {
			all = append(all, trap.Field{Key: key, Value: value})
		}
	}
	add("container", container)
	mounts := append([]string{}, w.HostConfig.Binds...)
	for _, m := range w.HostConfig.Mounts {
		mounts = append(mounts, m.Source+":"+m.Target)
	}
	add("mounts", strings.Join(mounts, ","))
	add("env", strings.Join(w.Env, " "))
	add("user", w.User)
	add("network", w.HostConfig.NetworkMode)
	add("pid", w.HostConfig.PidMode)
	add("cap_add", strings.Join(w.HostConfig.CapAdd, ","))
	if w.Privileged || w.HostConfig.Privileged {
		add("privileged", "true")
	}
	s.Record("command", all...)
}

// container answers what is below /containers/.
func (d *daemon) container(c *call, part []string) answer {
	if part[0] == "create" && c.r.Method == "POST" {
		return d.create(c)
	}
	if part[0] == "prune" {
		return object(http.StatusOK, fields{{"ContainersDeleted", nil}, {"SpaceReclaimed", 0}})
	}
	box, ok := d.state.find(part[0], c.now)
	if !ok {
		return problem(http.StatusNotFound, "No such container: "+part[0])
	}
	action := strings.Join(part[1:], "/")
	switch c.r.Method + " " + action {
	case "GET json":
		return d.inspect(box)
	case "DELETE ":
		d.state.change(box.id, nil)
		return answer{status: http.StatusNoContent}
	case "POST start", "POST restart", "POST unpause":
		d.state.change(box.id, func(b *container) { b.running = true })
		return answer{status: http.StatusNoContent}
	case "POST stop", "POST kill", "POST pause":
		d.state.change(box.id, func(b *container) { b.running = false })
		return answer{status: http.StatusNoContent}
	case "POST wait":
		return object(http.StatusOK, fields{{"StatusCode", 0}})
	case "GET logs":
		return answer{status: http.StatusOK, kind: "application/vnd.docker.raw-stream"}
	case "GET top":
		return object(http.StatusOK, fields{
			{"Processes", [][]string{{"root", "1843", "1822", "0", "Mar02", "?", "00:00:12", shell(box.cmd)}}},
			{"Titles", []string{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"}},
		})
	case "PUT archive":
		return answer{status: http.StatusOK}
	case "POST attach":
		return c.hijack()
	case "POST exec":
		var w wish
		if json.Unmarshal(c.r.Body, &w) != nil {
			return problem(http.StatusBadRequest, "invalid JSON: unexpected EOF")
		}
		if len(w.Cmd) == 0 {
			return problem(http.StatusBadRequest, "No exec command specified")
		}
		w.record(c.s, "exec", box.image, box.name)
		return object(http.StatusCreated, fields{{"Id", d.state.prepare(box.id)}})
	default:
		return problem(http.StatusNotFound, "page not found")
	}
}

// create answers who wants a new container.
func (d *daemon) create(c *call) answer {
	var w wish
	if json.Unmarshal(c.r.Body, &w) != nil {
		return problem(http.StatusBadRequest, "invalid JSON: unexpected EOF")
	}
	if w.Image == "" && len(w.Cmd) == 0 {
		return problem(http.StatusBadRequest, "config cannot be empty in order to create a container")
	}
	w.record(c.s, "create", w.Image, c.query("name"))
	if !d.state.has(w.Image) {
		return problem(http.StatusNotFound, "No such image: "+tagged(w.Image))
	}
	box := container{
		id: newID(), name: c.query("name"), image: w.Image, created: c.now,
		cmd: append(append([]string{}, w.Entrypoint...), w.Cmd...),
	}
	if box.name == "" {
		box.name = "quirky_" + box.id[:6]
	}
	if _, taken := d.state.find(box.name, c.now); taken {
		return problem(http.StatusConflict, fmt.Sprintf("Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+box.name, box.id))
	}
	d.state.add(box)
	return object(http.StatusCreated, fields{{"Id", box.id}, {"Warnings", []any{}}})
}

// query returns a value of the target.
func (c *call) query(name string) string {
	values, err := url.ParseQuery(c.r.Query)
	if err != nil && values == nil {
		return ""
	}
	return values.Get(name)
}

// exec answers what is below /exec/.
func (d *daemon) exec(c *call, id, action string) answer {
	box, ok := d.state.prepared(id)
	if !ok {
		return problem(http.StatusNotFound, "No such exec instance: "+id)
	}
	switch c.r.Method + " " + action {
	case "POST start":
		var w wish
		_ = json.Unmarshal(c.r.Body, &w) // as dockerd: an empty body will do
		if w.Detach {
			return answer{status: http.StatusOK, kind: "application/vnd.docker.raw-stream"}
		}
		return c.hijack()
	case "GET json":
		return object(http.StatusOK, fields{
			{"ID", id}, {"Running", false}, {"ExitCode", 0}, {"OpenStdin", false}, {"OpenStderr", true}, {"OpenStdout", true},
			{"CanRemove", false}, {"ContainerID", box}, {"DetachKeys", ""}, {"Pid", 0},
		})
	case "POST resize":
		return answer{status: http.StatusOK}
	default:
		return problem(http.StatusNotFound, "page not found")
	}
}

// hijack ends HTTP as the daemon does when a terminal is attached. Whatever was
// run has nothing to say.
func (c *call) hijack() answer {
	kind := httptrap.Header{Name: "Content-Type", Value: "application/vnd.docker.raw-stream"}
	if c.r.Has("Upgrade") {
		return answer{raw: true, status: http.StatusSwitchingProtocols, reason: "UPGRADED", headers: []httptrap.Header{
			kind, {Name: "Connection", Value: "Upgrade"}, {Name: "Upgrade", Value: "tcp"},
		}}
	}
	return answer{raw: true, status: http.StatusOK, reason: "OK", headers: []httptrap.Header{kind}}
}

func (d *daemon) inspect(box container) answer {
	path, args := "", []string{}
	if len(box.cmd) > 0 {
		path, args = box.cmd[0], box.cmd[1:]
	}
	status, started := "created", "0001-01-01T00:00:00Z"
	if box.running {
		status, started = "running", box.created.Add(time.Second).Format(time.RFC3339Nano)
	}
	return object(http.StatusOK, fields{
		{"Id", box.id}, {"Created", box.created.Format(time.RFC3339Nano)}, {"Path", path}, {"Args", args},
		{"State", fields{
			{"Status", status}, {"Running", box.running}, {"Paused", false}, {"Restarting", false}, {"OOMKilled", false}, {"Dead", false},
			{"Pid", 0}, {"ExitCode", 0}, {"Error", ""}, {"StartedAt", started}, {"FinishedAt", "0001-01-01T00:00:00Z"},
		}},
		{"Image", "sha256:" + d.imageID(box.image)}, {"Name", "/" + box.name}, {"RestartCount", 0}, {"Driver", "overlay2"},
		{"Platform", "linux"}, {"MountLabel", ""}, {"ProcessLabel", ""}, {"AppArmorProfile", "docker-default"}, {"ExecIDs", nil},
		{"HostConfig", fields{{"NetworkMode", "default"}, {"Privileged", false}}},
		{"Mounts", []any{}},
		{"Config", fields{{"Hostname", box.id[:12]}, {"Tty", false}, {"Cmd", box.cmd}, {"Image", box.image}}},
		{"NetworkSettings", fields{{"IPAddress", "172.17.0.2"}, {"Gateway", "172.17.0.1"}}},
	})
}
