package api

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// encode returns v as json.Marshal does. What that prepares for a type, down to
// its last field, is for values to come; the command encodes one request in its
// life, with few of its fields set, and this looks at those only. What has
// rules of its own is left to json.Marshal.
func encode(v any) ([]byte, error) { return appendJSON(nil, reflect.ValueOf(v)) }

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// appendJSON appends v to b.
func appendJSON(b []byte, v reflect.Value) ([]byte, error) {
	if !v.IsValid() {
		return append(b, "null"...), nil
	}
	t := v.Type()
	if v.CanAddr() && encodesItself(reflect.PointerTo(t)) {
		return appendByStd(b, v.Addr())
	}
	if encodesItself(t) {
		return appendByStd(b, v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, "null"...), nil
		}
		return appendJSON(b, v.Elem())
	case reflect.Struct:
		return appendStruct(b, v)
	case reflect.Slice:
		if v.IsNil() || t.Elem().Kind() == reflect.Uint8 {
			return appendByStd(b, v)
		}
		return appendSlice(b, v)
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	}
	return appendByStd(b, v)
}

func encodesItself(t reflect.Type) bool {
	return t.Implements(jsonMarshaler) || t.Implements(textMarshaler)
}

func appendByStd(b []byte, v reflect.Value) ([]byte, error) {
	j, err := json.Marshal(v.Interface())
	return append(b, j...), err
}

func appendSlice(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	t, start, first := v.Type(), len(b), true
	b = append(b, '{')
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous || strings.Contains(tag, ",string") {
			return appendByStd(b[:start], v)
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = f.Name
		}
		value := v.Field(i)
		if omitted(value, options) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(strconv.AppendQuote(b, name), ':') // names are plain letters
		var err error
		if b, err = appendJSON(b, value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// omitted reports whether a field's options leave its value out.
func omitted(v reflect.Value, options string) bool {
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "omitempty":
			switch v.Kind() {
			case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
				if v.Len() == 0 {
					return true
				}
			case reflect.Struct:
			default:
				if v.IsZero() {
					return true
				}
			}
		case "omitzero":
			if isZero(v) {
				return true
			}
		}
	}
	return false
}

// isZero asks the value, where it has an opinion.
func isZero(v reflect.Value) bool {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	z, ok := p.Interface().(interface{ IsZero() bool })
	if !ok || v.Kind() == reflect.Pointer && v.IsNil() {
		return v.IsZero()
	}
	return z.IsZero()
}
