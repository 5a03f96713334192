package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// idle waits until the price is that of an idle node: what ran before is gone.
func (d *Daemon) idle(t *testing.T) {
	t.Helper()
	eventually(t, "the price of an idle node", func() (bool, string) {
		shown := d.Must(t, "spot", "price", "shared.small", "--json")
		var list []api.SpotPrice
		if err := json.Unmarshal([]byte(shown), &list); err != nil || len(list) != 1 {
			t.Fatalf("prices: %v", err)
		}
		return list[0].Spot < list[0].OnDemand*0.11, shown
	})
}

// When little is left of the node, those who would have to leave next are told
// that leaving is wise, long before anybody needs their room.
func TestSpotRebalance(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	const path = "http://169.254.169.254/latest/meta-data/events/recommendations/rebalance"
	d.Must(t, "run", "-d", "--spot", "--name", "early", "-m", "64m", "--metadata", "v1", image, "sleep", "1000")
	if r := d.CLI("exec", "early", "wget", "-qO-", path); r.Code == 0 {
		t.Errorf("a recommendation on an empty node: %v", r)
	}
	// A twentieth of the node is left.
	c := d.capacity(t)
	most := (c.Free.Memory - c.Capacity.Allocatable.Memory/20) >> 20
	d.Must(t, "run", "-d", "--spot", "--name", "big", "-m", fmt.Sprintf("%dm", most), "--metadata", "v1", image, "sleep", "1000")
	eventually(t, "big is told", func() (bool, string) {
		in := d.Inspect(t, "big")
		return in.Spot != nil && !in.Spot.Rebalance.IsZero(), fmt.Sprintf("%+v", in.Spot)
	})
	in := d.Inspect(t, "big")
	if in.Noticed() {
		t.Errorf("a recommendation came with a notice: %+v", in.Spot)
	}
	want := fmt.Sprintf(`{"noticeTime":%q}`, in.Spot.Rebalance.UTC().Format("2006-01-02T15:04:05Z"))
	equal(t, "the metadata service", strings.ReplaceAll(d.Must(t, "exec", "big", "wget", "-qO-", path), " ", ""), want)
	contains(t, d.Must(t, "events", "--since", "1m", "--until", "0s", "--filter", "instance="+in.ID), "rebalance")
	contains(t, d.metrics(t), `virga_spot_instances{node="`+in.Node+`",state="rebalance"} 1`)
}

// An instance whose user does not pay what room costs now must leave, and goes
// on when the price has fallen again.
func TestSpotPriceRises(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.idle(t)
	d.Must(t, "run", "-d", "--spot", "--name", "rich", "-m", "64m", image, "sleep", "1000")
	price := d.Inspect(t, "rich").Spot.Price
	d.Must(t, "run", "-d", "--spot", "--name", "poor", "-m", "64m", "--max-price", fmt.Sprintf("%.9f", price*1.05), "--spot-interruption", "stop", image, "sleep", "1000")
	fill := d.capacity(t).Free.Memory / 10 * 8 >> 20
	d.Must(t, "run", "-d", "--name", "work", "-m", fmt.Sprintf("%dm", fill), image, "sleep", "1000")
	n := d.noticed(t, "poor").Spot.Notice
	if n.Cause != api.CausePrice || n.Action != api.InterruptStop || n.Deadline.Sub(n.Noticed) != spotNotice {
		t.Errorf("notice %+v", n)
	}
	contains(t, d.Refused(t, "update", "--pids-limit", "50", "poor"), "being interrupted")
	in := d.WaitPhase(t, "poor", api.PhaseStopped)
	if !in.Interrupted() || in.Spot.Notice.Done.Before(n.Deadline) {
		t.Errorf("stopped as %+v", in.Spot.Notice)
	}
	contains(t, d.Must(t, "ps", "-a", "--filter", "name=poor"), "interrupted: price")
	contains(t, d.metrics(t), `virga_spot_instances{node="`+in.Node+`",state="interrupted"} 1`)
	if rich := d.Inspect(t, "rich"); rich.Noticed() || rich.Spot.Price <= price {
		t.Errorf("without a most to pay: %+v, before %v", rich.Spot, price)
	}
	d.Must(t, "rm", "-f", "work")
	if back := d.WaitPhase(t, "poor", api.PhaseRunning); back.Noticed() {
		t.Errorf("back with %+v", back.Spot)
	}
}

// Services send nothing new to an instance with a notice, so that its end at
// the deadline fails no request.
func TestSpotDrainsItsServices(t *testing.T) {
	d := Start(t)
	image, port := d.Busybox(t), freePort(t)
	run := func(name string, flags ...string) {
		args := append([]string{"run", "-d", "--name", name, "-m", "64m", "-l", "app=shop"}, flags...)
		d.Must(t, append(args, "virga/hello", "serve")...)
	}
	run("stays")
	run("leaves", "--spot", "--spot-interruption", "stop")
	d.front(t, "shop", "--select", "app=shop", "--port", "80:8080", "--http", "--publish", fmt.Sprint(port))
	d.awaitUp(t, "shop", 2)
	page := fmt.Sprintf("http://127.0.0.1:%d/", port)
	stop := load(t, page, 4)

	rest := d.capacity(t).Free.Memory>>20 + 32
	asked := make(chan Result, 1)
	go func() {
		asked <- d.CLI("run", "-d", "--name", "work", "-m", fmt.Sprintf("%dm", rest), image, "sleep", "1000")
	}()
	victim := d.noticed(t, "leaves")
	eventually(t, "it is drained", func() (bool, string) {
		s, problem := d.service("shop")
		for _, b := range s.Status.Backends {
			if b.Instance == victim.ID {
				return b.State == api.BackendDraining, fmt.Sprintf("%+v", b)
			}
		}
		return false, problem
	})
	if in := d.Inspect(t, "leaves"); in.Status.Phase != api.PhaseRunning {
		t.Errorf("it was %s before it was drained", in.Status.Phase)
	}
	d.WaitPhase(t, "leaves", api.PhaseStopped)
	if r := <-asked; r.Code != 0 {
		t.Fatal(r)
	}
	if n, failures := stop(); len(failures) > 0 || n == 0 {
		t.Errorf("%d of %d requests failed: %q", len(failures), n, failures[:min(len(failures), 5)])
	}
}

// A spot instance may get another size while it runs: it then costs what that
// size costs, and takes only room that is there.
func TestSpotResizes(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.idle(t)
	d.Must(t, "run", "-d", "--spot", "--name", "s", "--type", "shared.nano", image, "sleep", "1000")
	before := d.Inspect(t, "s")
	d.Must(t, "resize", "--type", "shared.micro", "s")
	after := d.Inspect(t, "s")
	if after.Status.PID != before.Status.PID || after.Spot.Price <= before.Spot.Price {
		t.Errorf("process %d, %+v; before %d, %+v", after.Status.PID, after.Spot, before.Status.PID, before.Spot)
	}
	// What on-demand work would get by having others leave, it does not.
	d.Must(t, "run", "-d", "--spot", "--name", "big", "-m", fmt.Sprintf("%dm", d.capacity(t).Free.Memory>>20-64), image, "sleep", "1000")
	contains(t, d.Refused(t, "resize", "--type", "shared.small", "s"), "memory")
	equal(t, "its type", after.TypeName(), "shared.micro")
	if in := d.Inspect(t, "big"); in.Noticed() {
		t.Errorf("a spot instance that grows makes another leave: %+v", in.Spot)
	}
}
