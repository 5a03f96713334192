package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

// scaleFlags are the flags that make a group's number follow its load.
type scaleFlags struct {
	min, max                              int
	cpu, memory, requests, latency, queue float64
	network, queueURL, queueQuery         string
	queuePointer, predict                 string
	schedules, steps                      []string
	outLimit, inLimit                     int
	ahead                                 time.Duration
	window, warmUp, out, in, hold         time.Duration
	noScaleIn, manual                     bool
}

func (s *scaleFlags) register(f *pflag.FlagSet) {
	f.IntVar(&s.min, "min", 0, "fewest instances")
	f.IntVar(&s.max, "max", 0, "most instances")
	decimalVar(f, &s.cpu, "cpu", 0, "keep the average CPU use at this `per cent`")
	decimalVar(f, &s.memory, "memory", 0, "keep the average memory use at this `per cent`")
	f.StringVar(&s.network, "network", "", "keep the average traffic at so many `bytes` per second")
	decimalVar(f, &s.requests, "requests", 0, "keep requests per second and instance at this `number`")
	decimalVar(f, &s.latency, "latency", 0, "keep the 95th percentile of answers at so many `milliseconds`")
	decimalVar(f, &s.queue, "queue", 0, "keep the queue's length per instance at this `number`")
	f.StringVar(&s.queueURL, "queue-url", "", "`address` that answers with the queue's length, or of Prometheus")
	f.StringVar(&s.queueQuery, "queue-query", "", "`PromQL` of the queue's length")
	f.StringVar(&s.queuePointer, "queue-pointer", "", "JSON `pointer` of the number in the answer, such as /messages/ready")
	listVar(f, &s.steps, "step", "", "change the number by how far a metric is (`METRIC:VALUE=CHANGE,…`), such as cpu:70=+1,90=+50% or 'cpu:<30=-1'")
	listVar(f, &s.schedules, "schedule", "", "set bounds from a moment on (`CRON=MIN:MAX[:DESIRED]`), such as '0 8 * * mon-fri=4:20'")
	f.StringVar(&s.predict, "predict", "", "grow before a load that comes each day or week (`MODE`: scale, forecast)")
	f.DurationVar(&s.ahead, "predict-ahead", 0, "how `long` before a load its instances are to be there (default 5m)")
	f.IntVar(&s.outLimit, "out-limit", 0, "most `instances` that one decision adds; 0 is no limit")
	f.IntVar(&s.inLimit, "in-limit", 0, "most `instances` that one decision takes away; 0 is no limit")
	f.DurationVar(&s.window, "window", 0, "how `long` a load must last to be believed (default 3s)")
	f.DurationVar(&s.warmUp, "warm-up", 0, "how `long` a new instance is not measured (default 10s)")
	f.DurationVar(&s.out, "out-cooldown", 0, "least `time` between two growths (default 3s)")
	f.DurationVar(&s.in, "in-cooldown", 0, "least `time` before shrinking (default 1m)")
	f.DurationVar(&s.hold, "stabilization", 0, "how `long` the highest need holds the number up (default 5m)")
	f.BoolVar(&s.noScaleIn, "no-scale-in", false, "only grow")
	f.BoolVar(&s.manual, "manual", false, "no longer follow the load")
}

