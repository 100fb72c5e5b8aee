package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"decnet/repo"
)

// sensorTokenPrefix lets people and secret scanners tell what a token is.
const sensorTokenPrefix = "decnet_sensor_" //nolint:gosec // what every token begins with

// sensorWindow bounds how long a sensor that another process deleted stays good.
const sensorWindow = time.Second

// sensorDirectory keeps the sensors in memory by the hash of their tokens.
type sensorDirectory struct {
	byHash *cache[map[[sha256.Size]byte]repo.Sensor]
}

func newSensorDirectory(o owner, store SensorStore) *sensorDirectory {
	return &sensorDirectory{byHash: newCache(o, string(cacheSensors), sensorWindow,
		func(ctx context.Context) (map[[sha256.Size]byte]repo.Sensor, error) {
			list, err := store.Sensors(ctx)
			if err != nil {
				return nil, fmt.Errorf("sensors: %w", err)
			}
			byHash := make(map[[sha256.Size]byte]repo.Sensor, len(list))
			for _, s := range list {
				if len(s.TokenHash) == sha256.Size {
					byHash[[sha256.Size]byte(s.TokenHash)] = s
				}
			}
			return byHash, nil
		})}
}

// Reset makes the directory ask the store again.
func (d *sensorDirectory) Reset() { d.byHash.reset() }

// sensorOf returns the sensor that the request's token belongs to. A token is
// 256 random bits, so its plain hash tells nothing, and a lookup by it leaks
// nothing by its time.
func (s *Server) sensorOf(r *http.Request) (repo.Sensor, error) {
	token := bearer(r)
	switch {
	case token == "":
		return repo.Sensor{}, errUnauthenticated
	case !strings.HasPrefix(token, sensorTokenPrefix):
		return repo.Sensor{}, errBadToken
	}
	all, err := s.sensors.byHash.get(r.Context())
	if err != nil {
		return repo.Sensor{}, err
	}
	sensor, ok := all[sha256.Sum256([]byte(token))]
	if !ok {
		return repo.Sensor{}, errBadToken
	}
	return sensor, nil
}

type sensorBody struct {
	UUID      string   `json:"uuid"`
	Name      text     `json:"name"`
	CreatedAt wireTime `json:"created_at"`
	LastSeen  wireTime `json:"last_seen"`
	Accepted  int64    `json:"accepted"`
	Duplicate int64    `json:"duplicate"`
	Rejected  int64    `json:"rejected"`
	// Token is set once, in the answer that makes the sensor.
	Token string `json:"token,omitempty"`
}

func newSensorBody(s *repo.Sensor) sensorBody {
	return sensorBody{
		UUID: s.UUID, Name: text(s.Name), CreatedAt: wireTime(s.CreatedAt), LastSeen: wireTime(s.LastSeen),
		Accepted: s.Accepted, Duplicate: s.Duplicate, Rejected: s.Rejected,
	}
}

// listSensors answers GET /sensors.
func (s *Server) listSensors(c *call) (answer, error) {
	list, err := s.Store.Sensors(c.Context())
	if err != nil {
		return answer{}, fmt.Errorf("sensors: %w", err)
	}
	bodies := make([]sensorBody, len(list))
	for i := range list {
		bodies[i] = newSensorBody(&list[i])
	}
	return jsonAnswer(bodies)
}

type createSensorBody struct {
	Name string `json:"name"`
}

// createSensor answers POST /sensors with the token, which nobody can read again.
func (s *Server) createSensor(c *call) (answer, error) {
	var in createSensorBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	token := sensorTokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	hash := sha256.Sum256([]byte(token))
	sensor := repo.Sensor{UUID: uuid.NewString(), Name: in.Name, TokenHash: hash[:], CreatedAt: s.Now().UTC()}
	if err := s.Store.CreateSensor(c.Context(), sensor); err != nil {
		if errors.Is(err, repo.ErrConflict) {
			return answer{}, errSensorTaken.because(err)
		}
		return answer{}, fmt.Errorf("create a sensor: %w", err)
	}
	body := newSensorBody(&sensor)
	body.Token = token
	return jsonAnswer(body)
}

// deleteSensor answers DELETE /sensors/{uuid}: its token stops working at once.
func (s *Server) deleteSensor(c *call) (answer, error) {
	err := s.Store.DeleteSensor(c.Context(), strings.ToLower(c.PathValue("uuid")))
	if errors.Is(err, repo.ErrNotFound) {
		return answer{}, errNoSensor.because(err)
	}
	if err != nil {
		return answer{}, fmt.Errorf("delete a sensor: %w", err)
	}
	return jsonAnswer(messageBody{"Sensor deleted"})
}
