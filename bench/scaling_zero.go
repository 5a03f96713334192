package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/bench/sim"
)

const (
	zeroRuns     = 30     // first requests that are measured
	zeroRequests = 10_000 // that none of may be lost
	zeroAtOnce   = 50     // connections at a time
	upServices   = 20
	upRuns       = 5
	warmRuns     = 12
	noiseRuns    = 200 // of ten minutes each
)

// scalingNoise counts in virtual time how often noise turns a group around.
func (e *env) scalingNoise(context.Context) error {
	most, all := 0, 0
	for seed := range uint64(noiseRuns) {
		n := sim.Reversals(10*time.Minute, 0.2, seed)
		most, all = max(most, n), all+n
	}
	return e.record(figure{Name: "scaling.noise", Value: float64(most), Unit: "turns", N: noiseRuns,
		About: fmt.Sprintf("most in 10 min of ±20 %%; %d in all", all)}, atMost(1))
}

// zero is a group behind a service that holds requests.
type zero struct {
	*env
	url    string
	client http.Client
}

func (e *env) zero(ctx context.Context) (z *zero, remove func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return nil, nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, nil, err
	}
	stop := api.Duration(0)
	if _, err := e.client.CreateGroup(ctx, api.GroupRequest{Name: "zero", Spec: api.GroupSpec{
		Max: 1, Template: api.InstanceSpec{Image: "virga/hello", Command: []string{"serve"}, StopTimeout: &stop},
		Scaling: &api.Scaling{Targets: []api.TargetPolicy{{Metric: api.MetricRequests, Target: 1e6}}, DisableScaleIn: true},
	}}); err != nil {
		return nil, nil, err
	}
	_, err = e.client.CreateService(ctx, api.ServiceRequest{Name: "zero", Spec: api.ServiceSpec{
		Selector: api.ServiceSelector{Group: "zero"},
		Ports:    []api.ServicePort{{Port: 80, Target: 8080, Protocol: "http", Publish: uint16(port)}},
		Balance:  api.ServiceBalance{Hold: api.Duration(time.Minute)},
	}})
	remove = func() error {
		ctx := context.WithoutCancel(ctx)
		return errors.Join(e.client.RemoveService(ctx, "zero"), e.client.RemoveGroup(ctx, "zero", true))
	}
	z = &zero{env: e, url: fmt.Sprintf("http://127.0.0.1:%d/", port)}
	z.client.Transport = &http.Transport{MaxIdleConnsPerHost: zeroAtOnce}
	z.client.Timeout = time.Minute
	return z, remove, err
}

// sleep scales to nothing and waits until nobody is left.
func (z *zero) sleep(ctx context.Context) error {
	none := 0
	if _, err := z.env.client.ScaleGroup(ctx, "zero", api.ScaleRequest{Desired: &none}); err != nil {
		return err
	}
	for {
		all, err := z.env.client.Instances(ctx, api.InstanceFilter{})
		if err != nil {
			return err
		}
		left := 0
		for _, in := range all {
			if in.Group == "zero" {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (z *zero) ask(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, z.url, nil)
	if err != nil {
		return err
	}
	answer, err := z.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || !strings.Contains(string(b), "Hello")) {
		err = fmt.Errorf("answer %s", answer.Status)
	}
	return err
}

// scalingZero measures a request that waits for a first instance, and counts
// what is lost when many come while the group goes to nothing and back.
func (e *env) scalingZero(ctx context.Context) error {
	z, remove, err := e.zero(ctx)
	if err != nil {
		return err
	}
	err = z.measure(ctx)
	return errors.Join(err, remove())
}

func (z *zero) measure(ctx context.Context) error {
	var first samples
	for range zeroRuns {
		if err := z.sleep(ctx); err != nil {
			return err
		}
		began := time.Now()
		if err := z.ask(ctx); err != nil {
			return fmt.Errorf("a held request: %w", err)
		}
		first = append(first, ms(time.Since(began)))
	}
	if err := z.p95Of("scaling.zero", fmt.Sprintf("p95 of a first request; median %.3g", first.median()), first, atMost(150)); err != nil {
		return err
	}
	var lost, left atomic.Int64
	left.Store(zeroRequests)
	var reason atomic.Value
	var askers sync.WaitGroup
	for range zeroAtOnce {
		askers.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				if err := z.ask(ctx); err != nil {
					lost.Add(1)
					reason.Store(err.Error())
				}
			}
		})
	}
	rounds := 0
	for left.Load() > 0 && ctx.Err() == nil {
		none := 0
		if _, err := z.env.client.ScaleGroup(ctx, "zero", api.ScaleRequest{Desired: &none}); err != nil {
			return err
		}
		rounds++
		time.Sleep(200 * time.Millisecond)
	}
	askers.Wait()
	about := fmt.Sprintf("of %d, %d times to zero meanwhile", zeroRequests, rounds)
	if why, ok := reason.Load().(string); ok {
		about += ": " + why
	}
	return z.record(figure{Name: "scaling.lost", Value: float64(lost.Load()), Unit: "requests", N: zeroRequests, About: about}, atMost(0))
}

