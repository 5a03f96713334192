package compose

import (
	"bytes"
	"encoding/json"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/virga-cloud/virga/api"
)

// virga is the extension x-virga of a service: what Compose has no words for.
type virga struct {
	Type      string         `json:"type"`      // instance type
	Isolation api.Isolation  `json:"isolation"` // container, microvm, …
	Credits   api.CreditMode `json:"credits"`
	Spot      *spot          `json:"spot"`
	Autoscale *autoscale     `json:"autoscale"`
}

// autoscale makes the number of instances follow the load: bounds, targets in
// short, and all of api.Scaling.
type autoscale struct {
	Min int `json:"min"`
	Max int `json:"max"`

	CPU      float64 `json:"cpu"`      // per cent
	Memory   float64 `json:"memory"`   // per cent
	Network  float64 `json:"network"`  // bytes per second
	Requests float64 `json:"requests"` // per second and instance
	Latency  float64 `json:"latency"`  // p95 in milliseconds

	api.Scaling
}

// spot makes the instances spot ones: true, or how.
type spot struct {
	api.Spot
	api.Purchase
	off bool
}

// UnmarshalJSON reads true, false or the fields.
func (s *spot) UnmarshalJSON(b []byte) error {
	var plain bool
	if json.Unmarshal(b, &plain) == nil {
		s.off = !plain
		return nil
	}
	type fields spot
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*fields)(s))
}

// readVirga reads the extension; a word it does not know is an error.
func readVirga(field string, x types.Extensions) (v virga, err error) {
	raw, ok := x["x-virga"]
	if !ok {
		return v, nil
	}
	b, err := json.Marshal(raw)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(&v)
	}
	if err != nil {
		return v, api.Invalid(field+".x-virga", "%s.x-virga: %s", field, err).
			WithHint("it has type, isolation, credits, spot and autoscale")
	}
	if v.Spot != nil && v.Spot.off {
		v.Spot = nil
	}
	return v, nil
}

func (a *autoscale) apply(field string, g *api.GroupSpec) error {
	field += ".x-virga.autoscale"
	g.Min, g.Max = max(a.Min, 0), a.Max
	if a.Max < 1 || a.Min > a.Max {
		return api.Invalid(field+".max", "%s: max %d is less than 1 or than min %d", field, a.Max, a.Min)
	}
	g.Desired = min(max(g.Desired, g.Min), g.Max)
	s := a.Scaling
	for _, t := range []api.TargetPolicy{
		{Metric: api.MetricCPU, Target: a.CPU}, {Metric: api.MetricMemory, Target: a.Memory},
		{Metric: api.MetricNetwork, Target: a.Network}, {Metric: api.MetricRequests, Target: a.Requests},
		{Metric: api.MetricLatency, Target: a.Latency},
	} {
		if t.Target > 0 {
			s.Targets = append(s.Targets, t)
		}
	}
	if len(s.Targets)+len(s.Steps)+len(s.Schedules) == 0 {
		return api.Invalid(field, "%s has no policy", field).WithHint("name a target, such as cpu: 70")
	}
	g.Scaling = &s
	return nil
}
