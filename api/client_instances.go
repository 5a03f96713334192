package api

import (
	"context"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
)

// CreateRequest asks for an instance.
type CreateRequest struct {
	Name   string            `json:"name,omitempty" doc:"Default made of two words"`
	Labels map[string]string `json:"labels,omitempty"`
	Spec   InstanceSpec      `json:"spec"`
}

// StopRequest overrides an instance's stop signal and timeout for one stop or
// restart.
type StopRequest struct {
	Signal  string    `json:"signal,omitempty"`
	Timeout *Duration `json:"timeout,omitempty"`
}

// UpdateRequest changes a running instance; nil leaves things as they are.
type UpdateRequest struct {
	Resources *Resources     `json:"resources,omitempty"`
	Restart   *RestartPolicy `json:"restart,omitempty"`
	// CreditMode changes what a burst instance does without credits.
	CreditMode CreditMode `json:"creditMode,omitempty" enum:"standard,unlimited"`
	Protected  *bool      `json:"protected,omitempty" doc:"Keep it when its group scales in"`
}

// ResizeRequest gives an instance another type, or its writable layer another
// size, or both.
type ResizeRequest struct {
	Type       string     `json:"type,omitempty" doc:"Instance type; default as it is"`
	Disk       int64      `json:"disk,omitempty" minimum:"0" doc:"Bytes the writable layer may hold; default as it is, or the new type's"`
	CreditMode CreditMode `json:"creditMode,omitempty" enum:"standard,unlimited" doc:"Default the type's"`
}

// InstanceFilter chooses instances; zero is all.
type InstanceFilter struct {
	Labels []string // KEY or KEY=VALUE; all must match
	Phases []Phase  // any of them
}

// Instances lists instances.
func (c *Client) Instances(ctx context.Context, f InstanceFilter) ([]Instance, error) {
	q := url.Values{}
	if len(f.Labels) > 0 {
		q["label"] = f.Labels
	}
	for _, p := range f.Phases {
		q.Add("phase", string(p))
	}
	var list []Instance
	return list, c.call(ctx, "GET", "/instances", q, nil, &list)
}

// Create makes an instance, and starts it when start is set.
func (c *Client) Create(ctx context.Context, r CreateRequest, start bool) (Instance, error) {
	var i Instance
	return i, c.call(ctx, "POST", "/instances", flag("start", start), r, &i)
}

// Instance returns one instance by id, name or an unambiguous beginning of its
// id, as every method below takes it.
func (c *Client) Instance(ctx context.Context, id string) (Instance, error) {
	var i Instance
	return i, c.call(ctx, "GET", "/instances/"+esc(id), nil, nil, &i)
}

// Remove removes an instance and waits until it is gone. force stops it first,
// volumes takes its anonymous volumes with it.
func (c *Client) Remove(ctx context.Context, id string, force, volumes bool) error {
	q := flag("force", force)
	if volumes {
		q.Set("volumes", "true")
	}
	return c.call(ctx, "DELETE", "/instances/"+esc(id), q, nil, nil)
}

func (c *Client) act(ctx context.Context, id, verb string, in any) error {
	return c.call(ctx, "POST", "/instances/"+esc(id)+"/"+verb, nil, in, nil)
}

// Start starts an instance and waits until its workload runs or has failed.
func (c *Client) Start(ctx context.Context, id string) error { return c.act(ctx, id, "start", nil) }

// Stop stops an instance and waits until its workload has ended.
func (c *Client) Stop(ctx context.Context, id string, r StopRequest) error {
	return c.act(ctx, id, "stop", r)
}

// Restart stops an instance and starts it again.
func (c *Client) Restart(ctx context.Context, id string, r StopRequest) error {
	return c.act(ctx, id, "restart", r)
}

// Pause freezes an instance.
func (c *Client) Pause(ctx context.Context, id string) error { return c.act(ctx, id, "pause", nil) }

// Unpause thaws an instance.
func (c *Client) Unpause(ctx context.Context, id string) error { return c.act(ctx, id, "unpause", nil) }

// Kill sends a signal, by name or number, to an instance's first process.
func (c *Client) Kill(ctx context.Context, id, signal string) error {
	return c.act(ctx, id, "kill", map[string]string{"signal": signal})
}

// Rename gives an instance another name.
func (c *Client) Rename(ctx context.Context, id, name string) error {
	return c.act(ctx, id, "rename", map[string]string{"name": name})
}

// Update changes an instance's limits while it runs.
func (c *Client) Update(ctx context.Context, id string, r UpdateRequest) error {
	return c.act(ctx, id, "update", r)
}

