package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree is a program with a command of each kind; what is run is written to it.
type tree struct {
	bytes.Buffer
	root   *Command
	server string
}

func newTree() *tree {
	t := &tree{}
	said := func(c *Command, args []string) error {
		fmt.Fprintf(t, "%s %q", c.Path(), args)
		return nil
	}
	t.root = &Command{Use: "prog", Short: "A program", Out: t, Run: said, Args: func(c *Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("no %s, perhaps %v", args[0], c.Suggestions(args[0]))
		}
		return nil
	}, BadFlag: func(c *Command, err error) error { return fmt.Errorf("%s: %w", c.Path(), err) }}
	t.root.PersistentFlags().StringVar(&t.server, "server", "", "the `server`")
	run := &Command{Use: "run IMAGE [ARG...]", Short: "Run it", Example: "  prog run x", Run: said,
		Complete: func(_ *Command, args []string, _ string) ([]string, Completion) {
			if len(args) > 0 {
				return nil, Files
			}
			return []string{"app:1\tfirst", "app:2", "base"}, WordsOnly
		}}
	run.Flags().SetInterspersed(false)
	run.Flags().StringP("name", "n", "", "a `name`")
	run.Flags().BoolP("detach", "d", false, "leave it")
	run.Flags().Bool("secret", false, "")
	_ = run.Flags().MarkHidden("secret")
	run.Flags().String("kind", "", "a `kind`")
	run.Values = map[string]func(*Command, []string, string) ([]string, Completion){
		"kind": func(*Command, []string, string) ([]string, Completion) {
			return []string{"large\tbig", "little", "small"}, WordsOnly
		},
	}
	box := &Command{Use: "box", Short: "Boxes", Args: NoArgs}
	list := &Command{Use: "ls [flags]", Aliases: []string{"list"}, Short: "List", Run: said}
	list.Flags().BoolP("all", "a", false, "all of them")
	list.Flags().Bool("some", false, "some of them")
	list.Flags().String("server", "", "another one")
	list.Exclusive("all", "some")
	box.Add(list, &Command{Use: "kind a|b", Words: []string{"aa", "b"}, Run: said})
	t.root.Add(run, box, &Command{Use: "raw", Raw: true, Run: said},
		&Command{Use: "rum", Hidden: true, Short: "Hidden", Run: said}) // and so neither listed, offered nor suggested
	return t
}

