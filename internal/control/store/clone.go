package store

import (
	"net/netip"
	"reflect"
	"sync"
	"time"
)

// clone copies what v points to, deeply, so that neither the original nor the
// copy can be changed through the other. It knows the shapes API objects are
// made of: structs, slices, maps and pointers of plain values.
func clone[T any](v *T) *T {
	out := *v
	cloneInto(reflect.ValueOf(&out).Elem())
	return &out
}

// cloneInto replaces everything v refers to by copies.
func cloneInto(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, i := range referring(v.Type()) {
			cloneInto(v.Field(i))
		}
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(v.Elem())
		cloneInto(p.Elem())
		v.Set(p)
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		s := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(s, v)
		if refers(v.Type().Elem()) {
			for i := range s.Len() {
				cloneInto(s.Index(i))
			}
		}
		v.Set(s)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		m := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(it.Value())
			cloneInto(e)
			m.SetMapIndex(it.Key(), e)
		}
		v.Set(m)
	}
}

// fields remembers, by struct type, the fields that refer to something.
var fields sync.Map // reflect.Type → []int

func referring(t reflect.Type) []int {
	if f, ok := fields.Load(t); ok {
		return f.([]int)
	}
	var f []int
	for i := range t.NumField() {
		if refers(t.Field(i).Type) {
			f = append(f, i)
		}
	}
	fields.Store(t, f)
	return f
}

// refers reports whether a value of type t can share memory that a caller
// could change.
func refers(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix]():
		return false // immutable, though they hold pointers
	}
	switch t.Kind() {
	case reflect.Struct:
		return len(referring(t)) > 0
	case reflect.Array:
		return refers(t.Elem())
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return true
	}
	return false
}
