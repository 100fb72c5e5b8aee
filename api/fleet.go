package api

import (
	"errors"
	"fmt"
	"net/http"

	"decnet/fleet"
)

// deployBodyMax bounds the body of a deployment: its longest text with every
// character escaped.
const deployBodyMax = 8 << 20

// fleetUnchanged begins the sentence on a change that was refused.
const fleetUnchanged = "The fleet was not changed: "

// errUnchanged says why the fleet could not be changed. Its sentence depends on
// the cause, which the operator wrote or has to mend, so that the contract has a
// pattern for it.
func errUnchanged(cause error, text string) error {
	return problem{status: http.StatusConflict, detail: fleetUnchanged + text, cause: cause}
}

// fleetProblem finds what a client is told of a change of the fleet that failed.
func fleetProblem(err error) error {
	var plan *fleet.PlanError
	var decky *fleet.DeckyError
	switch {
	case errors.As(err, &plan):
		return errUnchanged(err, plan.Error())
	case errors.As(err, &decky):
		return errUnchanged(err, decky.Error())
	case errors.Is(err, fleet.ErrNoDecky):
		return errNoDecky.because(err)
	case errors.Is(err, fleet.ErrState):
		return errFleetState.because(err)
	}
	return err
}

// fleetResource changes the fleet.
type fleetResource struct {
	manager FleetManager
	limit   *cache[int]
}

// FleetChanged drops what is remembered of the fleet, after a change that did not
// come through the API, such as a mutation on schedule.
func (s *Server) FleetChanged() {
	s.deckies.Reset()
	s.stats.Reset()
}

type deployBody struct {
	INI string `json:"ini_content"`
}

type deployedBody struct {
	Message string        `json:"message"`
	DryRun  bool          `json:"dry_run"`
	Deckies []fleet.Decky `json:"deckies"`
	Removed []string      `json:"removed"`
	Ignored []string      `json:"ignored"`
}

// deploy answers POST /deckies/deploy.
func (f *fleetResource) deploy(c *call) (answer, error) {
	var in deployBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	if f.manager == nil {
		return answer{}, errNotReady
	}
	ini, err := fleet.ParseINIText(in.INI)
	if err != nil {
		return answer{}, errUnchanged(err, "INI: "+err.Error())
	}
	limit, err := f.limit.get(c.Context())
	if err != nil {
		return answer{}, err
	}
	want := fleet.Deployment{
		INI: ini, Limit: limit,
		Replace: c.params.String("replace") == "true", DryRun: c.params.String("dry_run") == "true",
	}
	plan, err := f.manager.Deploy(c.Context(), want)
	if err != nil {
		return answer{}, fleetProblem(err)
	}
	body := deployedBody{
		Message: deployedMessage(len(plan.Deckies), want.DryRun, f.manager.Runs()), DryRun: want.DryRun,
		Deckies: plan.Deckies, Removed: plan.Removed, Ignored: plan.Ignored,
	}
	if body.Deckies == nil {
		body.Deckies = []fleet.Decky{}
	}
	if body.Removed == nil {
		body.Removed = []string{}
	}
	if body.Ignored == nil {
		body.Ignored = []string{}
	}
	return jsonAnswer(body)
}

func deployedMessage(n int, dry, runs bool) string {
	deckies := fmt.Sprintf("%d deckies", n)
	if n == 1 {
		deckies = "1 decky"
	}
	switch {
	case dry:
		return "Nothing was changed; " + deckies + " would be deployed"
	case !runs:
		return "Deployed " + deckies + " to the state file; this service runs no decoys itself"
	}
	return "Deployed " + deckies
}

type mutatedBody struct {
	Message  string   `json:"message"`
	Services []string `json:"services"`
}

// mutate answers POST /deckies/{name}/mutate.
func (f *fleetResource) mutate(c *call) (answer, error) {
	if f.manager == nil {
		return answer{}, errNotReady
	}
	d, changed, err := f.manager.Mutate(c.Context(), c.PathValue("name"))
	if err != nil {
		return answer{}, fleetProblem(err)
	}
	message := "Decky mutated"
	if !changed {
		message = "Decky unchanged: its archetype has no other services"
	}
	return jsonAnswer(mutatedBody{Message: message, Services: d.Services})
}

type mutateIntervalBody struct {
	Interval *string `json:"mutate_interval"`
}

// setInterval answers PUT /deckies/{name}/mutate-interval.
func (f *fleetResource) setInterval(c *call) (answer, error) {
	var in mutateIntervalBody
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	if f.manager == nil {
		return answer{}, errNotReady
	}
	var minutes *int64
	if in.Interval != nil {
		n, err := fleet.ParseInterval(*in.Interval)
		if err != nil {
			return answer{}, fmt.Errorf("an interval that the contract lets in: %w", err)
		}
		minutes = &n
	}
	if err := f.manager.SetMutateInterval(c.Context(), c.PathValue("name"), minutes); err != nil {
		return answer{}, fleetProblem(err)
	}
	return jsonAnswer(messageBody{"Mutation interval updated"})
}

// remove answers DELETE /deckies/{name}.
func (f *fleetResource) remove(c *call) (answer, error) {
	if f.manager == nil {
		return answer{}, errNotReady
	}
	if err := f.manager.Remove(c.Context(), c.PathValue("name")); err != nil {
		return answer{}, fleetProblem(err)
	}
	return jsonAnswer(messageBody{"Decky removed"})
}

type listenerBody struct {
	Decky    text           `json:"decky"`
	Service  text           `json:"service"`
	Network  string         `json:"network"`
	Port     int            `json:"port"`
	Address  string         `json:"address"`
	State    fleet.RunState `json:"state"`
	Error    *text          `json:"error"`
	Restarts int64          `json:"restarts"`
	Open     int64          `json:"open"`
	Total    int64          `json:"total"`
	Shed     int64          `json:"shed"`
}

type fleetStatusBody struct {
	Runs      bool           `json:"runs"`
	Problem   *text          `json:"problem"`
	Listeners []listenerBody `json:"listeners"`
}

// status answers GET /fleet/status, from memory.
func (f *fleetResource) status(*call) (answer, error) {
	if f.manager == nil {
		return answer{}, errNotReady
	}
	body := fleetStatusBody{Runs: f.manager.Runs(), Listeners: []listenerBody{}}
	if _, err := f.manager.Health(); err != nil {
		body.Problem = textOrNull(err.Error())
	}
	for _, s := range f.manager.Status() {
		body.Listeners = append(body.Listeners, listenerBody{
			Decky: text(s.Decky), Service: text(s.Service), Network: s.Network, Port: s.Port, Address: s.Address,
			State: s.State, Error: textOrNull(s.Error), Restarts: s.Restarts, Open: s.Open, Total: s.Total, Shed: s.Shed,
		})
	}
	return jsonAnswer(body)
}

func textOrNull(s string) *text {
	if s == "" {
		return nil
	}
	t := text(s)
	return &t
}
