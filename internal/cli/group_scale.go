package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// scaleFlags are the flags that make a group's number follow its load.
type scaleFlags struct {
	min, max                              int
	cpu, memory, requests, latency, queue float64
	network, queueURL, queueQuery         string
	schedules                             []string
	window, warmUp, out, in, hold         time.Duration
	noScaleIn, manual                     bool
}

func (s *scaleFlags) register(f *pflag.FlagSet) {
	f.IntVar(&s.min, "min", 0, "fewest instances")
	f.IntVar(&s.max, "max", 0, "most instances")
	f.Float64Var(&s.cpu, "cpu", 0, "keep the average CPU use at this `per cent`")
	f.Float64Var(&s.memory, "memory", 0, "keep the average memory use at this `per cent`")
	f.StringVar(&s.network, "network", "", "keep the average traffic at so many `bytes` per second")
	f.Float64Var(&s.requests, "requests", 0, "keep requests per second and instance at this `number`")
	f.Float64Var(&s.latency, "latency", 0, "keep the 95th percentile of answers at so many `milliseconds`")
	f.Float64Var(&s.queue, "queue", 0, "keep the queue's length per instance at this `number`")
	f.StringVar(&s.queueURL, "queue-url", "", "`address` that answers with the queue's length, or of Prometheus")
	f.StringVar(&s.queueQuery, "queue-query", "", "`PromQL` of the queue's length")
	listVar(f, &s.schedules, "schedule", "", "set bounds from a moment on (`CRON=MIN:MAX`), such as '0 8 * * mon-fri=4:20'")
	f.DurationVar(&s.window, "window", 0, "how `long` a load must last to be believed (default 3s)")
	f.DurationVar(&s.warmUp, "warm-up", 0, "how `long` a new instance is not measured (default 10s)")
	f.DurationVar(&s.out, "out-cooldown", 0, "least `time` between two growths (default 3s)")
	f.DurationVar(&s.in, "in-cooldown", 0, "least `time` before shrinking (default 1m)")
	f.DurationVar(&s.hold, "stabilization", 0, "how `long` the highest need holds the number up (default 5m)")
	f.BoolVar(&s.noScaleIn, "no-scale-in", false, "only grow")
	f.BoolVar(&s.manual, "manual", false, "no longer follow the load")
}

func groupScaleCommand(a *App) *cobra.Command {
	var s scaleFlags
	var wait bool
	cmd := &cobra.Command{
		Use:   "scale [flags] GROUP [NUMBER]",
		Short: "Set how many instances a group has, or let the load decide",
		Example: "  virga group scale web 5\n  virga group scale web --min 1 --max 10 --cpu 70\n" +
			"  virga group scale work --max 20 --queue 100 --queue-url http://127.0.0.1:9000/length\n  virga group scale web --manual",
		Args:              arguments(1, 2),
		ValidArgsFunction: a.completeGroups(),
	}
	f := cmd.Flags()
	s.register(f)
	f.BoolVar(&wait, "wait", false, "wait until all instances are ready")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := s.request(f)
		if err != nil {
			return err
		}
		if len(args) == 2 {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 0 {
				return api.Invalid("desired", "%q is not a number of instances", args[1])
			}
			r.Desired = &n
		}
		if r == (api.ScaleRequest{}) {
			return api.Invalid("desired", "neither a number nor a policy is given").WithHint("virga group scale %s 3", args[0])
		}
		g, err := a.api().ScaleGroup(cmd.Context(), args[0], r)
		if err != nil {
			return err
		}
		if wait {
			if err := a.waitSteady(cmd.Context(), g.Name, true); err != nil {
				return err
			}
		}
		fmt.Fprintln(a.Out, g.Name)
		return nil
	}
	return cmd
}

// request is what the flags ask for.
func (s *scaleFlags) request(f *pflag.FlagSet) (api.ScaleRequest, error) {
	r := api.ScaleRequest{Manual: s.manual}
	if f.Changed("min") {
		r.Min = &s.min
	}
	if f.Changed("max") {
		r.Max = &s.max
	}
	c := api.Scaling{
		WarmUp: api.Duration(s.warmUp), OutCooldown: api.Duration(s.out), InCooldown: api.Duration(s.in),
		Stabilization: api.Duration(s.hold), DisableScaleIn: s.noScaleIn,
	}
	target := func(flag string, m api.ScalingMetric, v float64) {
		if f.Changed(flag) {
			c.Targets = append(c.Targets, api.TargetPolicy{Metric: m, Target: v, Window: api.Duration(s.window)})
		}
	}
	bytes, err := parseSize("network", s.network)
	if err != nil {
		return r, err
	}
	target("cpu", api.MetricCPU, s.cpu)
	target("memory", api.MetricMemory, s.memory)
	target("network", api.MetricNetwork, float64(bytes))
	target("requests", api.MetricRequests, s.requests)
	target("latency", api.MetricLatency, s.latency)
	target("queue", api.MetricQueue, s.queue)
	if s.queueURL != "" {
		c.Queue = &api.QueueSource{URL: s.queueURL, Query: s.queueQuery}
	}
	for _, text := range s.schedules {
		p, err := parseSchedule(text)
		if err != nil {
			return r, err
		}
		c.Schedules = append(c.Schedules, p)
	}
	if len(c.Targets)+len(c.Schedules) > 0 {
		r.Scaling = &c
	}
	return r, nil
}

// parseSchedule reads CRON=MIN:MAX; either number may be left out.
func parseSchedule(text string) (api.SchedulePolicy, error) {
	bad := api.Invalid("spec.scaling.schedules", "schedule %q: want CRON=MIN:MAX", text).WithHint("such as '0 8 * * mon-fri=4:20'")
	cron, bounds, ok := strings.Cut(text, "=")
	low, high, both := strings.Cut(bounds, ":")
	p := api.SchedulePolicy{Cron: cron}
	if !ok || !both {
		return p, bad
	}
	for _, b := range []struct {
		text string
		to   **int
	}{{low, &p.Min}, {high, &p.Max}} {
		if b.text == "" {
			continue
		}
		n, err := strconv.Atoi(b.text)
		if err != nil {
			return p, bad
		}
		*b.to = &n
	}
	return p, nil
}
