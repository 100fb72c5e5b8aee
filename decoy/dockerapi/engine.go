package dockerapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// system is what the machine below the daemon is.
func (d *daemon) system() (name, version, id, kernel string) {
	switch d.state.host.Distro {
	case "ubuntu22":
		return "Ubuntu 22.04.4 LTS", "22.04", "ubuntu", "5.15.0-105-generic"
	case "ubuntu20":
		return "Ubuntu 20.04.6 LTS", "20.04", "ubuntu", "5.4.0-182-generic"
	case "rocky9":
		return "Rocky Linux 9.3 (Blue Onyx)", "9.3", "rocky", "5.14.0-362.24.1.el9_3.x86_64"
	case "centos7":
		return "CentOS Linux 7 (Core)", "7", "centos", "3.10.0-1160.118.1.el7.x86_64"
	case "fedora":
		return "Fedora Linux 39 (Server Edition)", "39", "fedora", "6.8.9-200.fc39.x86_64"
	case "alpine":
		return "Alpine Linux v3.19", "3.19.1", "alpine", "6.6.31-0-lts"
	case "arch":
		return "Arch Linux", "", "arch", "6.9.1-arch1-1"
	case "kali":
		return "Kali GNU/Linux Rolling", "2024.1", "kali", "6.6.15-amd64"
	default:
		return "Debian GNU/Linux 12 (bookworm)", "12", "debian", "6.1.0-21-amd64"
	}
}

const commit, built = "311b9ff", "2023-10-26T09:08:01.000000000+00:00"

func (d *daemon) version() answer {
	_, _, _, kernel := d.system()
	component := func(name, version, commit string) fields {
		return fields{{"Name", name}, {"Version", version}, {"Details", fields{{"GitCommit", commit}}}}
	}
	return object(http.StatusOK, fields{
		{"Platform", fields{{"Name", "Docker Engine - Community"}}},
		{"Components", []any{
			fields{{"Name", "Engine"}, {"Version", engineVersion}, {"Details", fields{
				{"ApiVersion", apiVersion}, {"Arch", "amd64"}, {"BuildTime", built}, {"Experimental", "false"}, {"GitCommit", commit},
				{"GoVersion", "go1.20.10"}, {"KernelVersion", kernel}, {"MinAPIVersion", "1.12"}, {"Os", "linux"},
			}}},
			component("containerd", "1.6.24", "61f9fd88f79f081d64d6fa3bb1a0dc71ec870523"),
			component("runc", "1.1.9", "v1.1.9-0-gccaecfc"),
			component("docker-init", "0.19.0", "de40ad0"),
		}},
		{"Version", engineVersion}, {"ApiVersion", apiVersion}, {"MinAPIVersion", "1.12"}, {"GitCommit", commit}, {"GoVersion", "go1.20.10"},
		{"Os", "linux"}, {"Arch", "amd64"}, {"KernelVersion", kernel}, {"BuildTime", built},
	})
}

