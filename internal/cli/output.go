package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

// listFlags are the flags of every command that lists.
type listFlags struct {
	json    bool
	format  string
	quiet   bool
	noTrunc bool
}

func (l *listFlags) register(f *pflag.FlagSet) {
	f.BoolVar(&l.json, "json", false, "print JSON")
	f.StringVar(&l.format, "format", "", "print with a Go `template`; \"table …\" adds headings, \"json\" prints an object a line")
	f.BoolVarP(&l.quiet, "quiet", "q", false, "print only names or ids")
	f.BoolVar(&l.noTrunc, "no-trunc", false, "print values whole")
}

// column is one column of a table of R. Its key names it in templates.
type column[R any] struct {
	key, header string
	value       func(R) string
}

// listing is what a list is printed from: rows for people and templates, and
// objects for JSON.
type listing[R any] struct {
	columns []column[R]
	rows    []R
	objects any // slice of API types
	quiet   func(R) string
	object  func(R) any // API type of a row
}

// show prints the listing as the flags ask.
func (l listing[R]) show(a *App, f listFlags) error {
	switch {
	case f.json:
		return printJSON(a.Out, l.objects)
	case f.format == "json":
		w := bufio.NewWriter(a.Out)
		enc := json.NewEncoder(w)
		for _, r := range l.rows {
			if err := enc.Encode(l.object(r)); err != nil {
				return err
			}
		}
		return w.Flush()
	case f.quiet:
		for _, r := range l.rows {
			fmt.Fprintln(a.Out, l.quiet(r))
		}
		return nil
	case f.format != "" && f.format != "table":
		return l.template(a.Out, f.format)
	}
	return l.table(a.Out)
}

func (l listing[R]) table(out io.Writer) error {
	w := newTable(out)
	for i, c := range l.columns {
		if i > 0 {
			io.WriteString(w, "\t")
		}
		io.WriteString(w, c.header)
	}
	io.WriteString(w, "\n")
	for _, r := range l.rows {
		for i, c := range l.columns {
			if i > 0 {
				io.WriteString(w, "\t")
			}
			io.WriteString(w, cell(c.value(r)))
		}
		io.WriteString(w, "\n")
	}
	return w.Flush()
}

// newTable aligns cells that tabs separate. The last cell of a line must not
// be followed by a tab, so that lines have no trailing space.
func newTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 8, 3, ' ', 0) }

func (l listing[R]) template(out io.Writer, format string) error {
	text, headed := strings.CutPrefix(format, "table ")
	t, err := parseTemplate(text)
	if err != nil {
		return err
	}
	w := newTable(out)
	if headed {
		heads := headings{}
		for _, c := range l.columns {
			heads[c.key] = c.header
		}
		io.WriteString(w, heads.line(t, text)+"\n")
	}
	for _, r := range l.rows {
		if err := t.Execute(w, r); err != nil {
			return templateError(err)
		}
		io.WriteString(w, "\n")
	}
	return w.Flush()
}

// inspected prints objects that were inspected: a JSON array, or each by template.
func (a *App) inspected(objects []any, format string) error {
	if format == "" || format == "json" {
		return printJSON(a.Out, objects)
	}
	t, err := parseTemplate(format)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := t.Execute(a.Out, o); err != nil {
			e := templateError(err)
			if hint := inspectHint(format); hint != "" {
				e = e.WithHint("%s", hint)
			}
			return e
		}
		fmt.Fprintln(a.Out)
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if string(b) == "null" {
		b = []byte("[]")
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
