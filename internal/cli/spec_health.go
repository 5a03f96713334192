package cli

import (
	"time"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// healthFlags describe the health check.
type healthFlags struct {
	command       string
	interval      time.Duration
	timeout       time.Duration
	startPeriod   time.Duration
	startInterval time.Duration
	retries       int
	none          bool
}

func (h *healthFlags) register(f *pflag.FlagSet) {
	f.StringVar(&h.command, "health-cmd", "", "shell `command` that checks its health")
	f.DurationVar(&h.interval, "health-interval", 0, "time between checks (default 30s)")
	f.DurationVar(&h.timeout, "health-timeout", 0, "time a check may take (default 30s)")
	f.DurationVar(&h.startPeriod, "health-start-period", 0, "time in which failures do not count")
	f.DurationVar(&h.startInterval, "health-start-interval", 0, "time between checks in that time (default 5s)")
	f.IntVar(&h.retries, "health-retries", 0, "failures in a row that make it unhealthy (default 3)")
	f.BoolVar(&h.none, "no-healthcheck", false, "do not run the image's health check")
}

func (h *healthFlags) apply(s *api.InstanceSpec) error {
	set := h.command != "" || h.interval != 0 || h.timeout != 0 || h.startPeriod != 0 || h.startInterval != 0 || h.retries != 0
	switch {
	case h.none && set:
		return api.Invalid("spec.health", "--no-healthcheck excludes the other --health flags")
	case h.none:
		s.Health = &api.HealthCheck{Test: []string{"NONE"}}
	case set && h.command == "":
		return api.Invalid("spec.health", "--health flags need --health-cmd").
			WithHint("repeat the image's check with --health-cmd to change how it is run")
	case set:
		s.Health = &api.HealthCheck{
			Test:          []string{"CMD-SHELL", h.command},
			Interval:      api.Duration(h.interval),
			Timeout:       api.Duration(h.timeout),
			StartPeriod:   api.Duration(h.startPeriod),
			StartInterval: api.Duration(h.startInterval),
			Retries:       h.retries,
		}
	}
	return nil
}
