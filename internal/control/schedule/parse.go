package schedule

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
)

// Parse checks a placement as it was asked for; nil is one that leaves all
// open. The error is an *api.Error that names the field.
func Parse(p *api.Placement) (out Placement, err error) {
	if p == nil {
		return out, nil
	}
	switch p.Strategy {
	case "", "spread":
	case "pack":
		out.Strategy = Pack
	default:
		return out, api.Invalid("spec.placement.strategy", "unknown strategy %q", p.Strategy).WithHint("one of spread, pack")
	}
	if out.MaxPerNode = p.MaxPerNode; p.MaxPerNode < 0 {
		return out, api.Invalid("spec.placement.maxPerNode", "%d instances on a node are less than 0", p.MaxPerNode)
	}
	if out.Over = p.Over; p.Over != "" {
		if _, err := api.ParseCondition(p.Over + "=x"); err != nil {
			return out, api.Invalid("spec.placement.over", "%q is not a label", p.Over)
		}
	}
	if out.Nodes, err = conditions("nodes", p.Nodes); err != nil {
		return out, err
	}
	if out.With, err = labels("with", p.With); err != nil {
		return out, err
	}
	out.Apart, err = labels("apart", p.Apart)
	return out, err
}

// most is how many conditions of one kind a placement may have.
const most = 64

func conditions(field string, texts []string) (list []api.Condition, err error) {
	if len(texts) > most {
		return nil, api.Invalid("spec.placement."+field, "more than %d conditions", most)
	}
	for i, text := range texts {
		c, err := api.ParseCondition(text)
		if err != nil {
			return nil, api.Invalid(fmt.Sprintf("spec.placement.%s[%d]", field, i), "%s", err).WithHint("such as zone=a")
		}
		list = append(list, c)
	}
	return list, nil
}

func labels(field string, texts []string) (list []Label, err error) {
	all, err := conditions(field, texts)
	for i, c := range all {
		if c.Not {
			return nil, api.Invalid(fmt.Sprintf("spec.placement.%s[%d]", field, i), "%q: want KEY=VALUE", texts[i])
		}
		list = append(list, Label{c.Key, c.Value})
	}
	return list, err
}
