package api

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill sets v to something, each part of it with the probability p.
func fill(r *rand.Rand, v reflect.Value, p float64, depth int) {
	if !v.CanSet() || r.Float64() > p || depth > 8 {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64() >> r.IntN(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(int(r.NormFloat64()*1e4)) / 16)
	case reflect.String:
		v.SetString([]string{"", "a", "ü<&>", "\"q\"\n\x00", "\xff", "long and plain"}[r.IntN(6)])
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem(), p, depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i), p, depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), p, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key, 1, depth+1)
			fill(r, value, p, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), p, depth+1)
		}
	}
}

// odd has what encode leaves to json.Marshal, and options in all their forms.
type odd struct {
	Meta
	Text    string `json:",omitempty"`
	Renamed int    `json:"x"`
	Hidden  int    `json:"-"`
	hidden  int
	Quoted  oddQuoted
	Even    evenZero            `json:"even,omitzero"`
	Any     any                 `json:"any,omitempty"`
	Zero    struct{ A, B int }  `json:"zero,omitzero"`
	Empty   struct{ A, B int }  `json:"empty,omitempty"`
	Pointer *struct{ T Secret } `json:"pointer,omitempty"`
	Time    time.Time           `json:"time,omitzero"`
	Gone    *time.Time          `json:"gone,omitzero"`
	Bytes   []byte              `json:"bytes,omitempty"`
	Array   [2]Duration
	Raw     json.RawMessage `json:"raw,omitempty"`
	Plain   struct {
		List []*int `json:"list"`
		F    float32
		M    map[string]Duration `json:"m,omitempty"`
	}
}

// evenZero is zero by a method of its pointer.
type evenZero int

func (n *evenZero) IsZero() bool { return *n%2 == 0 }

type oddQuoted struct {
	Even evenZero `json:"even,omitzero"`

	N int `json:"n,string"`
}

func TestEncodeIsJSON(t *testing.T) {
	types := []any{CreateRequest{}, UpdateRequest{}, StopRequest{}, ExecSpec{}, SessionControl{}, Group{}, Instance{}, Network{}, Service{}, PullRequest{}, odd{}}
	r := rand.New(rand.NewPCG(1, 2))
	for _, zero := range types {
		for n := range 300 {
			v := reflect.New(reflect.TypeOf(zero))
			fill(r, v.Elem(), []float64{1, 0.9, 0.5}[n%3], 0)
			for _, v := range []any{v.Interface(), v.Elem().Interface()} {
				if o, ok := v.(odd); ok {
					o.hidden, o.Raw, o.Any = 1, json.RawMessage(`{"a": [1]}`), []any{1, "x", o.Zero}
					v = o
				} else if o, ok := v.(*odd); ok {
					o.Raw = nil
				}
				want, wantErr := json.Marshal(v)
				got, err := encode(v)
				if (err == nil) != (wantErr == nil) {
					t.Fatalf("%T: error %v, want %v", v, err, wantErr)
				}
				if d := cmp.Diff(string(want), string(got)); err == nil && d != "" {
					t.Fatalf("%T:\n%s", v, d)
				}
			}
		}
		var nothing *CreateRequest
		for _, v := range []any{zero, nil, nothing, []string{"a"}, map[string]int{"b": 1, "a": 2}, 1.5} {
			want, _ := json.Marshal(v)
			if got, err := encode(v); err != nil || string(got) != string(want) {
				t.Errorf("%#v: %s, %v; want %s", v, got, err, want)
			}
		}
	}
	if _, err := encode(struct{ C chan int }{}); err == nil || !strings.Contains(err.Error(), "chan") {
		t.Errorf("a channel: %v", err)
	}
}