// Resize gives an instance another type: at once when it runs, else for its
// next start.
func (c *Client) Resize(ctx context.Context, id string, r ResizeRequest) error {
	return c.act(ctx, id, "resize", r)
}

// Credits reads the account of a burst instance, with the series "1s" or "5m"
// unless it is "".
func (c *Client) Credits(ctx context.Context, id, series string) (CPUCredits, error) {
	q := url.Values{}
	if series != "" {
		q.Set("series", series)
	}
	var out CPUCredits
	return out, c.call(ctx, "GET", "/instances/"+esc(id)+"/credits", q, nil, &out)
}

// Wait blocks until the instance is stopped, running, healthy or removed, and
// returns the exit code of its last life.
func (c *Client) Wait(ctx context.Context, id, state string) (int, error) {
	var out struct {
		ExitCode int `json:"exitCode"`
	}
	return out.ExitCode, c.call(ctx, "GET", "/instances/"+esc(id)+"/wait", url.Values{"for": {state}}, nil, &out)
}

// Logs yields the lines that o chooses, oldest first.
func (c *Client) Logs(ctx context.Context, id string, o LogOptions) iter.Seq2[LogLine, error] {
	q := url.Values{"tail": {strconv.Itoa(o.Tail)}}
	if o.Follow {
		q.Set("follow", "true")
	}
	if o.Since != "" {
		q.Set("since", o.Since)
	}
	if o.Until != "" {
		q.Set("until", o.Until)
	}
	return stream[LogLine](ctx, c, request{method: "GET", target: c.target("/instances/"+esc(id)+"/logs", q)})
}

// Stats yields what an instance uses: once, or each second while it runs.
func (c *Client) Stats(ctx context.Context, id string, follow bool) iter.Seq2[Stats, error] {
	return stream[Stats](ctx, c, request{method: "GET", target: c.target("/instances/"+esc(id)+"/stats", flag("follow", follow))})
}

// AllStats returns what every running instance uses.
func (c *Client) AllStats(ctx context.Context) ([]Stats, error) {
	var list []Stats
	return list, c.call(ctx, "GET", "/stats", nil, nil, &list)
}

// Processes lists the processes of an instance.
func (c *Client) Processes(ctx context.Context, id string) ([]Process, error) {
	var list []Process
	return list, c.call(ctx, "GET", "/instances/"+esc(id)+"/processes", nil, nil, &list)
}

// ExecDetached starts a process in a running instance and leaves it.
func (c *Client) ExecDetached(ctx context.Context, id string, s ExecSpec) error {
	s.Detach = true
	return c.act(ctx, id, "exec", s)
}

// FileChange is one file that an instance has and its image has not, or the
// other way round.
type FileChange struct {
	Kind string `json:"kind" enum:"added,changed,deleted"`
	Path string `json:"path"`
	Size int64  `json:"size,omitempty"` // bytes of a regular file that was added or changed
}

// Kinds of FileChange.
const (
	FileAdded   = "added"
	FileChanged = "changed"
	FileDeleted = "deleted"
)

// Changes lists what an instance has changed of its image's files.
func (c *Client) Changes(ctx context.Context, id string) ([]FileChange, error) {
	var list []FileChange
	return list, c.call(ctx, "GET", "/instances/"+esc(id)+"/changes", nil, nil, &list)
}

// ReadFiles returns a tar of a path inside an instance.
func (c *Client) ReadFiles(ctx context.Context, id, path string) (io.ReadCloser, error) {
	return c.download(ctx, "/instances/"+esc(id)+"/files", url.Values{"path": {path}})
}

// WriteFiles unpacks a tar into a directory inside an instance.
func (c *Client) WriteFiles(ctx context.Context, id, path string, tar io.Reader) error {
	a, err := c.open(ctx, request{method: "PUT", stream: tar,
		target: c.target("/instances/"+esc(id)+"/files", url.Values{"path": {path}})})
	if err != nil {
		return err
	}
	return a.Close()
}

// download returns a body that fails unless it was sent whole.
func (c *Client) download(ctx context.Context, path string, q url.Values) (io.ReadCloser, error) {
	a, err := c.open(ctx, request{method: "GET", target: c.target(path, q)})
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{a.body, a}, nil
}

// flag is a query with name=true, or an empty one.
func flag(name string, set bool) url.Values {
	if set {
		return url.Values{name: {"true"}}
	}
	return url.Values{}
}

// ShortID is the beginning of an id that people are shown.
func ShortID(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}