func (d *daemon) info(c *call) answer {
	name, version, _, kernel := d.system()
	all := d.state.all(c.now)
	running := 0
	for _, box := range all {
		if box.running {
			running++
		}
	}
	r := d.state.host.Rand("docker machine")
	cpus := []int{2, 4, 4, 8}[r.IntN(4)]
	memory := int64(cpus)*2<<30 - int64(r.IntN(1<<27))
	return object(http.StatusOK, fields{
		{"ID", d.state.id}, {"Containers", len(all)}, {"ContainersRunning", running}, {"ContainersPaused", 0}, {"ContainersStopped", len(all) - running},
		{"Images", len(d.state.images())}, {"Driver", "overlay2"},
		{"DriverStatus", [][]string{{"Backing Filesystem", "extfs"}, {"Supports d_type", "true"}, {"Using metacopy", "false"}, {"Native Overlay Diff", "true"}, {"userxattr", "false"}}},
		{"Plugins", fields{
			{"Volume", []string{"local"}}, {"Network", []string{"bridge", "host", "ipvlan", "macvlan", "null", "overlay"}}, {"Authorization", nil},
			{"Log", []string{"awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "logentries", "splunk", "syslog"}},
		}},
		{"MemoryLimit", true}, {"SwapLimit", true}, {"CpuCfsPeriod", true}, {"CpuCfsQuota", true}, {"CPUShares", true}, {"CPUSet", true}, {"PidsLimit", true},
		{"IPv4Forwarding", true}, {"BridgeNfIptables", true}, {"BridgeNfIp6tables", true}, {"Debug", false}, {"NFd", 30 + len(all)}, {"OomKillDisable", false},
		{"NGoroutines", 40 + len(all)}, {"SystemTime", c.now.UTC().Format(time.RFC3339Nano)}, {"LoggingDriver", "json-file"}, {"CgroupDriver", "systemd"},
		{"CgroupVersion", "2"}, {"NEventsListener", 0}, {"KernelVersion", kernel}, {"OperatingSystem", name}, {"OSVersion", version}, {"OSType", "linux"},
		{"Architecture", "x86_64"}, {"IndexServerAddress", "https://index.docker.io/v1/"},
		{"RegistryConfig", fields{
			{"AllowNondistributableArtifactsCIDRs", nil}, {"AllowNondistributableArtifactsHostnames", nil}, {"InsecureRegistryCIDRs", []string{"127.0.0.0/8"}},
			{"IndexConfigs", fields{{"docker.io", fields{{"Name", "docker.io"}, {"Mirrors", []any{}}, {"Secure", true}, {"Official", true}}}}}, {"Mirrors", nil},
		}},
		{"NCPU", cpus}, {"MemTotal", memory}, {"GenericResources", nil}, {"DockerRootDir", "/var/lib/docker"}, {"HttpProxy", ""}, {"HttpsProxy", ""}, {"NoProxy", ""},
		{"Name", d.state.host.Hostname}, {"Labels", []any{}}, {"ExperimentalBuild", false}, {"ServerVersion", engineVersion},
		{"Runtimes", fields{{"io.containerd.runc.v2", fields{{"path", "runc"}}}, {"runc", fields{{"path", "runc"}}}}}, {"DefaultRuntime", "runc"},
		{"Swarm", fields{{"NodeID", ""}, {"NodeAddr", ""}, {"LocalNodeState", "inactive"}, {"ControlAvailable", false}, {"Error", ""}, {"RemoteManagers", nil}}},
		{"LiveRestoreEnabled", false}, {"Isolation", ""}, {"InitBinary", "docker-init"},
		{"SecurityOptions", []string{"name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"}},
		{"Warnings", []string{"WARNING: API is accessible on http://0.0.0.0:2375 without encryption.\n         Access to the remote API is equivalent to root access on the host. Refer\n         to the 'Docker daemon attack surface' section in the documentation for\n         more information: https://docs.docker.com/go/attack-surface/"}},
	})
}

func (d *daemon) list(c *call) answer {
	boxes := []any{}
	all := c.query("all")
	for _, box := range d.state.all(c.now) {
		if !box.running && all != "1" && all != "true" {
			continue
		}
		state, status := "created", "Created"
		if box.running {
			state, status = "running", "Up "+ago(c.now.Sub(box.created))
		}
		boxes = append(boxes, fields{
			{"Id", box.id}, {"Names", []string{"/" + box.name}}, {"Image", box.image}, {"ImageID", "sha256:" + d.imageID(box.image)},
			{"Command", strings.Join(box.cmd, " ")}, {"Created", box.created.Unix()}, {"Ports", []any{}}, {"Labels", fields{}},
			{"State", state}, {"Status", status}, {"HostConfig", fields{{"NetworkMode", "default"}}},
			{"NetworkSettings", fields{{"Networks", fields{{"bridge", fields{{"Gateway", "172.17.0.1"}}}}}}}, {"Mounts", []any{}},
		})
	}
	return list(boxes...)
}

// ago is a time as people say it.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d seconds", int(max(d.Seconds(), 1)))
	case d < 2*time.Minute:
		return "About a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 2*time.Hour:
		return "About an hour"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	case d < 14*24*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	default:
		return fmt.Sprintf("%d weeks", int(d.Hours()/24/7))
	}
}

// imageID is the id of an image: the same on every machine.
func (d *daemon) imageID(name string) string {
	sum := sha256.Sum256([]byte(tagged(name)))
	return hex.EncodeToString(sum[:])
}

