package control

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/cron"
)

const (
	// MaxGroup bounds the instances of one group.
	MaxGroup = 10_000
	// maxGroupName leaves room for what makes an instance's name of it.
	maxGroupName = 48
	// maxSteps bounds the steps of one policy, as EC2 does.
	maxSteps = 20
)

// ValidateGroup checks everything about a group that can be known without the
// node and the image.
func ValidateGroup(name string, s *api.GroupSpec) error {
	if err := api.ValidateName("name", name); err != nil {
		return err
	}
	if len(name) > maxGroupName {
		return api.Invalid("name", "group name %q is longer than %d characters", name, maxGroupName)
	}
	if err := ValidateLabels(s.Labels); err != nil {
		return err
	}
	if err := validateNumbers(s); err != nil {
		return err
	}
	if s.ScaleIn != "" && s.ScaleIn != "newest" && s.ScaleIn != "oldest" {
		return api.Invalid("spec.scaleIn", "unknown scaleIn %q", s.ScaleIn).WithHint("one of newest, oldest")
	}
	if err := validateUpdate(s.Update); err != nil {
		return err
	}
	if s.HealthGrace < 0 || s.HealthGrace > maxDuration {
		return api.Invalid("spec.healthGrace", "healthGrace %s is not between 0 and %s", s.HealthGrace, maxDuration)
	}
	if err := validateTemplate(s); err != nil {
		return err
	}
	if err := validateWarm(s); err != nil {
		return err
	}
	if m := s.Purchase; m != nil {
		switch {
		case s.Template.Spot == nil:
			return api.Invalid("spec.purchase", "a mix of purchase options needs a template that is spot").WithHint("add --spot")
		case s.Warm != nil:
			return api.Invalid("spec.purchase", "the members of a warm pool are all spot and cannot take the places of on-demand ones").
				WithHint("leave out one of the warm pool and the mix")
		case s.Job != nil:
			return api.Invalid("spec.purchase", "a job has one purchase option, its template's")
		case m.OnDemandBase < 0 || m.OnDemandPercent < 0 || m.OnDemandPercent > 100:
			return api.Invalid("spec.purchase", "on-demand base %d and per cent %d are not from 0 up and from 0 to 100", m.OnDemandBase, m.OnDemandPercent)
		}
	}
	if err := validateScaling(s); err != nil {
		return err
	}
	return validateJob(s)
}

// validateUpdate checks how a group is rolled and returned.
func validateUpdate(u api.UpdatePolicy) error {
	negative := func(surge *int, others ...int) bool {
		return surge != nil && *surge < 0 || slices.Min(others) < 0
	}
	long := func(d api.Duration) bool { return d < 0 || d > maxDuration }
	switch r := u.Return; {
	case negative(u.MaxSurge, u.MaxUnavailable, u.Rollback, u.Hold):
		return api.Invalid("spec.update", "the numbers of an update policy are not negative")
	case r != nil && negative(r.MaxSurge, r.MaxUnavailable, r.Hold):
		return api.Invalid("spec.update.return", "the numbers of a return policy are not negative")
	case long(u.MinReady):
		return api.Invalid("spec.update.minReady", "minReady %s is not between 0 and %s", u.MinReady, maxDuration)
	case r != nil && long(r.MinReady):
		return api.Invalid("spec.update.return.minReady", "minReady %s is not between 0 and %s", r.MinReady, maxDuration)
	case u.Rollback > 0 && u.Hold > 0:
		return api.Invalid("spec.update.hold", "a roll that fails is either rolled back (after %d failures) or held (after %d)", u.Rollback, u.Hold).
			WithHint("set one of rollback and hold to 0")
	}
	return nil
}

// validateWarm checks the warm pool. What only instances that serve may have
// cannot be given to one that waits.
func validateWarm(s *api.GroupSpec) error {
	w := s.Warm
	switch {
	case w == nil || w.Size == 0:
		return nil
	case w.Size < 0 || w.Size > MaxGroup:
		return api.Invalid("spec.warm.size", "warm size %d is not between 0 and %d", w.Size, MaxGroup)
	case w.State != "" && w.State != api.WarmStopped && w.State != api.WarmPaused:
		return api.Invalid("spec.warm.state", "unknown state %q", w.State).WithHint("one of stopped, paused")
	case s.Stateful || s.Job != nil:
		return api.Invalid("spec.warm", "neither a stateful group nor a job has a warm pool: which instance is next is not known")
	}
	for _, n := range s.Template.Networks {
		if w.State == api.WarmPaused && len(n.Aliases) > 0 {
			return api.Invalid("spec.warm.state", "paused instances would answer to the alias %q and serve nothing", n.Aliases[0]).
				WithHint("make the warm instances stopped, or put a service in front of the group instead of aliases")
		}
	}
	return nil
}

