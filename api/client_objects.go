package api

import (
	"context"
	"net/url"
)

// VolumeRequest asks for a volume.
type VolumeRequest struct {
	Name   string            `json:"name,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Size   int64             `json:"size,omitempty" minimum:"0" doc:"Limit in bytes, at least 16 MiB; 0 is none"`
	Access Access            `json:"access,omitempty" enum:"shared,exclusive,read-only" doc:"Who may mount it; default shared"`
}

// VolumeUpdate changes a volume; what is left out stays.
type VolumeUpdate struct {
	Size   int64             `json:"size,omitempty" minimum:"0" doc:"New limit in bytes of a volume that has one"`
	Access Access            `json:"access,omitempty" enum:"shared,exclusive,read-only"`
	Labels map[string]string `json:"labels,omitempty" doc:"Replaces all labels"`
}

// VersionInfo is the daemon's version and that of its API.
type VersionInfo struct {
	Version string `json:"version"`
	API     string `json:"api"`
}

// Volumes lists volumes.
func (c *Client) Volumes(ctx context.Context) ([]Volume, error) {
	var list []Volume
	return list, c.call(ctx, "GET", "/volumes", nil, nil, &list)
}

// Volume returns one volume.
func (c *Client) Volume(ctx context.Context, name string) (Volume, error) {
	var v Volume
	return v, c.call(ctx, "GET", "/volumes/"+esc(name), nil, nil, &v)
}

// CreateVolume makes a volume.
func (c *Client) CreateVolume(ctx context.Context, r VolumeRequest) (Volume, error) {
	var v Volume
	return v, c.call(ctx, "POST", "/volumes", nil, r, &v)
}

// UpdateVolume changes a volume, also while it is used.
func (c *Client) UpdateVolume(ctx context.Context, name string, r VolumeUpdate) (Volume, error) {
	var v Volume
	return v, c.call(ctx, "POST", "/volumes/"+esc(name)+"/update", nil, r, &v)
}

// RemoveVolume removes a volume that no instance uses.
func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	return c.call(ctx, "DELETE", "/volumes/"+esc(name), nil, nil, nil)
}

// PruneVolumes removes the volumes that no instance uses: anonymous ones, or all.
func (c *Client) PruneVolumes(ctx context.Context, p PruneRequest) (PruneReport, error) {
	var r PruneReport
	return r, c.call(ctx, "POST", "/volumes/prune", nil, p, &r)
}

// Networks lists networks.
func (c *Client) Networks(ctx context.Context) ([]Network, error) {
	var list []Network
	return list, c.call(ctx, "GET", "/networks", nil, nil, &list)
}

// Network returns one network.
func (c *Client) Network(ctx context.Context, name string) (Network, error) {
	var n Network
	return n, c.call(ctx, "GET", "/networks/"+esc(name), nil, nil, &n)
}

// CreateNetwork makes a network.
func (c *Client) CreateNetwork(ctx context.Context, r NetworkRequest) (Network, error) {
	var n Network
	return n, c.call(ctx, "POST", "/networks", nil, r, &n)
}

// RemoveNetwork removes a network that no instance uses.
func (c *Client) RemoveNetwork(ctx context.Context, name string) error {
	return c.call(ctx, "DELETE", "/networks/"+esc(name), nil, nil, nil)
}

// ConnectNetwork attaches an instance to a network.
func (c *Client) ConnectNetwork(ctx context.Context, name string, r ConnectRequest) error {
	return c.call(ctx, "POST", "/networks/"+esc(name)+"/connect", nil, r, nil)
}

// DisconnectNetwork detaches an instance from a network.
func (c *Client) DisconnectNetwork(ctx context.Context, name string, r DisconnectRequest) error {
	return c.call(ctx, "POST", "/networks/"+esc(name)+"/disconnect", nil, r, nil)
}

// PruneNetworks removes the networks that no instance uses.
func (c *Client) PruneNetworks(ctx context.Context, p PruneRequest) (PruneReport, error) {
	var r PruneReport
	return r, c.call(ctx, "POST", "/networks/prune", nil, p, &r)
}

// Rules lists the rules between instances.
func (c *Client) Rules(ctx context.Context) ([]Rule, error) {
	var list []Rule
	return list, c.call(ctx, "GET", "/rules", nil, nil, &list)
}

// CreateRule makes a rule; one that is there already is returned as it is.
func (c *Client) CreateRule(ctx context.Context, r RuleSpec) (Rule, error) {
	var out Rule
	return out, c.call(ctx, "POST", "/rules", nil, r, &out)
}

// RemoveRule removes a rule.
func (c *Client) RemoveRule(ctx context.Context, id string) error {
	return c.call(ctx, "DELETE", "/rules/"+esc(id), nil, nil, nil)
}

// Node describes the node.
func (c *Client) Node(ctx context.Context) (Node, error) {
	var n Node
	return n, c.call(ctx, "GET", "/node", nil, nil, &n)
}

// Capacity says what each node has, has given out and has left.
func (c *Client) Capacity(ctx context.Context) ([]NodeCapacity, error) {
	var list []NodeCapacity
	return list, c.call(ctx, "GET", "/capacity", nil, nil, &list)
}

// Types lists instance types.
func (c *Client) Types(ctx context.Context) ([]InstanceType, error) {
	var list []InstanceType
	return list, c.call(ctx, "GET", "/types", nil, nil, &list)
}

// Type returns one instance type.
func (c *Client) Type(ctx context.Context, name string) (InstanceType, error) {
	var t InstanceType
	return t, c.call(ctx, "GET", "/types/"+esc(name), nil, nil, &t)
}

// CreateType adds an instance type.
func (c *Client) CreateType(ctx context.Context, t InstanceType) (InstanceType, error) {
	var out InstanceType
	return out, c.call(ctx, "POST", "/types", nil, t, &out)
}

// RemoveType removes a type that CreateType added. Instances of it stay as
// they are.
func (c *Client) RemoveType(ctx context.Context, name string) error {
	return c.call(ctx, "DELETE", "/types/"+esc(name), nil, nil, nil)
}

// Version returns the daemon's version.
func (c *Client) Version(ctx context.Context) (VersionInfo, error) {
	var v VersionInfo
	return v, c.call(ctx, "GET", "/version", nil, nil, &v)
}

// Check lists what virga made on the node and who owns it; with repair it
// collects what is stale.
func (c *Client) Check(ctx context.Context, repair bool) (CheckReport, error) {
	method, path, q := "GET", "/system/check", url.Values(nil)
	if repair {
		method, path = "POST", "/system/repair"
	}
	var r CheckReport
	return r, c.call(ctx, method, path, q, nil, &r)
}
