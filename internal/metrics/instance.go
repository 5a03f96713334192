package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/virga-cloud/virga/api"
)

// instanceFamilies are the metrics of an instance that come from its object
// and its account.
type instanceFamilies struct {
	info, phase, starts, restarts                      family
	usage, balance, surplus, charged, creditCap, earns family
	readings                                           []reading
}

func newInstanceFamilies() instanceFamilies {
	make := func(kind prometheus.ValueType, name, help string, labels ...string) family {
		return family{name: "virga_instance_" + name, help: help, kind: kind, labels: labels}.described(instanceLabels...)
	}
	return instanceFamilies{
		info:      make(gauge, "info", "1; what the instance is", "node", "type", "family", "image", "isolation", "group"),
		phase:     make(gauge, "phase", "1 for the phase it is in", "phase"),
		starts:    make(counter, "starts_total", "Lives begun"),
		restarts:  make(gauge, "restarts", "Restarts by its policy since it was last started"),
		usage:     make(counter, "cpu_credit_usage_total", "CPU credits spent since launch; burst types only"),
		balance:   make(gauge, "cpu_credit_balance", "CPU credits left, launch credits included"),
		surplus:   make(gauge, "cpu_surplus_credit_balance", "CPU credits spent in advance"),
		charged:   make(counter, "cpu_surplus_credits_charged_total", "Surplus CPU credits that are to be paid for"),
		creditCap: make(gauge, "cpu_credit_cap", "Most CPU credits that can accrue"),
		earns:     make(gauge, "cpu_credit_earn_per_hour", "CPU credits earned in an hour"),
		readings:  readings(),
	}
}

func (f instanceFamilies) all() []family {
	all := []family{f.info, f.phase, f.starts, f.restarts, f.usage, f.balance, f.surplus, f.charged, f.creditCap, f.earns}
	for _, r := range f.readings {
		all = append(all, r.family)
	}
	return all
}

// sender sends metrics of one instance.
type sender struct {
	in  *api.Instance
	out chan<- prometheus.Metric
}

func (s sender) send(f family, v float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(f.desc, f.kind, v, append([]string{s.in.ID, s.in.Name, s.in.Project}, labels...)...)
}

func (f instanceFamilies) object(s sender) {
	in := s.in
	class, isolation := api.FamilyCustom, in.Spec.Isolation
	if in.Type != nil {
		class = in.Type.Family
	}
	if isolation == "" {
		isolation = api.IsolationContainer
	}
	s.send(f.info, 1, in.Node, in.TypeName(), string(class), in.Spec.Image, string(isolation), in.Group)
	s.send(f.phase, 1, string(in.Status.Phase))
	s.send(f.starts, float64(in.Status.Starts))
	s.send(f.restarts, float64(in.Status.Restarts))
}

func (f instanceFamilies) stats(s sender, st api.Stats) {
	for _, r := range f.readings {
		if v, ok := r.value(st); ok {
			s.send(r.family, v)
		}
	}
}

func (f instanceFamilies) credits(s sender, c api.CPUCredits) {
	s.send(f.usage, c.Usage)
	s.send(f.balance, c.Balance)
	s.send(f.surplus, c.Surplus)
	s.send(f.charged, c.Charged)
	s.send(f.creditCap, c.Cap)
	s.send(f.earns, c.EarnPerHour)
}
