package main

import (
	"bufio"
	"bytes"
	"context"
	"strings"
	"time"
)

// parts are the phases in the order they follow each other. Those of the node
// and of the engine lie within the call that creates and starts.
var parts = []struct{ line, attr, about string }{
	{"", "create", "call: create and start"},
	{"instance began", "image", "  node: image and task"},
	{"instance began", "network", "  node: namespaces and address"},
	{"instance began", "cpu", "  node: part of the CPUs"},
	{"instance began", "engine", "  node: engine, of which"},
	{"life began", "root", "    overlay"},
	{"life began", "confine", "    /dev, /etc, user, profile"},
	{"life began", "cgroup", "    cgroup"},
	{"life began", "compile", "    program"},
	{"life began", "gate", "    waiting until the instance is stored"},
	{"life began", "launch", "    supervisor, until execve"},
	{"", "wait", "call: wait for the exit"},
	{"", "remove", "call: remove"},
}

// benchPhases takes a whole cycle apart. The daemon's debug log has the parts
// of a start, so it has a daemon of its own.
func benchPhases(ctx context.Context, e *env) error {
	d, err := newEnv(ctx, e.binary, e.out, e.runs, "--log-level", "debug")
	if err != nil {
		return err
	}
	defer d.close()
	taken := map[string]samples{}
	const warm = 3
	for i := range e.runs + warm {
		laps, err := d.phases(ctx)
		if err != nil {
			return err
		}
		for name, took := range laps {
			if i >= warm {
				taken[name] = append(taken[name], ms(took))
			}
		}
	}
	d.stopDaemon() // only then is its log at rest
	for name, s := range logged(d.log.Bytes()) {
		taken[name] = s[min(warm, len(s)):]
	}
	for _, p := range parts {
		s := taken[p.line+" "+p.attr]
		if len(s) == 0 {
			continue
		}
		name := "phase." + p.attr
		if err := e.record(figure{Name: name, Value: s.median(), Unit: "ms", P95: s.p95(), N: len(s), About: p.about}, goal{}); err != nil {
			return err
		}
	}
	return nil
}

// phases is apiCycle call by call.
func (e *env) phases(ctx context.Context) (map[string]time.Duration, error) {
	laps := map[string]time.Duration{}
	at := time.Now()
	lap := func(name string) {
		now := time.Now()
		laps[" "+name], at = now.Sub(at), now
	}
	in, err := e.client.Create(ctx, spec("/bin/true"), true)
	if err != nil {
		return nil, err
	}
	lap("create")
	if _, err := e.client.Wait(ctx, in.ID, "stopped"); err != nil {
		return nil, err
	}
	lap("wait")
	err = e.client.Remove(ctx, in.ID, false, true)
	lap("remove")
	return laps, err
}

// logged reads the durations of the debug log, by message and name.
func logged(log []byte) map[string]samples {
	taken := map[string]samples{}
	lines := bufio.NewScanner(bytes.NewReader(log))
	for lines.Scan() {
		for _, message := range []string{"instance began", "life began"} {
			_, attrs, ok := strings.Cut(lines.Text(), `msg="`+message+`" `)
			if !ok {
				continue
			}
			for attr := range strings.FieldsSeq(attrs) {
				name, value, _ := strings.Cut(attr, "=")
				if took, err := time.ParseDuration(value); err == nil {
					taken[message+" "+name] = append(taken[message+" "+name], ms(took))
				}
			}
		}
	}
	return taken
}
