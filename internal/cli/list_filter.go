package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/virga-cloud/virga/api"
)

// filterKeys are the filters of a list of T, each with what makes its test.
type filterKeys[T any] map[string]func(value string) (func(T) bool, error)

// parse makes one test of --filter KEY=VALUE…: of several with the same key one
// has to be met, of labels all.
func (k filterKeys[T]) parse(texts []string) (func(T) bool, error) {
	tests := map[string][]func(T) bool{}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, api.Invalid("filter", "filter %q: want KEY=VALUE", text)
		}
		testOf, ok := k[key]
		if !ok {
			return nil, api.Invalid("filter", "filter %q is not known", key).
				WithHint("use %s", strings.Join(slices.Sorted(maps.Keys(k)), ", "))
		}
		test, err := testOf(value)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(key, "label") {
			key = text // each on its own
		}
		tests[key] = append(tests[key], test)
	}
	return func(v T) bool {
		for _, ofKey := range tests {
			if !slices.ContainsFunc(ofKey, func(t func(T) bool) bool { return t(v) }) {
				return false
			}
		}
		return true
	}, nil
}

// textFilter makes a filter by a text of T.
func textFilter[T any](of func(v T, value string) bool) func(string) (func(T) bool, error) {
	return func(value string) (func(T) bool, error) {
		return func(v T) bool { return of(v, value) }, nil
	}
}

// switchFilter makes a filter that is true or false.
func switchFilter[T any](key string, of func(T) bool) func(string) (func(T) bool, error) {
	return func(value string) (func(T) bool, error) {
		if value != "true" && value != "false" {
			return nil, api.Invalid("filter", "filter %s=%q: want true or false", key, value)
		}
		return func(v T) bool { return of(v) == (value == "true") }, nil
	}
}

// objectFilters are those of all that has a name, an id and labels.
func objectFilters[T any](meta func(T) api.Meta) filterKeys[T] {
	return filterKeys[T]{
		"name":  textFilter(func(v T, want string) bool { return named(meta(v).Name, want) }),
		"id":    textFilter(func(v T, want string) bool { return strings.HasPrefix(meta(v).ID, want) }),
		"label": textFilter(func(v T, want string) bool { return api.Labelled(meta(v).Labels, want) }),
	}
}