func validateJob(s *api.GroupSpec) error {
	j := s.Job
	if j == nil {
		return nil
	}
	switch {
	case s.Stateful || s.Scaling != nil || s.Desired != 0 || s.Min != 0 || s.Max != 0:
		return api.Invalid("spec.job", "a job has completions and parallelism instead of a desired number, scaling and state").
			WithHint("leave those out")
	case j.Completions < 0 || j.Completions > MaxGroup || j.Parallelism < 0:
		return api.Invalid("spec.job.completions", "the numbers of a job are from 0 to %d", MaxGroup)
	case j.Retries < -1:
		return api.Invalid("spec.job.retries", "retries %d is less than -1, which is none", j.Retries)
	case j.Deadline < 0 || j.Deadline > maxDuration:
		return api.Invalid("spec.job.deadline", "deadline %s is not between 0 and %s", j.Deadline, maxDuration)
	}
	if j.Schedule != "" {
		if _, err := cron.Parse(j.Schedule); err != nil {
			return api.Invalid("spec.job.schedule", "%v", err)
		}
	}
	return nil
}

func validateNumbers(s *api.GroupSpec) error {
	switch {
	case s.Min < 0 || s.Desired < 0 || s.Max < 0:
		return api.Invalid("spec.desired", "the numbers of a group are not negative")
	case s.Desired > MaxGroup || s.Max > MaxGroup:
		return api.Invalid("spec.desired", "a group has at most %d instances", MaxGroup)
	case s.Max > 0 && s.Min > s.Max:
		return api.Invalid("spec.min", "min %d is more than max %d", s.Min, s.Max)
	case s.Desired < s.Min:
		return api.Invalid("spec.desired", "desired %d is less than min %d", s.Desired, s.Min)
	case s.Max > 0 && s.Desired > s.Max:
		return api.Invalid("spec.desired", "desired %d is more than max %d", s.Desired, s.Max)
	}
	return nil
}

// validateTemplate checks the template as a spec, and refuses what only one
// instance at a time can have.
func validateTemplate(s *api.GroupSpec) error {
	t := s.Template
	t.Mounts = slices.Clone(t.Mounts)
	for i := range t.Mounts {
		m := &t.Mounts[i]
		if m.Claim && (!s.Stateful || m.Type != api.MountVolume || m.Source == "") {
			return api.Invalid("spec.template.mounts", "a claim is a named volume of a stateful group").
				WithHint("make the group --stateful, and the mount type=volume,source=NAME,target=PATH,claim")
		}
		m.Claim = false
	}
	if err := ValidateSpec(&t); err != nil {
		if e, ok := err.(*api.Error); ok && strings.HasPrefix(e.Field, "spec.") {
			return e.InField("spec.template." + strings.TrimPrefix(e.Field, "spec."))
		}
		return err
	}
	if o := t.Spot; o != nil && o.Interruption != "" && o.Interruption != api.InterruptTerminate {
		return api.Invalid("spec.template.spot.interruption", "a group replaces its interrupted instances and does not %s them", o.Interruption).
			WithHint("leave the interruption out")
	}
	if t.AutoRemove {
		return api.Invalid("spec.template.autoRemove", "the instances of a group are removed by the group").WithHint("leave out autoRemove (--rm)")
	}
	single := s.Job == nil && max(s.Desired, s.Max) <= 1 && (s.Stateful && s.Update.MaxSurge == nil || s.Update.MaxSurge != nil && *s.Update.MaxSurge == 0 && s.Update.MaxUnavailable > 0)
	if single {
		return nil
	}
	const hint = "or have one instance, a max surge of 0 and a max unavailable of 1"
	for _, p := range t.Ports {
		if p.HostPort != 0 {
			return api.Invalid("spec.template.ports", "host port %d can be had by one instance only", p.HostPort).
				WithHint("leave the host port out, " + hint)
		}
	}
	for _, n := range t.Networks {
		if n.Address != "" || n.MAC != "" {
			return api.Invalid("spec.template.networks", "a static address can be had by one instance only").
				WithHint("leave the address out, " + hint)
		}
	}
	return nil
}

var scalingMetrics = []api.ScalingMetric{
	api.MetricCPU, api.MetricMemory, api.MetricNetwork, api.MetricRequests, api.MetricLatency, api.MetricQueue,
}

