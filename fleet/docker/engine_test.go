package docker_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"decnet/fleet"
	"decnet/fleet/docker"
)

// engine imitates a Docker engine: the calls of the driver, in memory, with the
// answers and refusals that Docker 20.10 gives. Containers "run" by writing the
// report that the process inside would write.
type engine struct {
	address string
	// dir is where the driver keeps its deckies.
	dir     string
	version string

	mu         sync.Mutex
	failing    string
	status     int // of the failure
	counts     map[string]int
	images     map[string]map[string]string
	nets       map[string]netSpec
	containers map[string]*box
	next       int
}

// box is a container.
type box struct {
	id, name, state string
	spec            boxSpec
}

type boxSpec struct {
	Image, User, Hostname, MacAddress string
	Cmd                               []string
	Labels                            map[string]string
	HostConfig                        struct {
		Binds, CapDrop, SecurityOpt []string
		NetworkMode                 string
		ReadonlyRootfs              bool
		Sysctls                     map[string]string
		Memory, PidsLimit           int64
		RestartPolicy               struct{ Name string }
		LogConfig                   struct {
			Type   string
			Config map[string]string
		}
	}
	NetworkingConfig struct {
		EndpointsConfig map[string]struct {
			IPAMConfig struct{ IPv4Address string }
			MacAddress string
		}
	}
}

type netSpec struct {
	ID, Name, Driver string
	Options, Labels  map[string]string
	IPAM             struct {
		Config []struct{ Subnet, Gateway string }
	}
}

// newEngine starts an engine that speaks a version of the API.
func newEngine(t *testing.T, version string) *engine {
	t.Helper()
	e := &engine{
		version: version, counts: map[string]int{}, images: map[string]map[string]string{},
		nets: map[string]netSpec{}, containers: map[string]*box{},
	}
	e.address = "unix://" + listen(t, http.HandlerFunc(e.serve))
	return e
}

// listen serves on a socket whose path is short enough for one.
func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "e.sock")
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "unix", path)
	require.NoError(t, err)
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with the test
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return path
}

// fail makes a call fail until it is told otherwise: a method and a path without
// ids and, for those of a container, its decky.
func (e *engine) fail(call string) { e.failWith(call, http.StatusInternalServerError) }

func (e *engine) failWith(call string, status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failing, e.status = call, status
}

// forget loses what an operator removed by hand.
func (e *engine) forget(containers, networks bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if containers {
		clear(e.containers)
	}
	if networks {
		clear(e.nets)
	}
}

// boxes is how many containers there are, whatever they do.
func (e *engine) boxes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.containers)
}

func (e *engine) calls(call string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts[call]
}

// running are the deckies whose containers run, in order.
func (e *engine) running() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := []string{}
	for _, c := range e.containers {
		if c.state == "running" {
			names = append(names, c.spec.Labels["decnet.decky"])
		}
	}
	return sorted(names)
}

func (e *engine) container(decky string) box {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.spec.Labels["decnet.decky"] == decky {
			return *c
		}
	}
	return box{}
}

func (e *engine) set(decky, state string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		if c.spec.Labels["decnet.decky"] == decky {
			c.state = state
		}
	}
}

func (e *engine) network(name string) netSpec {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nets[name]
}

func (e *engine) networks() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := []string{}
	for name := range e.nets {
		names = append(names, name)
	}
	return names
}

func (e *engine) image(name string) map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.images[name]
}

// add adds a container of somebody else that runs.
func (e *engine) add(name string, labels map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[name] = &box{id: name, name: name, state: "running", spec: boxSpec{Labels: labels}}
}

