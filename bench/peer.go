package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// peer is another way to run a container from create to removed.
type peer struct {
	name    string // with its version
	command func(ctx context.Context, args ...string) *exec.Cmd
	start   func(*exec.Cmd) error                // nil is Cmd.Start
	direct  func(args ...string) (string, error) // in the place of a command, or nil
	hangs
}

// cycleLimit is a hundred times what the slowest peer needs.
const cycleLimit = 20 * time.Second

// cycle runs one container to its end and returns what it printed.
// One that hangs is ended; the error is errHung then.
func (p *peer) cycle(ctx context.Context, args ...string) (out string, err error) {
	err = p.within(ctx, cycleLimit, func(ctx context.Context) error {
		out, err = p.once(ctx, args...)
		return err
	})
	return out, err
}

func (p *peer) once(ctx context.Context, args ...string) (string, error) {
	if p.direct != nil {
		out, err := p.direct(args...)
		if err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
		}
		return out, err
	}
	cmd := p.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second // what it left running may hold its output
	start := p.start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	if err := start(cmd); err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	if err := cmd.Wait(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", p.name, err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// peers sets up the peers of the running of containers, those that can run
// here; it names the others with the reason. The floor is one of them.
func (e *env) peers(ctx context.Context) []*peer {
	var ready []*peer
	for _, p := range []struct {
		name string
		make func(context.Context) (*peer, error)
	}{
		{"floor", e.floor}, {"crun run", e.crun}, {"runc run", e.runc}, {"podman run", e.podman},
		{"ctr run", e.ctr}, {"docker run", e.docker},
	} {
		if short, _, _ := strings.Cut(p.name, " "); len(e.only) > 0 && !slices.Contains(e.only, short) {
			continue
		}
		made, err := p.make(ctx)
		if err == nil {
			// One that hangs here is of no use as a peer either.
			try, cancel := context.WithTimeout(ctx, 15*time.Second)
			_, err = made.cycle(try, "/bin/true")
			cancel()
		}
		if err != nil {
			fmt.Printf("  %s is left out: %v\n", p.name, err)
			continue
		}
		ready = append(ready, made)
	}
	return ready
}

// beside joins peers with their samples and the goals of a figure.
func beside(figure string, peers []*peer, s []samples) (list []measured) {
	for i, p := range peers {
		short, _, _ := strings.Cut(p.name, " ")
		goals := relative[figure][short]
		if len(goals) == 0 {
			goals = []goal{{}}
		}
		for _, g := range goals {
			list = append(list, measured{p.told(p.name), s[i], g})
		}
	}
	return list
}

// version is the first line a program prints about its version, shortened.
func version(ctx context.Context, program string, args ...string) string {
	if len(args) == 0 {
		args = []string{"--version"}
	}
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "?"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	for f := range strings.FieldsSeq(line) {
		f = strings.TrimRight(strings.TrimPrefix(f, "v"), ",")
		if f != "" && f[0] >= '0' && f[0] <= '9' {
			return f
		}
	}
	return strings.TrimSpace(line)
}
