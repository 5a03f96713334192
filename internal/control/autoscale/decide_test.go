package autoscale

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// fleet is a group under load in virtual time: the load is spread evenly over
// the instances in service, each of which can do 100.
type fleet struct {
	scaling         api.Scaling
	desired, lo, hi int
	memory          Memory
	now             time.Time
	born            []time.Time
	log             []string
	changes         []int // desired after each change
	noise           float64
	blind           bool // nothing can be measured
	history         History
}

// setClock is what happens when someone sets the clock: what is there is as old
// as before by the monotonic clock of the instances' node.
func (f *fleet) setClock(by time.Duration) {
	f.now = f.now.Add(by)
	for i := range f.born {
		f.born[i] = f.born[i].Add(by)
	}
}

func newFleet(n int, s api.Scaling) *fleet {
	f := &fleet{scaling: s, desired: n, lo: 1, hi: 50, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for range n {
		f.born = append(f.born, f.now.Add(-time.Hour))
	}
	return f
}

// second lets one second of that load pass.
func (f *fleet) second(load float64) {
	f.now = f.now.Add(time.Second)
	for len(f.born) < f.desired {
		f.born = append(f.born, f.now)
	}
	f.born = f.born[:f.desired]
	ready := 0
	for _, b := range f.born {
		if f.now.Sub(b) >= WarmUp(f.scaling) {
			ready++
		}
	}
	serving := max(ready, 1)
	s := Sample{Time: f.now, Ready: ready, Warming: f.desired - ready, Metrics: map[api.ScalingMetric]float64{
		api.MetricCPU: math.Min(load/float64(serving), 100),
	}}
	if f.blind {
		s.Metrics = nil
	}
	if p := f.scaling.Predictive; p != nil {
		s.Expected = f.history.Expected(*p, f.now)
	}
	var d Decision
	d, f.memory = Decide(f.scaling, f.desired, f.lo, f.hi, s, f.memory)
	if d.Desired != f.desired {
		f.log = append(f.log, f.now.Format("15:04:05 ")+d.Reason)
		f.changes = append(f.changes, d.Desired)
		f.desired = d.Desired
	}
}

func cpuAt70() api.Scaling {
	return api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricCPU, Target: 70}}, WarmUp: api.Duration(2 * time.Second)}
}

func (f *fleet) reversals() int {
	n, dir, last := 0, 0, 0
	for i, c := range f.changes {
		if i > 0 {
			d := 1
			if c < last {
				d = -1
			}
			if dir != 0 && d != dir {
				n++
			}
			dir = d
		}
		last = c
	}
	return n
}

func TestStepOfLoadIsAnsweredInSeconds(t *testing.T) {
	f := newFleet(2, cpuAt70())
	for range 60 {
		f.second(100)
	}
	if len(f.changes) != 0 {
		t.Fatalf("moved under a steady load: %v", f.log)
	}
	start := f.now
	for f.desired == 2 {
		f.second(182)
		if f.now.Sub(start) > 10*time.Second {
			t.Fatal("no answer in ten seconds")
		}
	}
	if got := f.now.Sub(start); got > 3*time.Second {
		t.Errorf("answered after %s, want 3s or less", got)
	}
	if !strings.Contains(f.log[0], "2 → 3 because CPU") {
		t.Errorf("reason %q", f.log[0])
	}
}

func TestNoiseDoesNotMoveItBackAndForth(t *testing.T) {
	f := newFleet(4, cpuAt70())
	r := rand.New(rand.NewPCG(1, 2))
	for range 600 {
		f.second(4 * 70 * (0.8 + 0.4*r.Float64()))
	}
	if n := f.reversals(); n > 1 {
		t.Errorf("%d reversals in ten minutes: %v", n, f.log)
	}
}

func TestShapesOfLoad(t *testing.T) {
	shapes := map[string]struct {
		load      func(s float64) float64
		least     int // instances that must have been reached
		reversals int
	}{
		"ramp":        {func(s float64) float64 { return 100 + s }, 8, 0},
		"sine":        {func(s float64) float64 { return 400 + 300*math.Sin(s/600*2*math.Pi) }, 9, 3},
		"flash crowd": {func(s float64) float64 { return map[bool]float64{true: 1400, false: 100}[s > 100 && s < 160] }, 10, 1},
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			f := newFleet(2, cpuAt70())
			most := 0
			for s := range 1200 {
				f.second(shape.load(float64(s)))
				most = max(most, f.desired)
			}
			if most < shape.least {
				t.Errorf("reached %d, want %d: %v", most, shape.least, f.log)
			}
			if n := f.reversals(); n > shape.reversals {
				t.Errorf("%d reversals: %v", n, f.log)
			}
		})
	}
}