func TestExecute(t *testing.T) {
	for args, want := range map[string]string{
		"":                              `prog []`,
		"run -d -n web x -d --name y":   `prog run ["x" "-d" "--name" "y"]`,
		"--server s run x":              `prog run ["x"]`,
		"--server=s box list -a y":      `prog box ls ["y"]`,
		"box --server list ls":          `prog box ls []`, // the value is no command
		"raw -x --help":                 `prog raw ["-x" "--help"]`,
		"box kind --server s -- --help": `prog box kind ["--help"]`,
		"--name run run x":              `prog run ["x"]`,                                 // a flag of the command's before its name
		"-n run -d run x":               `error: prog: unknown shorthand flag: 'n' in -n`, // -d is none of the root's
		"rum x":                         `prog rum ["x"]`,
		"rnu":                           `error: no rnu, perhaps [run raw]`,
		"box nothing":                   `error: prog box takes no argument, not "nothing"`,
		"run --frob":                    `error: prog run: unknown flag: --frob`,
		"box ls --all --some":           `error: prog box ls: --all and --some exclude each other`,
		"run --name":                    `error: prog run: flag needs an argument: --name`,
		"run -dn":                       `error: prog run: flag needs an argument: 'n' in -n`,
		"run -dn web x":                 `prog run ["x"]`,
	} {
		p := newTree()
		if _, err := p.root.Execute(t.Context(), strings.Fields(args)); err != nil {
			fmt.Fprintf(p, "error: %s", err)
		}
		if got := p.String(); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

func TestHelpOfTheRoot(t *testing.T) {
	for _, args := range []string{"--help run", "-h", "help", "--server s --help"} {
		p := newTree()
		if _, err := p.root.Execute(t.Context(), strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		want := "A program\n"
		if args == "--help run" {
			want = "Run it\n"
		}
		if !strings.HasPrefix(p.String(), want) {
			t.Errorf("%s:\n%s", args, &p.Buffer)
		}
	}
}

func TestHelp(t *testing.T) {
	want := `Run it

Usage:
  prog run IMAGE [ARG...] [flags]

Examples:
  prog run x

Flags:
  -d, --detach      leave it
  -h, --help        help for run
      --kind kind   a kind
  -n, --name name   a name

Global Flags:
      --server server   the server
`
	for _, args := range [][]string{{"run", "--help"}, {"run", "-h"}, {"help", "run"}, {"run", "-d", "--help", "x"}} {
		p := newTree()
		if c, err := p.root.Execute(t.Context(), args); err != nil || c.Name() != "run" {
			t.Fatalf("%v: %s, %v", args, c.Name(), err)
		}
		if d := cmp.Diff(want, p.String()); d != "" {
			t.Errorf("%v:\n%s", args, d)
		}
	}
	p := newTree()
	if _, err := p.root.Execute(t.Context(), []string{"box"}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"  prog box [command]\n", "Available Commands:\n  kind        \n  ls          List\n"} {
		if !strings.Contains(p.String(), line) {
			t.Errorf("no %q in\n%s", line, &p.Buffer)
		}
	}
	p = newTree()
	if _, err := p.root.Execute(t.Context(), []string{"box", "ls", "--help"}); err != nil {
		t.Fatal(err)
	}
	if s := p.String(); strings.Contains(s, "Global Flags") || !strings.Contains(s, "another one") {
		t.Errorf("the flag from above is not hidden by the command's own:\n%s", s)
	}
}

func TestComplete(t *testing.T) {
	for typed, want := range map[string]string{
		"r":                "raw\nrun\tRun it\n:1\n",
		"box ":             "kind\nls\tList\n:1\n",
		"box kind a":       "aa\n:1\n",
		"box kind aa ":     ":0\n",
		"run ":             "app:1\tfirst\napp:2\nbase\n:1\n",
		"run -d app":       "app:1\tfirst\napp:2\n:1\n",
		"run --name ":      ":0\n",
		"run -n ":          ":0\n",
		"run --kind l":     "large\tbig\nlittle\n:1\n",
		"run -d --kind=l":  "--kind=large\tbig\n--kind=little\n:1\n",
		"run --kind=x":     ":1\n",
		"run --name=l":     ":0\n",
		"run --":           "--detach\tleave it\n--help\thelp for run\n--kind\ta kind\n--name\ta name\n--server\tthe server\n:1\n",
		"run x --":         ":0\n", // the workload's
		"box ls -a --so":   "--some\tsome of them\n:1\n",
		"box ls -- --so":   ":0\n",
		"run --frob --de":  "--detach\tleave it\n:1\n",
		"raw --":           ":0\n",
		"--server s box k": "kind\n:1\n",
	} {
		p := newTree()
		if _, err := p.root.Execute(t.Context(), append([]string{completing}, strings.Split(typed, " ")...)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, p.String()); d != "" {
			t.Errorf("%q:\n%s", typed, d)
		}
	}
}

func TestSuggestions(t *testing.T) {
	root := &Command{Use: "p"}
	for _, name := range []string{"start", "stats", "stop", "run", "rm"} {
		root.Add(&Command{Use: name})
	}
	for word, want := range map[string][]string{
		"rnu": {"rm", "run"}, "stast": {"stats", "start"}, "STOP": {"stop"}, "sta": {"start", "stats"}, "elephant": nil,
	} {
		got := root.Suggestions(word)
		if len(want) > 0 && !slices.Contains(got, want[0]) || len(want) == 0 && len(got) > 0 {
			t.Errorf("%s: %v, want %v among them", word, got, want)
		}
	}
	if got := root.Suggestions("rnu"); got[0] != "run" {
		t.Errorf("an exchange of two letters is one mistake: %v", got)
	}
}

func TestScriptsAskTheProgram(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var b strings.Builder
		ok, err := Script(&b, shell, "prog")
		if !ok || err != nil || !strings.Contains(b.String(), "__complete") || strings.Contains(b.String(), "PROGRAM") {
			t.Errorf("%s: %v, %v, %s", shell, ok, err, b.String())
		}
	}
	if ok, err := Script(&strings.Builder{}, "../bash", "prog"); ok || err != nil {
		t.Errorf("a shell that there is not: %v, %v", ok, err)
	}
}

// TestBashCompletes sources the script in a real bash, with a program that
// answers and tells what it was asked.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no bash")
	}
	dir := t.TempDir()
	prog := "#!/bin/sh\nprintf '%s|' \"$@\" >" + dir + "/asked\ncase \"$*\" in *file*) echo :0;; *) printf 'app:1\\tfirst\\napp:2\\nbase\\n:1\\n';; esac\n"
	var script strings.Builder
	if _, err := Script(&script, "bash", "prog"); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"prog": prog, "script": script.String(), "file with space": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string][2]string{
		"prog run ":     {"__complete|run||", "app:1,app:2,base,"},
		"prog run app:": {"__complete|run|app:|", "1,2,"}, // bash has taken "app:" for a word of its own
		"prog run b":    {"__complete|run|b|", "base,"},
		"prog run x":    {"__complete|run|x|", ""},
		"prog cp file":  {"__complete|cp|file|", "file with space,"},
	} {
		cmd := exec.Command(bash, "--norc", "-c", `source ./script; COMP_LINE=$1 COMP_POINT=${#1}; _prog_complete; for w in "${COMPREPLY[@]}"; do printf '%s,' "$w"; done`, "-", line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
		if err != nil || string(out) != want[1] || string(asked) != want[0] {
			t.Errorf("%q: %q asked for %q, %v; want %q for %q", line, out, asked, err, want[1], want[0])
		}
	}
}
