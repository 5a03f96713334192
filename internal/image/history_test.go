package image

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/virga-cloud/virga/api"
)

func TestSteps(t *testing.T) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	base, top := api.ImageLayer{DiffID: "base", Size: 10}, api.ImageLayer{DiffID: "top", Size: 5}
	told := []v1.History{
		{CreatedBy: "ADD root", Created: v1.Time{Time: made}, Author: "a", Comment: "c"},
		{CreatedBy: "ENV A=b", EmptyLayer: true},
		{CreatedBy: "COPY app"},
	}
	add := api.ImageStep{CreatedBy: "ADD root", Created: made, Author: "a", Comment: "c", DiffID: "base", Size: 10}
	env := api.ImageStep{CreatedBy: "ENV A=b"}
	for name, test := range map[string]struct {
		told   []v1.History
		layers []api.ImageLayer
		want   []api.ImageStep
	}{
		"told well":             {told, []api.ImageLayer{base, top}, []api.ImageStep{{CreatedBy: "COPY app", DiffID: "top", Size: 5}, env, add}},
		"nothing told":          {nil, []api.ImageLayer{base, top}, []api.ImageStep{{DiffID: "top", Size: 5}, {DiffID: "base", Size: 10}}},
		"more told than is":     {told, []api.ImageLayer{base}, []api.ImageStep{{CreatedBy: "COPY app"}, env, add}},
		"less told than is":     {told[:2], []api.ImageLayer{base, top}, []api.ImageStep{{DiffID: "top", Size: 5}, env, add}},
		"nothing told, nothing": {nil, nil, []api.ImageStep{}},
	} {
		if d := cmp.Diff(test.want, steps(test.told, test.layers)); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

func TestHistory(t *testing.T) {
	s := openStore(t)
	i := mustImport(t, s, "x:1", tarOf(t, smallRoot...))
	list, err := s.History(t.Context(), "x:1")
	if err != nil || len(list) == 0 || list[0].DiffID != i.Layers[0].DiffID || list[0].Size != i.Size {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := s.History(t.Context(), "none"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("%v", err)
	}
}