func (d *daemon) images(c *call) answer {
	images := []any{}
	for _, name := range d.state.images() {
		id := d.imageID(name)
		images = append(images, fields{
			{"Containers", -1}, {"Created", d.state.booted(c.now).AddDate(0, -2, 0).Unix()}, {"Id", "sha256:" + id}, {"Labels", nil}, {"ParentId", ""},
			{"RepoDigests", []string{strings.Split(name, ":")[0] + "@sha256:" + id}}, {"RepoTags", []string{name}},
			{"SharedSize", -1}, {"Size", 40000000 + len(name)*7654321}, {"VirtualSize", 40000000 + len(name)*7654321},
		})
	}
	return list(images...)
}

func (d *daemon) network() fields {
	return fields{
		{"Name", "bridge"}, {"Id", hex.EncodeToString(d.state.host.Derive("docker bridge", 32))}, {"Scope", "local"}, {"Driver", "bridge"}, {"EnableIPv6", false},
		{"IPAM", fields{{"Driver", "default"}, {"Options", nil}, {"Config", []any{fields{{"Subnet", "172.17.0.0/16"}, {"Gateway", "172.17.0.1"}}}}}},
		{"Internal", false}, {"Attachable", false}, {"Ingress", false},
	}
}

// pull answers who wants an image. Nothing is fetched.
func (d *daemon) pull(c *call) answer {
	name, tag := c.query("fromImage"), c.query("tag")
	if source := c.query("fromSrc"); source != "" {
		c.s.Record("file_download", trap.Field{Key: "url", Value: source}, trap.Field{Key: "filename", Value: c.query("repo")})
		return problem(http.StatusInternalServerError, "Get \""+source+"\": dial tcp: i/o timeout")
	}
	if name == "" {
		return problem(http.StatusBadRequest, "invalid reference format")
	}
	if tag != "" {
		name += ":" + tag
	}
	name = tagged(name)
	c.s.Record("file_download", trap.Field{Key: "url", Value: "docker://" + name}, trap.Field{Key: "image", Value: name})
	d.state.pull(name)
	repo, tag, _ := strings.Cut(name, ":")
	if !strings.Contains(repo, "/") {
		repo = "library/" + repo
	}
	layer := d.imageID("layer " + name)[:12]
	line := func(id, status string) string {
		b := object(0, fields{{"status", status}, {"progressDetail", fields{}}, {"id", id}}).body
		return strings.TrimSpace(string(b))
	}
	return streamed(
		strings.TrimSpace(string(object(0, fields{{"status", "Pulling from " + repo}, {"id", tag}}).body)),
		line(layer, "Pulling fs layer"), line(layer, "Download complete"), line(layer, "Pull complete"),
		strings.TrimSpace(string(object(0, fields{{"status", "Digest: sha256:" + d.imageID(name)}}).body)),
		strings.TrimSpace(string(object(0, fields{{"status", "Status: Downloaded newer image for " + name}}).body)),
	)
}

// image answers what is below /images/.
func (d *daemon) image(c *call, part []string) answer {
	name := strings.Join(part[:len(part)-1], "/")
	switch action := part[len(part)-1]; {
	case c.r.Method == "GET" && action == "json" && d.state.has(name):
		return object(http.StatusOK, fields{
			{"Id", "sha256:" + d.imageID(name)}, {"RepoTags", []string{tagged(name)}}, {"RepoDigests", []any{}}, {"Parent", ""},
			{"Created", d.state.booted(c.now).AddDate(0, -2, 0).Format(time.RFC3339Nano)}, {"DockerVersion", engineVersion}, {"Architecture", "amd64"}, {"Os", "linux"},
		})
	case c.r.Method == "POST" && action == "load":
		return streamed(`{"stream":"Loaded image ID: sha256:` + newID() + `\n"}`)
	case c.r.Method == "GET" && action == "search":
		return list()
	case c.r.Method == "DELETE":
		return object(http.StatusOK, []any{fields{{"Untagged", tagged(strings.Join(part, "/"))}}})
	default:
		return problem(http.StatusNotFound, "No such image: "+tagged(name))
	}
}
