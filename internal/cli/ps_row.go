package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// instanceRow is an instance as it is listed. Its methods are what a template
// sees first, under Docker's names; the fields of the API's type lie beneath,
// such as {{.Spec.Image}}.
type instanceRow struct {
	api.Instance
	now   time.Time
	whole bool
	size  string // once it was measured
}

var instanceColumns = []column[instanceRow]{
	{"ID", "INSTANCE ID", instanceRow.ID},
	{"Image", "IMAGE", instanceRow.Image},
	{"Command", "COMMAND", instanceRow.Command},
	{"RunningFor", "CREATED", instanceRow.RunningFor},
	{"Status", "STATUS", instanceRow.Status},
	{"Ports", "PORTS", instanceRow.Ports},
	{"Names", "NAME", instanceRow.Names},
}

// groupColumn is shown when an instance of a group is.
var groupColumn = column[instanceRow]{"Group", "GROUP", func(r instanceRow) string { return r.Group }}

// ID is the id, shortened unless wanted whole.
func (r instanceRow) ID() string {
	if r.whole {
		return r.Instance.ID
	}
	return api.ShortID(r.Instance.ID)
}

// Names is the name: an instance has one.
func (r instanceRow) Names() string { return r.Instance.Name }

// Image is the reference it was made from.
func (r instanceRow) Image() string {
	if r.whole {
		return r.Spec.Image
	}
	return cut(r.Spec.Image, 40)
}

// Command is the command line, quoted.
func (r instanceRow) Command() string {
	args := r.Instance.Status.Command
	if len(args) == 0 {
		args = append(append([]string{}, r.Spec.Entrypoint...), r.Spec.Command...)
	}
	line := strings.Join(args, " ")
	if !r.whole {
		line = cut(line, 20)
	}
	return strings.ReplaceAll(strconv.Quote(line), `\u2026`, "…")
}

// RunningFor is how long ago it was made.
func (r instanceRow) RunningFor() string { return ago(r.now, r.Created) }

// CreatedAt is when it was made.
func (r instanceRow) CreatedAt() string {
	return r.Created.Local().Format(time.DateTime + " -0700 MST")
}

// State is its phase.
func (r instanceRow) State() string { return string(r.Instance.Status.Phase) }

// Status is its phase in words, with what a person wants to know of it.
func (r instanceRow) Status() string {
	s := r.Instance.Status
	code := 0
	if s.ExitCode != nil {
		code = *s.ExitCode
	}
	switch s.Phase {
	case api.PhaseRunning, api.PhasePaused:
		text := "Up " + span(r.now.Sub(s.Started))
		if s.Phase == api.PhasePaused {
			text += map[bool]string{true: " (warm)", false: " (paused)"}[r.Instance.Warm]
		}
		if s.Health != nil {
			text += " (" + s.Health.State + ")"
		}
		if n := r.notice(); n != "" {
			text += " (" + n + ")"
		}
		return text
	case api.PhaseStopped:
		text := fmt.Sprintf("Exited (%d) %s", code, ago(r.now, s.Finished))
		if s.OOMKilled {
			text += " (out of memory)"
		}
		if r.Interrupted() {
			text += " (" + r.notice() + ")"
		}
		return text
	case api.PhaseRestarting:
		return fmt.Sprintf("Restarting (%d) %s", code, ago(r.now, s.Finished))
	case api.PhasePending, api.PhaseFailed:
		if s.Reason != "" {
			text := title(string(s.Phase)) + ": " + s.Reason
			if !r.whole {
				text = cut(text, 60)
			}
			return text
		}
	}
	if s.Phase == api.PhaseCreated && r.Instance.Warm {
		return "Created (warm)"
	}
	return title(string(s.Phase))
}

// Price is the list price of an hour, of a spot instance at present.
func (r instanceRow) Price() string {
	switch {
	case r.Instance.Spot != nil:
		return money(r.Instance.Spot.Price)
	case r.Instance.Type != nil:
		return money(r.Instance.Type.PricePerHour)
	}
	return money(0)
}

// notice is what will become of a spot instance that was told to leave, "" for
// another one.
func (r instanceRow) notice() string {
	if !r.Noticed() {
		return ""
	}
	n := r.Spot.Notice
	switch left := n.Deadline.Sub(r.now); {
	case r.Interrupted():
		return "interrupted: " + string(n.Cause)
	case left > 0:
		return fmt.Sprintf("%s in %s", n.Action, left.Round(time.Second))
	}
	return string(n.Action)
}

// Ports are the published ports.
func (r instanceRow) Ports() string {
	ports := r.Instance.Status.Ports
	if len(ports) == 0 {
		ports = r.Spec.Ports
	}
	text := make([]string, len(ports))
	for i, p := range ports {
		text[i] = hostAddress(p) + "->" + instancePort(p)
	}
	return strings.Join(text, ", ")
}

// Isolation is what separates it from its neighbours.
func (r instanceRow) Isolation() string { return isolationOf(r.Instance) }

// Type is the instance type, which names the limits of a custom one.
func (r instanceRow) Type() string { return r.TypeName() }

// Networks are the names of its networks.
func (r instanceRow) Networks() string {
	var names []string
	for _, a := range r.Instance.Status.Addresses {
		names = append(names, a.Network)
	}
	return strings.Join(names, ",")
}

// Labels are its labels, as KEY=VALUE separated by commas.
func (r instanceRow) Labels() string { return joinLabels(r.Meta.Labels) }

func isolationOf(i api.Instance) string {
	return first(string(i.Spec.Isolation), string(api.IsolationContainer))
}

// title writes the first letter large.
func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
