package balancer

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/control/service"
)

const (
	checkInterval = 2 * time.Second
	checkTimeout  = 2 * time.Second
	// eager is the interval until a backend was well for the first time, so
	// that a new one need not wait for its first traffic.
	eager = 100 * time.Millisecond
	// eagerFirst is the first such interval, doubled each time: most servers
	// listen some milliseconds after their start, and a request may wait.
	eagerFirst = 2 * time.Millisecond
)

// checkKey is one life of an instance behind a service.
type checkKey struct {
	service, instance string
	life              int
}

// check asks one backend at intervals whether it is well.
type check struct {
	what     *api.ServiceCheck // nil: until it accepts a first connection
	at       netip.AddrPort
	instance string
	stop     context.CancelFunc

	mu      sync.Mutex
	verdict service.Verdict // +checklocks:mu
}

// well is the verdict on what is not checked.
var well = service.Verdict{Up: true, WasUp: true}

// setChecks starts the checks that are wanted and stops those that are not.
//
// +checklocks:c.applying
func (c *Controller) setChecks(services []*api.Service, instances []*api.Instance) {
	wanted := map[checkKey]bool{}
	for _, s := range services {
		port, ok := service.CheckedPort(&s.Spec)
		what := s.Spec.Check
		if what != nil && what.Type == api.CheckNone || !ok && (what == nil || what.Type != api.CheckExec) {
			continue
		}
		for _, in := range instances {
			addr := addressOn(in, s.Spec.Network)
			if in.Status.Phase != api.PhaseRunning && in.Status.Phase != api.PhasePaused || !addr.IsValid() || !service.Selects(s, in) {
				continue
			}
			key := checkKey{s.ID, in.ID, in.Status.Starts}
			at := netip.AddrPortFrom(addr, port)
			wanted[key] = true
			old := c.checks[key]
			if old != nil && old.at == at && reflect.DeepEqual(old.what, what) {
				continue
			}
			c.checks[key] = c.begin(what, at, in, old)
		}
	}
	for key, ch := range c.checks {
		if !wanted[key] {
			ch.stop()
			delete(c.checks, key)
		}
	}
}

// begin starts a check in place of an old one, or nil.
//
// +checklocks:c.applying
func (c *Controller) begin(what *api.ServiceCheck, at netip.AddrPort, in *api.Instance, old *check) *check {
	ctx, stop := context.WithCancel(c.events)
	ch := &check{what: what, at: at, instance: in.ID, stop: stop}
	if old != nil {
		old.stop()
		ch.verdict = old.current()
	} else if in.Status.Started.Before(c.started) {
		ch.verdict = well // it served before this daemon began: it need not wait for a first check
	}
	c.work.Go(func() { c.watch(ctx, ch) })
	return ch
}

func (ch *check) current() service.Verdict {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.verdict
}

// verdict is what the checks of a service say of an instance.
//
// +checklocks:c.applying
func (c *Controller) verdict(s *api.Service, in *api.Instance) service.Verdict {
	if ch := c.checks[checkKey{s.ID, in.ID, in.Status.Starts}]; ch != nil {
		return ch.current()
	}
	if in.Status.Phase == api.PhasePaused || in.Status.Phase == api.PhaseStopping {
		return service.Verdict{WasUp: true}
	}
	return well // not checked
}

// watch runs a check until ctx ends; one that only waits for a first
// connection ends with that.
func (c *Controller) watch(ctx context.Context, ch *check) {
	interval, timeout := checkInterval, checkTimeout
	if ch.what != nil {
		interval, timeout = durationOr(ch.what.Interval, interval), durationOr(ch.what.Timeout, timeout)
	}
	first := eagerFirst
	for {
		if ch.what == nil && ch.current().Up {
			return
		}
		reason := c.ask(ctx, ch, timeout)
		if ctx.Err() != nil {
			return
		}
		ch.mu.Lock()
		before := ch.verdict.Up
		ch.verdict = ch.verdict.After(ch.what, reason)
		v := ch.verdict
		ch.mu.Unlock()
		if v.Up != before {
			c.kick()
		}
		wait := interval
		if !v.WasUp {
			wait, first = min(wait, eager, first), 2*first
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func durationOr(d api.Duration, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// ask runs a check once; "" is well.
func (c *Controller) ask(ctx context.Context, ch *check, timeout time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch {
	case ch.what == nil || ch.what.Type == api.CheckTCP:
		return askTCP(ctx, ch.at)
	case ch.what.Type == api.CheckHTTP:
		return askHTTP(ctx, ch.at, ch.what.Path)
	}
	code, err := c.Exec(ctx, ch.instance, ch.what.Command)
	switch {
	case err != nil:
		return fmt.Sprintf("the check cannot run: %v", err)
	case code != 0:
		return fmt.Sprintf("the check ends with status %d", code)
	}
	return ""
}

func askTCP(ctx context.Context, at netip.AddrPort) string {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return fmt.Sprintf("port %d accepts no connection", at.Port())
	}
	_ = conn.Close()
	return ""
}

// askHTTP asks for a page. Neither redirects nor connections are followed: it
// is this backend's answer that counts.
func askHTTP(ctx context.Context, at netip.AddrPort, path string) string {
	if path == "" {
		path = "/"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+path, nil)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("User-Agent", "virga-check")
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(r)
	if err != nil {
		return "port " + strconv.Itoa(int(at.Port())) + " does not answer"
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // whatever it says
	if resp.StatusCode < 200 || resp.StatusCode > 399 {
		return "answers " + resp.Status
	}
	return ""
}

func addressOn(in *api.Instance, network string) netip.Addr {
	for _, a := range in.Status.Addresses {
		if a.Network == network {
			return a.Address
		}
	}
	return netip.Addr{}
}