func groupScaleCommand(a *App) *command.Command {
	var s scaleFlags
	var wait bool
	cmd := &command.Command{
		Use:   "scale [flags] GROUP [NUMBER]",
		Short: "Set how many instances a group has, or let the load decide",
		Example: "  virga group scale web 5\n  virga group scale web --min 1 --max 10 --cpu 70\n" +
			"  virga group scale work --max 20 --queue 100 --queue-url http://127.0.0.1:9000/length\n" +
			"  virga group scale web --max 20 --step cpu:70=+1,90=+50% --step 'cpu:<30=-1'\n" +
			"  virga group scale web --max 20 --cpu 70 --predict scale\n  virga group scale web --manual",
		Args:     arguments(1, 2),
		Complete: a.completeGroups(),
	}
	f := cmd.Flags()
	s.register(f)
	f.BoolVar(&wait, "wait", false, "wait until all instances are ready")
	cmd.Run = func(cmd *command.Command, args []string) error {
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
		return a.groupChanged(cmd.Context(), g.Name, wait)
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
		Stabilization: api.Duration(s.hold), DisableScaleIn: s.noScaleIn, OutLimit: s.outLimit, InLimit: s.inLimit,
	}
	target := func(flag string, m api.ScalingMetric, v float64) {
		if f.Changed(flag) {
			c.Targets = append(c.Targets, api.TargetPolicy{Metric: m, Target: v, Window: api.Duration(s.window)})
		}
	}
	bytes, err := api.ParseSize("network", s.network)
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
		c.Queue = &api.QueueSource{URL: s.queueURL, Query: s.queueQuery, Pointer: s.queuePointer}
	}
	for _, text := range s.schedules {
		p, err := parseSchedule(text)
		if err != nil {
			return r, err
		}
		c.Schedules = append(c.Schedules, p)
	}
	for _, text := range s.steps {
		p, err := parseStep(text)
		if err != nil {
			return r, err
		}
		p.Window = api.Duration(s.window)
		c.Steps = append(c.Steps, p)
	}
	if s.predict != "" {
		c.Predictive = &api.PredictivePolicy{Mode: s.predict, Ahead: api.Duration(s.ahead)}
	}
	policies := len(c.Targets) + len(c.Schedules) + len(c.Steps)
	if policies == 0 {
		for _, name := range []string{"warm-up", "out-cooldown", "in-cooldown", "stabilization", "no-scale-in", "out-limit", "in-limit", "predict", "window", "queue-url"} {
			if f.Changed(name) {
				return r, api.Invalid("spec.scaling", "--%s is of a policy, and none is given", name).WithHint("name a target or a step too, such as --cpu 70")
			}
		}
	}
	if policies > 0 {
		r.Scaling = &c
	}
	return r, nil
}

// parseSchedule reads CRON=MIN:MAX[:DESIRED]; each number may be left out.
func parseSchedule(text string) (api.SchedulePolicy, error) {
	bad := api.Invalid("spec.scaling.schedules", "schedule %q: want CRON=MIN:MAX[:DESIRED]", text).WithHint("such as '0 8 * * mon-fri=4:20'")
	cron, bounds, ok := strings.Cut(text, "=")
	p := api.SchedulePolicy{Cron: cron}
	numbers := strings.Split(bounds, ":")
	if !ok || len(numbers) < 2 || len(numbers) > 3 {
		return p, bad
	}
	for i, to := range []**int{&p.Min, &p.Max, &p.Desired}[:len(numbers)] {
		if numbers[i] == "" {
			continue
		}
		n, err := strconv.Atoi(numbers[i])
		if err != nil {
			return p, bad
		}
		*to = &n
	}
	return p, nil
}

// parseStep reads METRIC:VALUE=CHANGE,…: from each value on, or with < below
// it, until the next one, the change applies: +2, -1, +50%, or 5 for exactly
// five.
func parseStep(text string) (p api.StepPolicy, err error) {
	bad := func(why string) error {
		return api.Invalid("spec.scaling.steps", "step %q: %s", text, why).WithHint("such as cpu:70=+1,90=+50%% or 'cpu:<30=-1'")
	}
	metric, list, ok := strings.Cut(text, ":")
	if !ok {
		return p, bad("want METRIC:VALUE=CHANGE,…")
	}
	p.Metric = api.ScalingMetric(metric)
	below := false
	var values []float64
	for i, one := range strings.Split(list, ",") {
		value, change, ok := strings.Cut(one, "=")
		if !ok {
			return p, bad("want VALUE=CHANGE")
		}
		rest, less := strings.CutPrefix(value, "<")
		if i > 0 && less != below {
			return p, bad("values below and above a threshold are two policies")
		}
		below = less
		v, err := strconv.ParseFloat(rest, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return p, bad(fmt.Sprintf("%q is not a value", value))
		}
		if i > 0 && (below && v >= values[i-1] || !below && v <= values[i-1]) {
			return p, bad("each value is further away than the one before")
		}
		s, ok := parseChange(change)
		if !ok {
			return p, bad(fmt.Sprintf("%q is not a change", change))
		}
		values, p.Steps = append(values, v), append(p.Steps, s)
	}
	p.Threshold = values[0]
	for i := range p.Steps {
		here := values[i] - p.Threshold
		near, far := &p.Steps[i].From, &p.Steps[i].To
		if below {
			near, far = far, near
		}
		*near = &here
		if i+1 < len(values) {
			next := values[i+1] - p.Threshold
			*far = &next
		}
	}
	return p, nil
}

// parseChange reads +2, -1, +50% and 5.
func parseChange(text string) (s api.Step, ok bool) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	signed := strings.HasPrefix(number, "+") || strings.HasPrefix(number, "-")
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || !signed && percent || !percent && v != math.Trunc(v) {
		return s, false
	}
	return api.Step{Change: v, Percent: percent, Exact: !signed}, true
}
