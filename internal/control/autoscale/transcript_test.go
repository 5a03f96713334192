package autoscale

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// The transcripts are every decision under each shape of load, in virtual time,
// with what it was made from. A change of one is reviewed as code is.
func TestTranscripts(t *testing.T) {
	quick := func(s *api.Scaling) {
		s.Stabilization, s.InCooldown = api.Duration(time.Minute), api.Duration(20*time.Second)
	}
	for _, tt := range []struct {
		name    string
		scaling func(*api.Scaling)
		seconds int
		load    func(s int) float64 // of which an instance can do 100
		before  func(f *fleet, s int)
	}{
		{name: "step", seconds: 900, load: func(s int) float64 {
			if s >= 60 && s < 300 {
				return 620
			}
			return 120
		}},
		{name: "ramp", seconds: 1800, scaling: quick, load: func(s int) float64 { return 100 + 0.6*math.Min(float64(s), float64(1800-s)) }},
		{name: "sine", seconds: 2400, scaling: quick, load: func(s int) float64 { return 400 + 300*math.Sin(float64(s)/1200*2*math.Pi) }},
		{name: "flash_crowd", seconds: 900, load: func(s int) float64 {
			if s >= 100 && s < 160 {
				return 1400
			}
			return 100
		}},
		{name: "noise", seconds: 600, load: func(int) float64 { return 280 }, before: func(f *fleet, s int) {
			f.noise = 0.2
		}},
		{name: "missing_metric", seconds: 900, scaling: quick, load: func(s int) float64 {
			if s > 300 {
				return 40
			}
			return 600
		}, before: func(f *fleet, s int) { f.blind = s >= 20 && s < 600 }},
		{name: "clock_back", seconds: 400, scaling: quick, load: func(s int) float64 {
			if s >= 120 {
				return 600
			}
			return 120
		}, before: func(f *fleet, s int) {
			if s == 110 {
				f.setClock(-time.Hour)
			}
		}},
		{name: "clock_forward", seconds: 400, scaling: quick, load: func(s int) float64 { return 420 }, before: func(f *fleet, s int) {
			if s == 200 {
				f.setClock(time.Hour)
			}
		}},
		{name: "steps", seconds: 600, scaling: func(s *api.Scaling) {
			quick(s)
			zero, twenty := 0.0, 20.0
			s.Targets, s.WarmUp = nil, api.Duration(5*time.Second)
			s.Steps = []api.StepPolicy{
				{Metric: api.MetricCPU, Threshold: 70, Steps: []api.Step{{From: &zero, To: &twenty, Change: 1}, {From: &twenty, Change: 50, Percent: true}}},
				{Metric: api.MetricCPU, Threshold: 30, Steps: []api.Step{{To: &zero, Change: -1}}},
			}
		}, load: func(s int) float64 {
			if s < 200 {
				return 500
			}
			return 60
		}},
		{name: "limits", seconds: 600, scaling: func(s *api.Scaling) { quick(s); s.OutLimit, s.InLimit = 2, 1 }, load: func(s int) float64 {
			if s < 200 {
				return 900
			}
			return 60
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := cpuAt70()
			if tt.scaling != nil {
				tt.scaling(&s)
			}
			f := newFleet(2, s)
			if tt.name == "noise" {
				f = newFleet(4, s)
			}
			r := rand.New(rand.NewPCG(7, 11))
			for i := range tt.seconds {
				if tt.before != nil {
					tt.before(f, i)
				}
				f.second(tt.load(i) * (1 + f.noise*(2*r.Float64()-1)))
			}
			var b bytes.Buffer
			for _, line := range f.log {
				fmt.Fprintln(&b, line)
			}
			fmt.Fprintf(&b, "in the end %d, %d reversals\n", f.desired, f.reversals())
			golden(t, tt.name, b.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is now\n%s\nwant\n%s\ngo test -update rewrites it", path, got, want)
	}
}