func (e *engine) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Api-Version", e.version)
	if r.URL.Path == "/_ping" {
		_, _ = io.WriteString(w, "OK")
		return
	}
	if want := map[bool]string{true: "application/x-tar", false: "application/json"}[strings.HasSuffix(r.URL.Path, "/images/create")]; r.ContentLength != 0 && r.Header.Get("Content-Type") != want {
		refuse(w, http.StatusBadRequest, "unsupported Content-Type header")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v"+e.version)
	if !ok {
		refuse(w, http.StatusBadRequest, "client version is not supported")
		return
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	e.route(w, r, parts)
}

// refuse answers as the engine does.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// fails counts a call, and refuses it if it shall fail.
func (e *engine) fails(w http.ResponseWriter, call string) bool {
	e.counts[call]++
	if e.failing == "" || e.failing != call {
		return false
	}
	refuse(w, e.status, "it does not want to")
	return true
}

func (e *engine) route(w http.ResponseWriter, r *http.Request, parts []string) {
	call := r.Method + " /" + parts[0]
	switch {
	case parts[0] == "images" && parts[1] == "create":
		e.importImage(w, r)
	case parts[0] == "images":
		if e.images[parts[1]] == nil {
			refuse(w, http.StatusNotFound, "No such image: "+parts[1])
			return
		}
		answer(w, http.StatusOK, map[string]string{})
	case parts[0] == "networks" && len(parts) == 1:
		if !e.fails(w, call) {
			answer(w, http.StatusOK, e.listNetworks(r))
		}
	case call == "POST /networks":
		e.createNetwork(w, r)
	case call == "DELETE /networks":
		delete(e.nets, parts[1])
		w.WriteHeader(http.StatusNoContent)
	case call == "GET /containers" && parts[1] == "json":
		if !e.fails(w, call+"/json") {
			answer(w, http.StatusOK, e.listContainers(r))
		}
	case call == "POST /containers" && parts[1] == "create":
		e.createContainer(w, r)
	case parts[0] == "containers":
		e.containerCall(w, r, parts)
	default:
		refuse(w, http.StatusNotFound, errUnknown.Error())
	}
}

// labelled returns the labels that a filter demands.
func labelled(r *http.Request) map[string]string {
	var filters struct{ Label []string }
	_ = json.Unmarshal([]byte(r.URL.Query().Get("filters")), &filters)
	labels := map[string]string{}
	for _, l := range filters.Label {
		key, value, _ := strings.Cut(l, "=")
		labels[key] = value
	}
	return labels
}

func has(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func (e *engine) importImage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if e.fails(w, "POST /images/create") || query.Get("fromSrc") != "-" {
		return
	}
	files := map[string]string{}
	for archive := tar.NewReader(r.Body); ; {
		header, err := archive.Next()
		if err != nil {
			break
		}
		content, _ := io.ReadAll(archive)
		files[header.Name] = string(content)
	}
	if e.failing == "the image" { // which shows only in the stream
		answer(w, http.StatusOK, map[string]string{"status": "sha256:1"})
		_, _ = io.WriteString(w, `{"error":"no space left on device"}`)
		return
	}
	e.images[query.Get("repo")+":"+query.Get("tag")] = files
	answer(w, http.StatusOK, map[string]string{"status": "sha256:1"})
}

func (e *engine) listNetworks(r *http.Request) []map[string]string {
	all := []map[string]string{}
	for name, n := range e.nets {
		if has(n.Labels, labelled(r)) {
			all = append(all, map[string]string{"Id": name, "Name": name})
		}
	}
	return all
}

func (e *engine) createNetwork(w http.ResponseWriter, r *http.Request) {
	if e.fails(w, "POST /networks/create") {
		return
	}
	var n netSpec
	if err := json.Unmarshal([]byte(read(r)), &n); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	for _, other := range e.nets {
		if other.IPAM.Config[0].Subnet == n.IPAM.Config[0].Subnet {
			refuse(w, http.StatusForbidden, "Pool overlaps with other one on this address space")
			return
		}
	}
	e.nets[n.Name] = n
	answer(w, http.StatusCreated, map[string]string{"Id": n.Name})
}

func (e *engine) listContainers(r *http.Request) []map[string]any {
	all := []map[string]any{}
	for _, c := range e.containers {
		if has(c.spec.Labels, labelled(r)) {
			all = append(all, map[string]any{"Id": c.id, "Labels": c.spec.Labels, "State": c.state})
		}
	}
	return all
}

func (e *engine) createContainer(w http.ResponseWriter, r *http.Request) {
	var spec boxSpec
	if err := json.Unmarshal([]byte(read(r)), &spec); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	name := r.URL.Query().Get("name")
	if e.fails(w, "POST /containers/create "+spec.Labels["decnet.decky"]) {
		return
	}
	if e.images[spec.Image] == nil {
		refuse(w, http.StatusNotFound, "No such image: "+spec.Image)
		return
	}
	for _, c := range e.containers {
		if c.name == name {
			refuse(w, http.StatusConflict, "Conflict. The container name is already in use")
			return
		}
	}
	e.next++
	id := fmt.Sprintf("id%d", e.next)
	e.containers[id] = &box{id: id, name: name, state: "created", spec: spec}
	answer(w, http.StatusCreated, map[string]string{"Id": id})
}

func (e *engine) containerCall(w http.ResponseWriter, r *http.Request, parts []string) {
	c := e.containers[parts[1]]
	if c == nil {
		refuse(w, http.StatusNotFound, "No such container: "+parts[1])
		return
	}
	decky := c.spec.Labels["decnet.decky"]
	if r.Method == http.MethodDelete {
		if e.fails(w, "DELETE /containers "+decky) {
			return
		}
		delete(e.containers, c.id)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if e.fails(w, "POST /containers/"+parts[2]+" "+decky) {
		return
	}
	if parts[2] == "stop" {
		c.state = "exited"
		w.WriteHeader(http.StatusNoContent)
		return
	}
	for _, other := range e.containers {
		if other != c && other.state == "running" && other.ip() != "" && other.ip() == c.ip() {
			refuse(w, http.StatusForbidden, "Address already in use")
			return
		}
	}
	c.state = "running"
	report := docker.Report{Config: strings.TrimPrefix(c.spec.Cmd[1], "--config=/decoy/"), Listeners: []fleet.Status{}}
	if e.failing == "report "+decky {
		report.Error, report.Service = "it does not want to", "ssh"
	}
	dir, _, _ := strings.Cut(c.spec.HostConfig.Binds[0], ":/decoy")
	if err := docker.WriteReport(dir, report); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (b *box) ip() string {
	return b.spec.NetworkingConfig.EndpointsConfig[b.spec.HostConfig.NetworkMode].IPAMConfig.IPv4Address
}

func hash12(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])[:12]
}
