package dockerapi

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"decnet/decoy/trap"
)

// maxRemembered bounds each list of what attackers made, so that nobody fills
// the memory. The oldest is forgotten.
const maxRemembered = 64

// container is one that runs here, as far as anybody can see.
type container struct {
	id, name, image string
	cmd             []string
	created         time.Time
	running         bool
	// own says that the machine had it before anybody came.
	own bool
}

// run is a command that was prepared to be executed in a container.
type run struct{ id, container string }

// state is what a daemon knows. Its methods are safe for concurrent use.
type state struct {
	host *trap.Host
	// booted is when the daemon was started.
	booted func(now time.Time) time.Time
	id     string

	mu         sync.Mutex
	containers []container
	pulled     []string
	runs       []run
}

// stock are containers that small machines often have.
func stock() []container {
	return []container{
		{name: "nginx-proxy", image: "nginx:1.25", cmd: []string{"/docker-entrypoint.sh", "nginx", "-g", "daemon off;"}},
		{name: "app_db_1", image: "postgres:15", cmd: []string{"docker-entrypoint.sh", "postgres"}},
		{name: "app_cache_1", image: "redis:7", cmd: []string{"docker-entrypoint.sh", "redis-server"}},
		{name: "registry", image: "registry:2", cmd: []string{"/entrypoint.sh", "/etc/docker/registry/config.yml"}},
		{name: "portainer", image: "portainer/portainer-ce:2.19.4", cmd: []string{"/portainer"}},
	}
}

func newState(e trap.Env) *state {
	s := &state{host: e.Host, booted: e.Host.Booted}
	r := e.Host.Rand("docker")
	all := stock()
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, c := range all[:1+r.IntN(3)] {
		c.id = hex.EncodeToString(e.Host.Derive("docker container "+c.name, 32))
		c.running, c.own = true, true
		s.containers = append(s.containers, c)
	}
	b := e.Host.Derive("docker id", 16)
	s.id = hex.EncodeToString(b[:4]) + "-" + hex.EncodeToString(b[4:6]) + "-4" + hex.EncodeToString(b[6:8])[1:] +
		"-a" + hex.EncodeToString(b[8:10])[1:] + "-" + hex.EncodeToString(b[10:16])
	return s
}

// newID is a random one, as long as those of Docker.
func newID() string {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(rand.Uint32()) //nolint:gosec // it guards nothing
	}
	return hex.EncodeToString(b)
}

// all returns the containers, the newest first.
func (s *state) all(now time.Time) []container {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.containers)
	slices.Reverse(list)
	for i := range list {
		if list[i].own {
			list[i].created = s.booted(now).Add(time.Minute)
		}
	}
	return list
}

// find returns the container of that name, id, or begin of an id.
func (s *state) find(name string, now time.Time) (container, bool) {
	for _, c := range s.all(now) {
		if c.name == name || len(name) >= 4 && strings.HasPrefix(c.id, name) {
			return c, true
		}
	}
	return container{}, false
}

// add remembers a container.
func (s *state) add(c container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.containers = append(s.containers, c)
	mine := func(c container) bool { return !c.own }
	if len(s.containers) > maxRemembered {
		i := slices.IndexFunc(s.containers, mine)
		s.containers = slices.Delete(s.containers, i, i+1)
	}
}

// change does something to a container, or removes it if f is nil. The machine's
// own stay: others come to see them.
func (s *state) change(id string, f func(*container)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.containers, func(c container) bool { return c.id == id && !c.own })
	switch {
	case i < 0:
	case f == nil:
		s.containers = slices.Delete(s.containers, i, i+1)
	default:
		f(&s.containers[i])
	}
}

// has reports whether an image is there.
func (s *state) has(image string) bool {
	return slices.Contains(s.images(), tagged(image)) || strings.HasPrefix(image, "sha256:")
}

// images returns the names of the images that are there.
func (s *state) images() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Clone(s.pulled)
	for _, c := range s.containers {
		if c.own {
			names = append(names, c.image)
		}
	}
	return names
}

// pull remembers an image.
func (s *state) pull(image string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pulled = append(s.pulled, tagged(image)); len(s.pulled) > maxRemembered {
		s.pulled = s.pulled[1:]
	}
}

// prepare remembers a command and returns its id.
func (s *state) prepare(container string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := run{id: newID(), container: container}
	if s.runs = append(s.runs, r); len(s.runs) > maxRemembered {
		s.runs = s.runs[1:]
	}
	return r.id
}

// prepared reports whether there is such a command, and for which container.
func (s *state) prepared(id string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if r.id == id {
			return r.container, true
		}
	}
	return "", false
}

// tagged is the name of an image with its tag.
func tagged(image string) string {
	image = strings.TrimPrefix(strings.TrimPrefix(image, "docker.io/"), "library/")
	if strings.Contains(image[strings.LastIndexByte(image, '/')+1:], ":") || strings.Contains(image, "@") {
		return image
	}
	return image + ":latest"
}
