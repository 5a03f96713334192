package cli

import (
	"encoding/json"
	"testing"
)

// reads compares what a parser makes of texts with JSON; "" is an error.
func reads[T any](t *testing.T, parse func(string) (T, error), cases map[string]string) {
	t.Helper()
	for text, want := range cases {
		v, err := parse(text)
		got := ""
		if err == nil {
			b, _ := json.Marshal(v)
			got = string(b)
		}
		if got != want {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestParseStep(t *testing.T) {
	reads(t, parseStep, map[string]string{
		"cpu:70=+1":           `{"metric":"cpu","threshold":70,"steps":[{"from":0,"change":1}]}`,
		"cpu:70=+1,90=+50%":   `{"metric":"cpu","threshold":70,"steps":[{"from":0,"to":20,"change":1},{"from":20,"change":50,"percent":true}]}`,
		"queue:<30=-1,<10=-2": `{"metric":"queue","threshold":30,"steps":[{"from":-20,"to":0,"change":-1},{"to":-20,"change":-2}]}`,
		"memory:95=8":         `{"metric":"memory","threshold":95,"steps":[{"from":0,"change":8,"exact":true}]}`,
		"cpu":                 "", "cpu:70": "", "cpu:x=+1": "", "cpu:70=+x": "", "cpu:70=50%": "", "cpu:70=+1.5": "",
		"cpu:70=+1,60=+2": "", "cpu:<30=-1,<40=-2": "", "cpu:70=+1,<30=-1": "", "cpu:NaN=+1": "",
	})
}

func TestParseSchedule(t *testing.T) {
	reads(t, parseSchedule, map[string]string{
		"0 8 * * mon-fri=4:20": `{"cron":"0 8 * * mon-fri","min":4,"max":20}`,
		"0 8 * * *=:20:6":      `{"cron":"0 8 * * *","max":20,"desired":6}`,
		"0 8 * * *=4":          "", "0 8 * * *=1:2:3:4": "", "0 8 * * *=a:b": "", "0 8 * * *": "",
	})
}

func FuzzStep(f *testing.F) {
	for _, s := range []string{"cpu:70=+1,90=+50%", "cpu:<30=-1", "queue:1=5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseStep(s)
		if err != nil {
			return
		}
		for _, step := range p.Steps {
			if step.From == nil && step.To == nil || step.From != nil && step.To != nil && *step.From >= *step.To && p.Threshold < 1e15 && p.Threshold > -1e15 {
				t.Errorf("%q makes %+v", s, step)
			}
		}
	})
}