func validateScaling(s *api.GroupSpec) error {
	c := s.Scaling
	if c == nil {
		return nil
	}
	if s.Max == 0 {
		return api.Invalid("spec.max", "a group that scales needs a max")
	}
	if len(c.Targets)+len(c.Steps)+len(c.Schedules) == 0 {
		return api.Invalid("spec.scaling", "scaling has no policy").WithHint("name a target, such as --cpu 70")
	}
	metric := func(m api.ScalingMetric) error {
		if !slices.Contains(scalingMetrics, m) {
			return api.Invalid("spec.scaling", "unknown metric %q", m).WithHint("one of cpu, memory, network, requests, latency, queue")
		}
		if m == api.MetricQueue && c.Queue == nil {
			return api.Invalid("spec.scaling.queue", "the metric queue needs to know where the queue's length is to be had")
		}
		return nil
	}
	for _, t := range c.Targets {
		if err := metric(t.Metric); err != nil {
			return err
		}
		if !(t.Target > 0) {
			return api.Invalid("spec.scaling.targets", "target %g of %s is not more than 0", t.Target, t.Metric)
		}
	}
	for _, p := range c.Steps {
		if err := metric(p.Metric); err != nil {
			return err
		}
		if len(p.Steps) == 0 {
			return api.Invalid("spec.scaling.steps", "the step policy of %s has no steps", p.Metric)
		}
		if len(p.Steps) > maxSteps {
			return api.Invalid("spec.scaling.steps", "the step policy of %s has %d steps, more than %d", p.Metric, len(p.Steps), maxSteps)
		}
		for _, s := range p.Steps {
			if s.From != nil && s.To != nil && *s.From >= *s.To {
				return api.Invalid("spec.scaling.steps", "a step of %s goes from %g to %g", p.Metric, *s.From, *s.To)
			}
			if s.Exact && (s.Percent || s.Change < 0) || math.IsNaN(s.Change) || math.Abs(s.Change) > MaxGroup {
				return api.Invalid("spec.scaling.steps", "change %g of a step of %s is not a number of instances", s.Change, p.Metric)
			}
		}
	}
	if p := c.Predictive; p != nil {
		counts := slices.ContainsFunc(c.Targets, func(t api.TargetPolicy) bool { return t.Metric != api.MetricLatency })
		switch {
		case !counts:
			return api.Invalid("spec.scaling.predictive", "a prediction needs a target that says what one instance can do").WithHint("name one, such as --cpu 70")
		case p.Mode != "" && p.Mode != "scale" && p.Mode != api.PredictForecast:
			return api.Invalid("spec.scaling.predictive.mode", "unknown mode %q", p.Mode).WithHint("one of scale, forecast")
		case p.Ahead < 0 || time.Duration(p.Ahead) > 12*time.Hour:
			return api.Invalid("spec.scaling.predictive.ahead", "ahead %s is not between 0 and 12h", p.Ahead)
		}
	}
	if c.OutLimit < 0 || c.InLimit < 0 {
		return api.Invalid("spec.scaling.outLimit", "the limits of one decision are not negative")
	}
	for i, p := range c.Schedules {
		if slices.ContainsFunc(c.Schedules[:i], func(o api.SchedulePolicy) bool { return o.Cron == p.Cron }) {
			return api.Invalid("spec.scaling.schedules", "the schedule %q is there twice", p.Cron).WithHint("put what it sets into one")
		}
		if _, err := cron.Parse(p.Cron); err != nil {
			return api.Invalid("spec.scaling.schedules", "%v", err)
		}
		if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
			return api.Invalid("spec.scaling.schedules", "min %d is more than max %d", *p.Min, *p.Max)
		}
	}
	for _, d := range []api.Duration{c.WarmUp, c.OutCooldown, c.InCooldown, c.Stabilization} {
		if d < 0 || d > maxDuration {
			return api.Invalid("spec.scaling", "duration %s is not between 0 and %s", d, maxDuration)
		}
	}
	if c.Queue != nil {
		if p := c.Queue.Pointer; p != "" && (p[0] != '/' || c.Queue.Query != "") {
			return api.Invalid("spec.scaling.queue.pointer", "%q is not a JSON pointer, or a query is there too", p).WithHint("such as /queue/length")
		}
		if u, err := url.Parse(c.Queue.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return api.Invalid("spec.scaling.queue.url", "%q is not an HTTP address", c.Queue.URL)
		}
	}
	return nil
}
