package compose

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

func (t *translation) process(s *types.ServiceConfig, spec *api.InstanceSpec) {
	spec.Entrypoint, spec.Command = s.Entrypoint, s.Command
	if s.Entrypoint != nil && len(s.Entrypoint) == 0 {
		spec.Entrypoint = []string{""} // clears the image's
	}
	if s.Command != nil && len(s.Command) == 0 && len(s.Entrypoint) == 0 {
		spec.Command = nil
		t.warn("services."+s.Name+".command", "does not clear the image's command")
	}
	for _, k := range slices.Sorted(maps.Keys(s.Environment)) {
		if v := s.Environment[k]; v != nil {
			spec.Env = append(spec.Env, k+"="+*v)
		}
	}
	spec.WorkingDir, spec.User, spec.Groups = s.WorkingDir, s.User, s.GroupAdd
	spec.TTY, spec.Stdin = s.Tty, s.StdinOpen
	spec.Init = s.Init != nil && *s.Init
	spec.StopSignal = s.StopSignal
	spec.StopTimeout = duration(s.StopGracePeriod)
	spec.Hostname = s.Hostname
	spec.DNS, spec.DNSSearch, spec.DNSOptions = s.DNS, s.DNSSearch, s.DNSOpts
	spec.ExtraHosts = s.ExtraHosts.AsList(":")
	slices.Sort(spec.ExtraHosts)
	if len(spec.ExtraHosts) == 0 {
		spec.ExtraHosts = nil
	}
	spec.ReadOnly, spec.ShmSize = s.ReadOnly, int64(s.ShmSize)
}

func duration(d *types.Duration) *api.Duration {
	if d == nil {
		return nil
	}
	v := api.Duration(*d)
	return &v
}

// orZero is the value of an optional duration.
func orZero(d *types.Duration) api.Duration {
	if d == nil {
		return 0
	}
	return api.Duration(*d)
}

func (t *translation) health(s *types.ServiceConfig, spec *api.InstanceSpec) {
	h := s.HealthCheck
	switch {
	case h == nil:
	case h.Disable:
		spec.Health = &api.HealthCheck{Test: []string{"NONE"}}
	case len(h.Test) == 0:
		t.warn("services."+s.Name+".healthcheck", "without a test is not honoured: the image's own is used as it is")
	default:
		spec.Health = &api.HealthCheck{
			Test: h.Test, Interval: orZero(h.Interval), Timeout: orZero(h.Timeout),
			StartPeriod: orZero(h.StartPeriod), StartInterval: orZero(h.StartInterval),
		}
		if h.Retries != nil {
			spec.Health.Retries = int(*h.Retries)
		}
	}
}

// restart translates both ways to say it; deploy's wins, as the specification
// has it.
func (t *translation) restart(s *types.ServiceConfig, spec *api.InstanceSpec) {
	policy, retries, _ := strings.Cut(s.Restart, ":")
	if policy != "" && policy != api.RestartNo {
		spec.Restart.Policy = policy
		if n, err := strconv.Atoi(retries); err == nil {
			spec.Restart.MaxRetries = n
		}
	}
	if s.Deploy == nil || s.Deploy.RestartPolicy == nil {
		return
	}
	r := s.Deploy.RestartPolicy
	switch r.Condition {
	case "none":
		spec.Restart = api.RestartPolicy{}
	case "on-failure":
		spec.Restart = api.RestartPolicy{Policy: api.RestartOnFailure}
		if r.MaxAttempts != nil {
			spec.Restart.MaxRetries = int(*r.MaxAttempts)
		}
	default:
		spec.Restart = api.RestartPolicy{Policy: api.RestartAlways}
		if r.MaxAttempts != nil {
			t.warn("services."+s.Name+".deploy.restart_policy.max_attempts", "is honoured with the condition on-failure only")
		}
	}
}
