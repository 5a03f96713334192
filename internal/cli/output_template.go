package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"unicode"

	"github.com/virga-cloud/virga/api"
)

// templateFuncs are Docker's, and two of virga's own.
var templateFuncs = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"join":     func(list []string, sep string) string { return strings.Join(list, sep) },
	"split":    strings.Split,
	"lower":    strings.ToLower,
	"upper":    strings.ToUpper,
	"title":    title,
	"pad":      pad,
	"truncate": truncate,
	"bytes":    api.FormatBytes,
	"short":    api.ShortID,
}

// pad puts spaces around s, unless it is empty.
func pad(s string, before, after int) string {
	if s == "" {
		return s
	}
	return strings.Repeat(" ", max(0, before)) + s + strings.Repeat(" ", max(0, after))
}

// truncate returns the first n characters of s.
func truncate(s string, n int) string {
	r := []rune(s)
	return string(r[:max(0, min(n, len(r)))])
}

// parseTemplate reads a --format. \t and \n stand for a tab and a line break,
// because shells do not make them.
func parseTemplate(text string) (*template.Template, error) {
	text = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text)
	t, err := template.New("format").Funcs(templateFuncs).Parse(text)
	if err != nil {
		_, why, _ := strings.Cut(err.Error(), "template: format:") // the line is always 1
		return nil, api.Errorf(api.CodeInvalid, "--format: %s", strings.TrimPrefix(why, "1: ")).
			WithHint("formats are Go templates, such as '{{.Name}} {{.Spec.Image}}'; `{{json .}}` shows the fields")
	}
	return t, nil
}

// templateError is the user's error of a template that does not fit what it is
// filled with.
func templateError(err error) *api.Error {
	text := err.Error()
	if e, ok := errors.AsType[template.ExecError](err); ok {
		text = e.Err.Error()
	}
	_, why, placed := strings.Cut(text, `executing "format" at `) // before it is where in the text
	if !placed {
		why = text
	}
	if at, field, ok := strings.Cut(why, ": can't evaluate field "); ok {
		name, _, _ := strings.Cut(field, " ")
		why = fmt.Sprintf("%s: there is no field %s", at, name)
	}
	return api.Errorf(api.CodeInvalid, "--format: %s", why).WithHint("`{{json .}}` shows the fields there are")
}

// headings are what stands above the columns of a table, by their keys.
type headings map[string]string

// Label heads the column of one label by the last part of its name.
func (h headings) Label(key string) string {
	return strings.ToUpper(key[strings.LastIndexByte(key, '.')+1:])
}

// line is the line above a table of a template: each field gives way to its
// heading. What asks more of a field is headed by the field's name.
func (h headings) line(t *template.Template, text string) string {
	for _, name := range fields(text) {
		if h[name] == "" {
			h[name] = strings.ToUpper(name)
		}
	}
	var b strings.Builder
	if t.Execute(&b, h) == nil {
		return b.String()
	}
	b.Reset()
	for part := range strings.SplitSeq(strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(text), "{{") {
		action, rest, closed := strings.Cut(part, "}}")
		if !closed {
			b.WriteString(part)
			continue
		}
		if names := fields(action); len(names) > 0 {
			b.WriteString(strings.ToUpper(names[len(names)-1]))
		}
		b.WriteString(rest)
	}
	return b.String()
}

// fields are the names that a template takes of its data: what follows a dot.
func fields(text string) []string {
	var names []string
	for part := range strings.SplitSeq(text, ".") {
		end := strings.IndexFunc(part, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if end < 0 {
			end = len(part)
		}
		names = append(names, part[:end])
	}
	return names[1:]
}