// scalingWarm compares growing by one from a warm pool with growing without.
func (e *env) scalingWarm(ctx context.Context) error {
	took := map[string]samples{}
	for _, state := range []api.WarmState{"", api.WarmStopped, api.WarmPaused} {
		spec := api.GroupSpec{Desired: 1, Max: 2, Template: api.InstanceSpec{Command: []string{"/bin/busybox", "httpd", "-f", "-p", "80"}}}
		if state != "" {
			spec.Warm = &api.WarmPool{Size: 1, State: state}
		}
		remove, err := e.group(ctx, "warm", spec)
		if err != nil {
			return err
		}
		for range warmRuns {
			var d time.Duration
			if d, err = e.growByOne(ctx, "warm", spec.Warm != nil); err != nil {
				break
			}
			took[string(state)] = append(took[string(state)], ms(d))
		}
		if err := errors.Join(err, remove()); err != nil {
			return err
		}
	}
	cold := []measured{{"without a warm pool", took[""], goal{}}}
	if err := e.compare("scaling.stopped", "ms", took[string(api.WarmStopped)], goal{}, cold); err != nil {
		return err
	}
	return e.compare("scaling.paused", "ms", took[string(api.WarmPaused)], goal{}, cold)
}

// growByOne scales a group from one instance to two, until the second one
// accepts connections, and back.
func (e *env) growByOne(ctx context.Context, name string, warm bool) (took time.Duration, err error) {
	one, two := 1, 2
	settled := func() (bool, error) {
		g, err := e.client.Group(ctx, name)
		return g.Status.Ready == 1 && g.Status.Instances == 1 && (!warm || g.Status.Warm == 1), err
	}
	for deadline := time.Now().Add(scalingPatience); ; time.Sleep(20 * time.Millisecond) {
		ok, err := settled()
		if err != nil {
			return 0, err
		}
		if ok {
			break
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("group %s does not settle", name)
		}
	}
	first, err := e.serving(ctx, name, "")
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if _, err := e.client.ScaleGroup(ctx, name, api.ScaleRequest{Desired: &two}); err != nil {
		return 0, err
	}
	if _, err := e.serving(ctx, name, first.ID); err != nil {
		return 0, err
	}
	took = time.Since(began)
	_, err = e.client.ScaleGroup(ctx, name, api.ScaleRequest{Desired: &one})
	return took, err
}

// scalingUp brings a Compose file of twenty services up.
func (e *env) scalingUp(ctx context.Context) error {
	var text strings.Builder
	text.WriteString("services:\n")
	for i := range upServices {
		fmt.Fprintf(&text, "  s%02d:\n    image: bench\n    command: [/bin/busybox, sleep, \"1000\"]\n    stop_grace_period: 0s\n", i)
	}
	file := filepath.Join(e.dir, "compose.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	virga := func(args ...string) error {
		cmd := exec.CommandContext(ctx, e.binary, append([]string{"compose", "--file", file, "--project-name", "up"}, args...)...)
		cmd.Env = append(os.Environ(), "VIRGA_SOCKET="+e.socket, "XDG_CACHE_HOME="+filepath.Join(e.dir, "cache"), "XDG_STATE_HOME="+filepath.Join(e.dir, "state"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("virga compose %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	var s samples
	if err := virga("config", "-q"); err != nil { // unpacks the program once
		return err
	}
	for range upRuns {
		began := time.Now()
		if err := virga("up", "-d", "--wait"); err != nil {
			return err
		}
		s = append(s, ms(time.Since(began)))
		if err := virga("down"); err != nil {
			return err
		}
	}
	return e.compare("scaling.up", "ms", s, atMost(2000), nil)
}
