package api

import (
	"context"
	"net/http"
	"time"
)

// databaseWindow is how long the outcome of the database probe is kept.
const databaseWindow = time.Second

// DockerWindow is how long the outcome of a ping of the Docker engine is kept.
const DockerWindow = 5 * time.Second

// probeTimeout bounds a probe: a component that takes longer is failing.
const probeTimeout = 2 * time.Second

// Component is a part of the service that /health lists.
type Component struct {
	Name string
	// Critical components make the service unhealthy when they fail, the others
	// degraded.
	Critical bool
	// Window is how long an outcome is kept, good or bad; 0 asks on each request.
	Window time.Duration
	// Check returns a detail for people, which may be "", or why the component
	// fails: a sentence that may be shown to every user.
	Check func(ctx context.Context) (detail string, err error)
}

// outcome is what a probe found. Failures are outcomes too: a sick component is
// not asked more often than a healthy one.
type outcome struct {
	detail string
	err    error
}

type probe struct {
	Component
	outcome *cache[outcome]
}

// healthResource answers GET /health; the outcome of each probe is cached.
type healthResource struct {
	probes []probe
}

func newHealth(o owner, store Store, deckies *deckiesResource, more []Component) *healthResource {
	components := append([]Component{
		{Name: "database", Critical: true, Window: databaseWindow, Check: func(ctx context.Context) (string, error) {
			if err := store.Ping(ctx); err != nil {
				return "", errDatabase{err}
			}
			return "", nil
		}},
		{Name: "fleet", Window: databaseWindow, Check: deckies.check},
	}, more...)
	h := &healthResource{}
	for _, c := range components {
		h.probes = append(h.probes, probe{Component: c, outcome: newCache(o, "health_"+c.Name, c.Window,
			func(ctx context.Context) (outcome, error) {
				ctx, cancel := context.WithTimeout(ctx, probeTimeout)
				defer cancel()
				detail, err := c.Check(ctx)
				return outcome{detail, err}, nil
			})})
	}
	return h
}

// errDatabase keeps the engine's own words out of the answer.
type errDatabase struct{ cause error }

func (e errDatabase) Error() string { return "the database does not answer" }
func (e errDatabase) Unwrap() error { return e.cause }

// Reset makes the caches cold.
func (h *healthResource) Reset() {
	for _, p := range h.probes {
		p.outcome.reset()
	}
}

type componentBody struct {
	Status string  `json:"status"`
	Detail *string `json:"detail"`
}

type healthBody struct {
	Status     string                   `json:"status"`
	Components map[string]componentBody `json:"components"`
}

func (h *healthResource) get(c *call) (answer, error) {
	body := healthBody{Status: "healthy", Components: make(map[string]componentBody, len(h.probes))}
	status := http.StatusOK
	for _, p := range h.probes {
		found, err := p.outcome.get(c.Context())
		if err != nil {
			return answer{}, err
		}
		line := componentBody{Status: "ok"}
		if found.detail != "" {
			line.Detail = &found.detail
		}
		if found.err != nil {
			reason := found.err.Error()
			line = componentBody{Status: "failing", Detail: &reason}
			switch {
			case p.Critical:
				body.Status, status = "unhealthy", http.StatusServiceUnavailable
			case body.Status == "healthy":
				body.Status = "degraded"
			}
		}
		body.Components[p.Name] = line
	}
	a, err := jsonAnswer(body)
	a.status = status
	return a, err
}

// live answers GET /healthz: the process serves requests.
func (s *Server) live(*call) (answer, error) {
	return answer{body: []byte(`{"status":"ok"}`)}, nil
}

// ready answers GET /readyz: the critical components work.
func (s *Server) ready(c *call) (answer, error) {
	if s.base.Err() != nil {
		return answer{}, errStopping
	}
	for _, p := range s.health.probes {
		if !p.Critical {
			continue
		}
		found, err := p.outcome.get(c.Context())
		if err != nil {
			return answer{}, err
		}
		if found.err != nil {
			return answer{}, errNotReady.because(found.err)
		}
	}
	return answer{body: []byte(`{"status":"ready"}`)}, nil
}
