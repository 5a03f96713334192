package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/virga-cloud/virga/api"
)

// benchStart measures one instance at a time: through the API from create to
// removed, from the API call to the workload's main(), and as a command.
func benchStart(ctx context.Context, e *env) error {
	peers := e.peers(ctx)
	var cycle, toMain, command samples
	theirs := make([]samples, len(peers))
	theirMain := make([]samples, len(peers))
	for i := range e.runs + 3 {
		warm := i >= 3 // the first ones pay for what is loaded once
		c, err := e.apiCycle(ctx)
		if err != nil {
			return err
		}
		m, err := e.apiToMain(ctx)
		if err != nil {
			return err
		}
		r, err := e.commandCycle(ctx)
		if err != nil {
			return err
		}
		if warm {
			cycle, toMain, command = append(cycle, ms(c)), append(toMain, ms(m)), append(command, ms(r))
		}
		for j, p := range peers {
			began := time.Now()
			_, err := p.cycle(ctx, "/bin/true")
			took := time.Since(began)
			var out string
			if err == nil {
				began = time.Now()
				out, err = p.cycle(ctx, "/bin/stamp")
			}
			if errors.Is(err, errHung) {
				continue
			}
			if err != nil {
				return err
			}
			at, err := readStamp(out)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if warm {
				theirs[j], theirMain[j] = append(theirs[j], ms(took)), append(theirMain[j], ms(at.Sub(began)))
			}
		}
	}
	if err := e.compare("start.api", "ms", cycle, atMost(6), beside("start.api", peers, theirs)); err != nil {
		return err
	}
	if err := e.compare("start.main", "ms", toMain, atMost(3), beside("start.main", peers, theirMain)); err != nil {
		return err
	}
	return e.compare("start.command", "ms", command, atMost(10), beside("start.command", peers, theirs))
}

// spec is the instance that all benchmarks run: overlay root, default network.
func spec(args ...string) api.CreateRequest {
	return api.CreateRequest{Spec: api.InstanceSpec{Image: "bench", Command: args}}
}

// apiCycle creates and starts an instance, waits for its end and removes it.
func (e *env) apiCycle(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	in, err := e.client.Create(ctx, spec("/bin/true"), true)
	if err != nil {
		return 0, err
	}
	if _, err := e.client.Wait(ctx, in.ID, "stopped"); err != nil {
		return 0, err
	}
	err = e.client.Remove(ctx, in.ID, false, true)
	return time.Since(began), err
}

// apiToMain measures from the call to the first act of the workload.
func (e *env) apiToMain(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	in, err := e.client.Create(ctx, spec("/bin/stamp"), true)
	if err != nil {
		return 0, err
	}
	if _, err := e.client.Wait(ctx, in.ID, "stopped"); err != nil {
		return 0, err
	}
	var at time.Time
	for line, err := range e.client.Logs(ctx, in.ID, api.LogOptions{Tail: -1}) {
		if err != nil {
			return 0, err
		}
		if at, err = readStamp(line.Text); err != nil {
			return 0, err
		}
	}
	return at.Sub(began), e.client.Remove(ctx, in.ID, false, true)
}

// commandCycle is virga run --rm, the start of its process included.
func (e *env) commandCycle(ctx context.Context) (time.Duration, error) {
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, e.binary, "--socket", e.socket, "run", "--rm", "bench", "/bin/true")
	cmd.Stderr = &errs
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("virga run: %w: %s", err, errs.String())
	}
	return time.Since(began), nil
}
