package compose

import (
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// ordered sorts workloads so that each comes after those it depends on, else
// by name, and refuses circles.
func ordered(all []Workload) ([]Workload, error) {
	byService := map[string]Workload{}
	var services []string
	for _, w := range all {
		byService[w.Service] = w
		services = append(services, w.Service)
	}
	slices.Sort(services)
	var out []Workload
	done, path := map[string]bool{}, []string{}
	var visit func(string) error
	visit = func(s string) error {
		if i := slices.Index(path, s); i >= 0 {
			circle := strings.Join(append(slices.Clone(path[i:]), s), " → ")
			return api.Errorf(api.CodeInvalid, "services depend on each other in a circle: %s", circle).
				InField("services." + s + ".depends_on").
				WithHint("no service can start before the one it depends on: take one depends_on of the circle away")
		}
		w, ok := byService[s]
		if done[s] || !ok {
			return nil
		}
		path = append(path, s)
		for _, d := range w.After {
			if err := visit(d.Service); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		done[s] = true
		out = append(out, w)
		return nil
	}
	for _, s := range services {
		if err := visit(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}
