package test

import (
	"fmt"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// bits measures what an instance receives and sends, in bits per second.
func (d *Daemon) bits(t *testing.T, id string, length time.Duration) (in, out float64) {
	t.Helper()
	c := api.Dial(d.Socket)
	defer c.Close()
	read := func() api.Stats {
		for s, err := range c.Stats(t.Context(), id, false) {
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		t.Fatal("no statistics")
		return api.Stats{}
	}
	before := read()
	time.Sleep(length) // the length of the measurement
	after := read()
	each := func(n int64) float64 { return 8 * float64(n) / after.Time.Sub(before.Time).Seconds() }
	return each(after.Network.RxBytes - before.Network.RxBytes), each(after.Network.TxBytes - before.Network.TxBytes)
}

// Data flows both ways as fast as it can: it is held to what was asked for, to
// what a resize asks for, to what a type has, and after a restart of the daemon.
func TestNetworkRates(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	serve := "while :; do nc -ll -p 9000 -e cat /dev/zero; done & while :; do nc -ll -p 9001 -e dd of=/dev/null; done"
	d.Must(t, "run", "-d", "--name", "peer", image, "sh", "-c", serve)
	d.Must(t, "run", "-d", "--name", "limited", "--network-rate", "in=20m,out=10m", image, "sleep", "10000")
	d.WaitPhase(t, "peer", api.PhaseRunning)
	id := d.WaitPhase(t, "limited", api.PhaseRunning).ID
	contains(t, d.Must(t, "inspect", "limited"), `"ingressBps": 20000000`)
	// One way at a time: answers to the other way would wait with the data.
	one := func(what, command string, want float64, pick func(in, out float64) float64) {
		t.Helper()
		eventually(t, what, func() (bool, string) {
			d.Must(t, "exec", "-d", "limited", "timeout", "6", "sh", "-c", command)
			time.Sleep(2 * time.Second) // until the flow is steady
			got := pick(d.bits(t, id, 3*time.Second))
			time.Sleep(2 * time.Second) // until it has ended
			return got > want*.9 && got < want*1.1, fmt.Sprintf("%.2f of %.2f Mbit/s", got/1e6, want/1e6)
		})
	}
	within := func(what string, in, out float64) {
		t.Helper()
		one(what+", in", "nc peer 9000 >/dev/null", in, func(in, _ float64) float64 { return in })
		one(what+", out", "nc peer 9001 </dev/zero", out, func(_, out float64) float64 { return out })
	}
	within("the rates it was started with", 20e6, 10e6)
	d.Must(t, "update", "--network-rate", "in=8m,out=16m", "limited")
	within("other rates", 8e6, 16e6)
	d.Kill9(t)
	d.Restart(t)
	within("after a restart of the daemon", 8e6, 16e6)

	d.Must(t, "type", "create", "shared.narrow", "--vcpus", "0.5", "--memory", "128m", "--network-bps", "12000000")
	d.Must(t, "update", "--network-rate", "0", "limited")
	d.Must(t, "resize", "--type", "shared.narrow", "limited")
	within("a type's rate", 12e6, 12e6)
	contains(t, d.Refused(t, "update", "--network-rate", "5m", "limited"), "shared.narrow")
	contains(t, d.Refused(t, "run", "--network-rate", "fast", image, "true"), "bits per second")
	contains(t, d.Refused(t, "run", "--network-rate", "10", image, "true"), "8000")
	d.Must(t, "rm", "-f", "limited", "peer")
	d.Must(t, "type", "rm", "shared.narrow")
}
