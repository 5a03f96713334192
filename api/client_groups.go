package api

import (
	"context"
	"net/url"
)

// GroupRequest asks for a group.
type GroupRequest struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Spec   GroupSpec         `json:"spec"`
}

// GroupUpdate changes a group; nil leaves things as they are. A template that
// differs from the present one is rolled out.
type GroupUpdate struct {
	Template    *InstanceSpec     `json:"template,omitempty"`
	Labels      map[string]string `json:"labels,omitempty" doc:"Of instances made from now on"`
	Update      *UpdatePolicy     `json:"update,omitempty"`
	HealthGrace *Duration         `json:"healthGrace,omitempty"`
	ScaleIn     *string           `json:"scaleIn,omitempty" enum:"newest,oldest"`
	Warm        *WarmPool         `json:"warm,omitempty" doc:"Size 0 ends it"`
	Purchase    *Purchase         `json:"purchase,omitempty" doc:"Zero makes all of them what the template is"`
}

// ScaleRequest changes how many instances a group has, or may have; nil leaves
// things as they are.
type ScaleRequest struct {
	Desired *int `json:"desired,omitempty" minimum:"0"`
	Min     *int `json:"min,omitempty" minimum:"0"`
	Max     *int `json:"max,omitempty" minimum:"0"`
	// Scaling makes the number follow the load; Manual ends that.
	Scaling *Scaling `json:"scaling,omitempty"`
	Manual  bool     `json:"manual,omitempty"`
}

// Groups lists groups.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	var list []Group
	return list, c.call(ctx, "GET", "/groups", nil, nil, &list)
}

// CreateGroup makes a group; its instances follow.
func (c *Client) CreateGroup(ctx context.Context, r GroupRequest) (Group, error) {
	var g Group
	return g, c.call(ctx, "POST", "/groups", nil, r, &g)
}

// Group returns one group by id, name or an unambiguous beginning of its id,
// as every method below takes it.
func (c *Client) Group(ctx context.Context, id string) (Group, error) {
	var g Group
	return g, c.call(ctx, "GET", "/groups/"+esc(id), nil, nil, &g)
}

// RemoveGroup removes a group with its instances and waits until they are
// gone. volumes takes the volumes that a stateful group's instances claimed.
func (c *Client) RemoveGroup(ctx context.Context, id string, volumes bool) error {
	return c.call(ctx, "DELETE", "/groups/"+esc(id), flag("volumes", volumes), nil, nil)
}

// UpdateGroup changes a group's template or policies.
func (c *Client) UpdateGroup(ctx context.Context, id string, r GroupUpdate) (Group, error) {
	var g Group
	return g, c.call(ctx, "POST", "/groups/"+esc(id)+"/update", nil, r, &g)
}

// ScaleGroup changes a group's numbers.
func (c *Client) ScaleGroup(ctx context.Context, id string, r ScaleRequest) (Group, error) {
	var g Group
	return g, c.call(ctx, "POST", "/groups/"+esc(id)+"/scale", nil, r, &g)
}

// PauseGroup makes a group heal only, ResumeGroup ends that.
func (c *Client) PauseGroup(ctx context.Context, id string) error {
	return c.call(ctx, "POST", "/groups/"+esc(id)+"/pause", nil, nil, nil)
}

// ResumeGroup lets a paused group roll and scale again.
func (c *Client) ResumeGroup(ctx context.Context, id string) error {
	return c.call(ctx, "POST", "/groups/"+esc(id)+"/resume", nil, nil, nil)
}

// UndoGroup returns to an earlier revision; 0 is the one before the current.
func (c *Client) UndoGroup(ctx context.Context, id string, revision int) (Group, error) {
	var g Group
	return g, c.call(ctx, "POST", "/groups/"+esc(id)+"/undo", nil, map[string]int{"revision": revision}, &g)
}

// GroupForecast returns the past load of a group that predicts, and what is
// expected of it.
func (c *Client) GroupForecast(ctx context.Context, id string) (GroupForecast, error) {
	var f GroupForecast
	return f, c.call(ctx, "GET", "/groups/"+esc(id)+"/forecast", nil, nil, &f)
}

// WaitGroup blocks until a group is steady or removed, or a job's newest run
// finished; or until it does not get on (failing, paused). It returns the group
// as it then is.
func (c *Client) WaitGroup(ctx context.Context, id, state string) (Group, error) {
	var g Group
	return g, c.call(ctx, "GET", "/groups/"+esc(id)+"/wait", url.Values{"for": {state}}, nil, &g)
}
