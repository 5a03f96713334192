package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// stallLength is for how long stalls are noted, of an instance and of a group
// made by hand.
const stallLength = "30s"

// cpuStall measures for how long a depleted burst.nano stands still at a time,
// and what the daemon spends on that while it spins. Beside it, the same
// program in a group of the same quota made by hand, with virga's period and
// with the one at which its worst stall should just be the goal: what the
// kernel does by itself.
func (e *env) cpuStall(ctx context.Context) error {
	d, cost, err := e.stallOfNano(ctx)
	if err != nil {
		return err
	}
	if err := e.record(figure{Name: "cpu.stall-cost", Value: cost, Unit: "% of a core", About: "all of the daemon while one burst.nano spins without credits"}, goal{}); err != nil {
		return err
	}
	about := func(d distribution) string { return fmt.Sprintf("median %.3g, worst %.3g", ms(d.P50), ms(d.Max)) }
	f := figure{Name: "cpu.stall", Value: ms(d.P99), Unit: "ms p99", N: d.N, About: "burst.nano; " + about(d)}
	if err := e.record(f, atMost(20)); err != nil {
		return err
	}
	for _, period := range []time.Duration{10 * time.Millisecond, 20 * time.Millisecond} {
		hand, err := stallByHand(ctx, period)
		if err != nil {
			return err
		}
		f.Peer, f.PeerValue = fmt.Sprintf("by hand, period %v", period), ms(hand.P99)
		f.Ratio = f.Value / f.PeerValue
		f.About = "by hand " + about(hand)
		if err := e.record(f, ratioAtMost(1)); err != nil {
			return err
		}
	}
	return nil
}

// depleted starts a burst.nano that has no credits: a turn to unlimited and
// back ends its launch credits.
func (e *env) depleted(ctx context.Context, args ...string) (api.Instance, error) {
	s := spec(args...)
	s.Spec.Type = "burst.nano"
	in, err := e.client.Create(ctx, s, true)
	if err != nil {
		return in, err
	}
	for _, mode := range []api.CreditMode{api.CreditUnlimited, api.CreditStandard} {
		if err := e.client.Update(ctx, in.ID, api.UpdateRequest{CreditMode: mode}); err != nil {
			e.removed(in.ID)
			return in, err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			e.removed(in.ID)
			return in, err
		}
	}
	return in, nil
}

// stallOfNano is a depleted burst.nano's stalls, and the daemon's use of a core
// in per cent.
func (e *env) stallOfNano(ctx context.Context) (d distribution, cost float64, err error) {
	in, err := e.depleted(ctx, "/bin/bench", "probe", "stall", stallLength)
	if err != nil {
		return d, 0, err
	}
	defer e.removed(in.ID)
	from, err := cpuTime(e.daemon.Process.Pid)
	if err != nil {
		return d, 0, err
	}
	began := time.Now()
	if d, err = e.probed(ctx, in.ID); err != nil {
		return d, 0, err
	}
	to, err := cpuTime(e.daemon.Process.Pid)
	return d, 100 * float64(to-from) / float64(time.Since(began)), err
}

// stallByHand is what the probe notes in a group that has nano's baseline as its
// quota.
func stallByHand(ctx context.Context, period time.Duration) (d distribution, err error) {
	quota := fmt.Sprint(int64(nanoBaseline * float64(period.Microseconds())))
	dir, settings := "/sys/fs/cgroup/cpu/virga-bench", [][2]string{{"cpu.cfs_period_us", fmt.Sprint(period.Microseconds())}, {"cpu.cfs_quota_us", quota}}
	if _, err := os.Stat("/sys/fs/cgroup/cpu"); err != nil {
		dir, settings = "/sys/fs/cgroup/virga-bench", [][2]string{{"cpu.max", fmt.Sprint(quota, " ", period.Microseconds())}}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return d, err
	}
	defer os.Remove(dir)
	for _, s := range settings {
		if err := os.WriteFile(filepath.Join(dir, s[0]), []byte(s[1]), 0); err != nil {
			return d, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return d, err
	}
	var out bytes.Buffer
	c := exec.CommandContext(ctx, "busybox", "sh", "-c", `echo 0 >"$1/cgroup.procs" && exec "$0" probe stall `+stallLength, self, dir)
	c.Stdout, c.Stderr = &out, os.Stderr
	if err := c.Run(); err != nil {
		return d, fmt.Errorf("probe by hand: %w", err)
	}
	return printedBy(out.String())
}

// probed is what a probe printed, when it is over.
func (e *env) probed(ctx context.Context, id string) (d distribution, err error) {
	if _, err := e.client.Wait(ctx, id, "stopped"); err != nil {
		return d, err
	}
	var printed strings.Builder
	for line, err := range e.client.Logs(ctx, id, api.LogOptions{Tail: -1}) {
		if err != nil {
			return d, err
		}
		printed.WriteString(line.Text)
	}
	return printedBy(printed.String())
}

// printedBy reads what a probe printed.
func printedBy(text string) (d distribution, err error) {
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("the probe printed %q: %w", text, err)
	}
	return d, nil
}
