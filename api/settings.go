package api

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"decnet/fleet"
	"decnet/repo"
)

// settingsWindow is how long each setting is served from memory.
const settingsWindow = 5 * time.Second

// The settings: their keys in the store, and what holds while none is stored.
const (
	keyLimit        = "deployment_limit"
	keyInterval     = "global_mutation_interval"
	defaultLimit    = 10
	defaultMutation = "30m"
)

// settingsResource answers /config; each setting is cached by itself.
type settingsResource struct {
	store     StateStore
	developer bool
	limit     *cache[int]
	interval  *cache[string]
}

func newSettings(o owner, store StateStore, developer bool) *settingsResource {
	s := &settingsResource{store: store, developer: developer}
	s.limit = newCache(o, string(cacheLimit), settingsWindow, func(ctx context.Context) (int, error) {
		text, err := s.read(ctx, keyLimit, strconv.Itoa(defaultLimit))
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("stored %s: %w", keyLimit, err)
		}
		return n, nil
	})
	s.interval = newCache(o, string(cacheInterval), settingsWindow, func(ctx context.Context) (string, error) {
		return s.read(ctx, keyInterval, defaultMutation)
	})
	return s
}

// Reset makes the caches cold.
func (s *settingsResource) Reset() {
	s.limit.reset()
	s.interval.reset()
}

func (s *settingsResource) read(ctx context.Context, key, otherwise string) (string, error) {
	value, err := s.store.State(ctx, key)
	if errors.Is(err, repo.ErrNotFound) {
		return otherwise, nil
	}
	if err != nil {
		return "", fmt.Errorf("setting %s: %w", key, err)
	}
	return value, nil
}

type configBody struct {
	Role            string     `json:"role"`
	DeploymentLimit int        `json:"deployment_limit"`
	MutationDefault string     `json:"global_mutation_interval"`
	Users           []userBody `json:"users,omitempty"`
	DeveloperMode   bool       `json:"developer_mode,omitempty"`
}

// config answers GET /config: the settings, and for an administrator the users.
func (s *Server) config(c *call) (answer, error) {
	limit, err := s.settings.limit.get(c.Context())
	if err != nil {
		return answer{}, err
	}
	interval, err := s.settings.interval.get(c.Context())
	if err != nil {
		return answer{}, err
	}
	body := configBody{Role: string(c.user.Role), DeploymentLimit: limit, MutationDefault: interval}
	if c.user.Role == repo.RoleAdmin {
		all, err := s.users.get(c.Context())
		if err != nil {
			return answer{}, err
		}
		for i := range all.list {
			body.Users = append(body.Users, newUserBody(&all.list[i]))
		}
		body.DeveloperMode = s.Developer
	}
	return jsonAnswer(body)
}

// MutationInterval returns how often decoys mutate that have no interval of their
// own, in minutes.
func (s *Server) MutationInterval(ctx context.Context) (int64, error) {
	text, err := s.settings.interval.get(ctx)
	if err != nil {
		return 0, err
	}
	minutes, err := fleet.ParseInterval(text)
	if err != nil {
		return 0, fmt.Errorf("stored %s: %w", keyInterval, err)
	}
	return minutes, nil
}

type limitBody struct {
	DeploymentLimit int `json:"deployment_limit"`
}

func (s *settingsResource) setLimit(c *call) (answer, error) {
	var in limitBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	if err := s.store.SetState(c.Context(), keyLimit, strconv.Itoa(in.DeploymentLimit)); err != nil {
		return answer{}, fmt.Errorf("store %s: %w", keyLimit, err)
	}
	return jsonAnswer(messageBody{"Deployment limit updated"})
}

type intervalBody struct {
	Interval string `json:"global_mutation_interval"`
}

func (s *settingsResource) setInterval(c *call) (answer, error) {
	var in intervalBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	if err := s.store.SetState(c.Context(), keyInterval, in.Interval); err != nil {
		return answer{}, fmt.Errorf("store %s: %w", keyInterval, err)
	}
	return jsonAnswer(messageBody{"Global mutation interval updated"})
}

type purgedBody struct {
	Logs      int64 `json:"logs"`
	Bounties  int64 `json:"bounties"`
	Attackers int64 `json:"attackers"`
}

type reinitBody struct {
	Message string     `json:"message"`
	Deleted purgedBody `json:"deleted"`
}

func (s *Server) reinit(c *call) (answer, error) {
	if !s.Developer {
		return answer{}, errNotDeveloper
	}
	n, err := s.Store.Purge(c.Context())
	if err != nil {
		return answer{}, fmt.Errorf("purge: %w", err)
	}
	return jsonAnswer(reinitBody{Message: "Database reinitialized", Deleted: purgedBody(n)})
}
