package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/catalogue"
	"github.com/virga-cloud/virga/internal/control/store"
)

// Types are the instance types there are: those of the operator's file, which
// may replace built-in ones, the built-in ones, and those made while virga
// runs. Its methods may be called concurrently.
type Types struct {
	Store *store.Store
	File  []api.InstanceType
	// Prices are the operator's; without a currency they are the default ones.
	Prices api.Rates
}

// Rates are the list prices that are not a type's.
func (t Types) Rates() api.Rates {
	if t.Prices.Currency == "" {
		return catalogue.DefaultRates()
	}
	return t.Prices
}

// List returns every type once: family by family, smallest first.
func (t Types) List() []api.InstanceType {
	all := t.fixed()
	for _, made := range t.Store.Types.Views() {
		if _, taken := find(all, made.Name); !taken {
			all = append(all, made.Type)
		}
	}
	slices.SortStableFunc(all, func(a, b api.InstanceType) int {
		if c := strings.Compare(string(a.Family), string(b.Family)); c != 0 {
			return c
		}
		return bySize(a, b)
	})
	return all
}

// fixed are the types that only a restart changes.
func (t Types) fixed() []api.InstanceType {
	all := slices.Clone(t.File)
	for _, b := range catalogue.BuiltIn(t.Rates()) {
		if _, replaced := find(t.File, b.Name); !replaced {
			all = append(all, b)
		}
	}
	return all
}

// Find returns the type of that name, or NotFound.
func (t Types) Find(name string) (api.InstanceType, error) {
	all := t.List()
	if x, ok := find(all, name); ok {
		return x, nil
	}
	err := api.Errorf(api.CodeNotFound, "no instance type %q", name).InField("spec.type")
	if family, _, _ := strings.Cut(name, "."); family != "" {
		var like []string
		for _, x := range all {
			if strings.HasPrefix(x.Name, family+".") {
				like = append(like, x.Name)
			}
		}
		if like != nil {
			return api.InstanceType{}, err.WithHint("there are %s", strings.Join(like, ", "))
		}
	}
	return api.InstanceType{}, err.WithHint("virga type ls lists the types there are")
}

// Custom is the type of an instance with free-form limits, at the rates.
func (t Types) Custom(r api.Resources) *api.InstanceType {
	c := api.CustomType(r)
	c.PricePerHour = catalogue.Price(t.Rates(), c.VCPUs, c.Memory)
	return c
}

// Price is what an hour of an instance costs: a spot instance's at present. One
// without limits has no price.
func (t Types) Price(in *api.Instance) float64 {
	if in.Spec.Spot != nil && in.Spot != nil && in.Spot.Price > 0 {
		return in.Spot.Price
	}
	return t.OnDemand(in)
}

// OnDemand is what an hour of an instance costs as an on-demand one.
func (t Types) OnDemand(in *api.Instance) float64 {
	if in.Type == nil || in.Type.Family == api.FamilyCustom && in.Type.PricePerHour == 0 {
		return t.Custom(in.Spec.Resources).PricePerHour
	}
	return in.Type.PricePerHour
}

func find(types []api.InstanceType, name string) (api.InstanceType, bool) {
	i := slices.IndexFunc(types, func(x api.InstanceType) bool { return x.Name == name })
	if i < 0 {
		return api.InstanceType{}, false
	}
	return types[i], true
}

// Create adds a type.
func (t Types) Create(ctx context.Context, x api.InstanceType) (api.InstanceType, error) {
	x = catalogue.WithDefaults(x, t.Rates())
	x.Origin = api.OriginOperator
	if err := catalogue.Validate(x); err != nil {
		return x, err
	}
	if other, taken := find(t.fixed(), x.Name); taken {
		return x, api.Errorf(api.CodeConflict, "the type %s is %s", x.Name, whence(other)).InField("name").
			WithHint("choose another name; a file of types may replace a built-in type")
	}
	return x, t.Store.Types.Create(ctx, &store.Type{
		Meta: api.Meta{ID: NewID(), Name: x.Name, Created: time.Now().UTC()}, Type: x,
	})
}

// Remove takes a type away that Create added. Instances have a copy of theirs.
func (t Types) Remove(ctx context.Context, name string) error {
	if made, err := t.Store.Types.ByName("", name); err == nil {
		return t.Store.Types.Delete(ctx, made.ID)
	}
	x, err := t.Find(name)
	if err != nil {
		return err
	}
	return api.Errorf(api.CodeConflict, "the type %s is %s and cannot be removed", name, whence(x)).
		WithHint("types made with virga type create can")
}

func whence(t api.InstanceType) string {
	if t.Origin == api.OriginFile {
		return "defined in the daemon's file of types"
	}
	return "built in"
}

// bySize orders types of one family.
func bySize(a, b api.InstanceType) int {
	switch {
	case a.VCPUs*max(a.Baseline, 0.001) < b.VCPUs*max(b.Baseline, 0.001):
		return -1
	case a.VCPUs*max(a.Baseline, 0.001) > b.VCPUs*max(b.Baseline, 0.001):
		return 1
	case a.Memory != b.Memory:
		return int(min(max(a.Memory-b.Memory, -1), 1))
	}
	return strings.Compare(a.Name, b.Name)
}