func TestShrinksAfterTheLoadIsGone(t *testing.T) {
	f := newFleet(6, cpuAt70())
	for range 900 {
		f.second(60)
	}
	if f.desired != 1 {
		t.Errorf("%d left of a load of one: %v", f.desired, f.log)
	}
	f = newFleet(6, cpuAt70())
	f.scaling.DisableScaleIn = true
	for range 900 {
		f.second(60)
	}
	if f.desired != 6 {
		t.Errorf("shrank although that is disabled: %v", f.log)
	}
}

func TestMissingMetricChangesNothing(t *testing.T) {
	s := cpuAt70()
	var m Memory
	now := time.Unix(1000, 0)
	for range 1000 {
		now = now.Add(time.Second)
		var d Decision
		d, m = Decide(s, 3, 1, 10, Sample{Time: now, Ready: 3}, m)
		if d.Desired != 3 {
			t.Fatalf("moved without a measurement: %s", d.Reason)
		}
	}
}

func TestAllPoliciesMustAgreeToShrink(t *testing.T) {
	s := cpuAt70()
	s.Targets = append(s.Targets, api.TargetPolicy{Metric: api.MetricMemory, Target: 50})
	var m Memory
	now := time.Unix(1000, 0)
	for range 1000 {
		now = now.Add(time.Second)
		var d Decision
		d, m = Decide(s, 4, 1, 10, Sample{Time: now, Ready: 4, Metrics: map[api.ScalingMetric]float64{api.MetricCPU: 5, api.MetricMemory: 50}}, m)
		if d.Desired != 4 {
			t.Fatalf("shrank although memory is at its target: %s", d.Reason)
		}
	}
}

func TestSteps(t *testing.T) {
	ten, twenty := 10.0, 20.0
	zero := 0.0
	s := api.Scaling{Steps: []api.StepPolicy{{Metric: api.MetricQueue, Threshold: 100, Steps: []api.Step{
		{From: &zero, To: &ten, Change: 1}, {From: &ten, To: &twenty, Change: 30, Percent: true}, {From: &twenty, Change: 5},
	}}}}
	for _, tt := range []struct {
		queue float64
		want  int
	}{{90, 4}, {100, 5}, {110, 5}, {119.9, 5}, {120, 9}, {1e9, 9}} {
		var m Memory
		now := time.Unix(1000, 0)
		got := 4
		for range 5 {
			now = now.Add(time.Second)
			var d Decision
			d, m = Decide(s, got, 1, 100, Sample{Time: now, Ready: got, Metrics: map[api.ScalingMetric]float64{api.MetricQueue: tt.queue}}, m)
			if d.Desired != got {
				got = d.Desired
				break
			}
		}
		if got != tt.want {
			t.Errorf("queue %v: %d, want %d", tt.queue, got, tt.want)
		}
	}
}

func TestSchedule(t *testing.T) {
	six, two := 6, 2
	s := api.Scaling{Schedules: []api.SchedulePolicy{{Cron: "0 8 * * *", Min: &six}, {Cron: "0 20 * * *", Min: &two, Desired: &two}}}
	var m Memory
	desired, lo, hi := 2, 1, 10
	now := time.Date(2026, 1, 1, 7, 58, 0, 0, time.UTC)
	at := map[int]int{}
	for range 14 * 60 {
		now = now.Add(time.Minute)
		var d Decision
		d, m = Decide(s, desired, lo, hi, Sample{Time: now}, m)
		desired, lo, hi = d.Desired, d.Min, d.Max
		at[now.Hour()] = desired
	}
	if at[7] != 2 || at[8] != 6 || at[19] != 6 || at[20] != 2 {
		t.Errorf("by hour: %v", at)
	}
}

func TestBoundsAreKept(t *testing.T) {
	f := newFleet(2, cpuAt70())
	f.hi = 5
	for range 120 {
		f.second(5000)
	}
	if f.desired != 5 {
		t.Errorf("%d, want the maximum", f.desired)
	}
}

// A queue is served from zero instances on, and by none when it is empty.
func TestQueueFromZeroAndBack(t *testing.T) {
	s := api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricQueue, Target: 10}}, Stabilization: api.Duration(10 * time.Second), InCooldown: api.Duration(time.Second)}
	var m Memory
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	desired := 0
	run := func(seconds int, length float64) {
		for range seconds {
			now = now.Add(time.Second)
			var d Decision
			sample := Sample{Time: now, Ready: desired, Metrics: map[api.ScalingMetric]float64{api.MetricQueue: length / math.Max(float64(desired), 1)}}
			d, m = Decide(s, desired, 0, 10, sample, m)
			desired = d.Desired
		}
	}
	run(10, 35)
	if desired != 4 {
		t.Fatalf("%d instances for 35 waiting at 10 each", desired)
	}
	run(60, 0)
	if desired != 0 {
		t.Fatalf("%d instances for an empty queue", desired)
	}
}
