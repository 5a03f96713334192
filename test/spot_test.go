package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// spotNotice is the tests' time from a notice to its deadline.
const spotNotice = 10 * time.Second

// noticed waits until one of the instances has a notice, and returns it.
func (d *Daemon) noticed(t *testing.T, names ...string) (in api.Instance) {
	t.Helper()
	eventually(t, "a spot instance has a notice", func() (bool, string) {
		for _, name := range names {
			if in = d.Inspect(t, name); in.Noticed() {
				return true, ""
			}
		}
		return false, fmt.Sprint(names)
	})
	return in
}

// On-demand work that finds the node full of spot instances waits for the
// smallest set of them to leave: they are told by metadata, an event, ps and a
// signal, have all of their time even though the daemon is killed, and then the
// work starts.
func TestSpotReclaim(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	seen := t.TempDir()
	mib := d.capacity(t).Free.Memory >> 20 / 2
	for _, name := range []string{"spot-0", "spot-1"} {
		d.Must(t, "run", "-d", "--spot", "--name", name, "-m", fmt.Sprintf("%dm", mib), "--metadata", "v1", "--spot-signal", "USR1", "--spot-hook", "echo hook > /seen/hook-"+name,
			"-v", seen+":/seen", image, "sh", "-c", "trap 'echo signal > /seen/"+name+"' USR1; while :; do sleep 0.1; done")
	}
	contains(t, d.Refused(t, "run", "-d", "--spot", "-m", fmt.Sprintf("%dm", mib), image, "true"), "memory")
	if in := d.Inspect(t, "spot-0"); in.Spot == nil || in.Spot.Price <= 0 || in.Spot.Since.IsZero() {
		t.Errorf("a spot instance has no price: %+v", in.Spot)
	}

	started := make(chan Result, 1)
	go func() { started <- d.CLI("run", "-d", "--name", "work", "-m", "512m", image, "sleep", "1000") }()
	asked := time.Now()
	victim := d.noticed(t, "spot-0", "spot-1")
	n := victim.Spot.Notice
	if time.Since(asked) > 5*time.Second || n.Action != api.InterruptTerminate || n.Cause != api.CauseCapacity || !strings.Contains(n.Message, "work") {
		t.Errorf("after %v: %+v", time.Since(asked), n)
	}
	if left := n.Deadline.Sub(n.Noticed); left != spotNotice {
		t.Errorf("the notice is %v before its deadline", left)
	}
	other := map[string]string{"spot-0": "spot-1", "spot-1": "spot-0"}[victim.Name]
	if rest := d.Inspect(t, other); rest.Noticed() {
		t.Error("both must leave though one is enough")
	}
	const action = "http://169.254.169.254/latest/meta-data/spot/instance-action"
	said := d.Must(t, "exec", victim.Name, "wget", "-qO-", action)
	equal(t, "the metadata service", said, fmt.Sprintf(`{"action":"terminate","time":%q}`, n.Deadline.UTC().Format("2006-01-02T15:04:05Z")))
	contains(t, d.Must(t, "ps", "--filter", "name="+victim.Name), "terminate in ")
	contains(t, d.Must(t, "ps", "-a", "--filter", "name=work"), "waits for room")
	contains(t, d.Must(t, "events", "--since", "1m", "--until", "0s", "--filter", "instance="+victim.ID), "notice")
	for _, file := range []string{victim.Name, "hook-" + victim.Name} {
		eventually(t, "the workload is told", func() (bool, string) {
			_, err := os.Stat(filepath.Join(seen, file))
			return err == nil, fmt.Sprint(err)
		})
	}

	d.Kill9(t)
	d.Restart(t)
	if r := d.CLI("inspect", victim.Name, "--format", "{{.Spot.Notice.Deadline.UnixNano}}"); time.Now().Before(n.Deadline) {
		equal(t, "the deadline after a restart", strings.TrimSpace(r.Stdout), fmt.Sprint(n.Deadline.UnixNano()))
	}
	eventually(t, "the victim is gone", func() (bool, string) {
		r := d.CLI("inspect", victim.Name)
		return r.Code != 0, r.String()
	})
	if gone := time.Now(); gone.Before(n.Deadline) {
		t.Errorf("gone at %v, before its deadline %v", gone, n.Deadline)
	}
	d.WaitPhase(t, "work", api.PhaseRunning)
	<-started // the daemon was killed under it
	equal(t, "the other one", string(d.Inspect(t, other).Status.Phase), "running")
	contains(t, d.Must(t, "events", "--since", "1m", "--until", "0s"), "interrupt")
}

// A workload that leaves at once makes room at once; the command that waits
// says what for.
func TestSpotLeavesEarly(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	mib := d.capacity(t).Free.Memory >> 20
	d.Must(t, "run", "-d", "--spot", "--name", "spot", "-m", fmt.Sprintf("%dm", mib), "--spot-signal", "TERM", image,
		"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
	r := d.CLI("run", "--rm", "-m", "512m", image, "echo", "done")
	if r.Code != 0 || strings.TrimSpace(r.Stdout) != "done" {
		t.Fatal(r)
	}
}

// A spot instance may be frozen or stopped instead, and goes on when there is
// room again.
func TestSpotComesBack(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	free := d.capacity(t).Free
	for name, interruption := range map[string]string{"stopped": "stop", "frozen": "hibernate"} {
		t.Run(interruption, func(t *testing.T) {
			// All vCPUs are taken: they are what a frozen one gives back.
			d.Must(t, "run", "-d", "--spot", "--name", name, "--spot-interruption", interruption, "--cpus", fmt.Sprint(min(free.Shared, 2)), image,
				"sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done")
			for i := range 20 {
				if left := d.capacity(t).Free.Shared; left > 0 {
					d.Must(t, "run", "-d", "--name", fmt.Sprintf("fill-%d", i), "--cpus", fmt.Sprint(min(left, 2)), image, "sleep", "1000")
				}
			}
			r := d.CLI("run", "-d", "--name", "work", "--cpus", "1", image, "sleep", "1000")
			if r.Code != 0 || !strings.Contains(r.Stderr, "waits for room: spot "+name) {
				t.Fatal(r)
			}
			in := d.Inspect(t, name)
			want := map[string]api.Phase{"stop": api.PhaseStopped, "hibernate": api.PhasePaused}[interruption]
			if in.Status.Phase != want || !in.Interrupted() {
				t.Errorf("%s is %s, %+v", name, in.Status.Phase, in.Spot)
			}
			contains(t, d.Must(t, "ps", "-a", "--filter", "name="+name), "interrupted: capacity")
			if interruption == "hibernate" {
				contains(t, d.Refused(t, "unpause", name), "hibernated by the spot market")
			}
			d.Must(t, "rm", "-f", "work")
			for i := range 5 {
				d.CLI("rm", "-f", fmt.Sprintf("fill-%d", i))
			}
			back := d.WaitPhase(t, name, api.PhaseRunning)
			if back.Noticed() || interruption == "hibernate" && back.Status.PID != in.Status.PID {
				t.Errorf("back as %+v, process %d before and %d now", back.Spot, in.Status.PID, back.Status.PID)
			}
			d.removeAll()
		})
	}
}

// Prices are published, and one above the most to pay is refused.
func TestSpotPrice(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	var list []api.SpotPrice
	if err := json.Unmarshal([]byte(d.Must(t, "spot", "price", "shared.small", "--json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("prices: %v", err)
	}
	if p := list[0]; p.OnDemand <= 0 || p.Spot < p.OnDemand*0.099 || p.Spot > p.OnDemand {
		t.Errorf("price %+v", p)
	}
	contains(t, d.Must(t, "spot", "history"), "%")
	contains(t, d.Refused(t, "run", "--spot", "--max-price", "0.00001", "--type", "shared.small", image, "true"), "spot price")
	contains(t, d.Refused(t, "run", "--max-price", "1", image, "true"), "--spot")
	contains(t, d.Refused(t, "run", "--spot", "--spot-interruption", "nap", image, "true"), "nap")
}

// A group mixes both options, and replaces a member that must leave.
func TestSpotGroup(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	t.Cleanup(func() { d.CLI("group", "rm", "mixed") })
	d.Must(t, "group", "create", "mixed", "--replicas", "4", "--spot", "--on-demand-base", "1", "--on-demand-percent", "30", "--wait", "-m", "64m", "--image", image, "--", "sleep", "1000")
	count := func() (spot, onDemand int, noticed []string) {
		for _, id := range fields(d.Must(t, "ps", "-aq", "--filter", "group=mixed")) {
			in := d.Inspect(t, id)
			switch {
			case in.Desired.Remove:
			case in.Noticed():
				noticed = append(noticed, in.Name)
			case in.Spec.Spot != nil:
				spot++
			default:
				onDemand++
			}
		}
		return spot, onDemand, noticed
	}
	if spot, onDemand, _ := count(); spot != 2 || onDemand != 2 {
		t.Errorf("%d spot and %d on-demand, want 2 and 2", spot, onDemand)
	}
	// Room for all but 32 MiB of what is asked for next.
	rest := d.capacity(t).Free.Memory>>20 + 32
	r := d.CLI("run", "-d", "--name", "work", "-m", fmt.Sprintf("%dm", rest), image, "sleep", "1000")
	if r.Code != 0 {
		t.Fatal(r)
	}
	if spot, onDemand, _ := count(); spot != 1 || onDemand != 2 {
		t.Errorf("after the reclaim %d spot and %d on-demand, want 1 and 2", spot, onDemand)
	}
	d.Must(t, "rm", "-f", "work")
	eventually(t, "the group has replaced it", func() (bool, string) {
		spot, onDemand, noticed := count()
		return spot == 2 && onDemand == 2 && len(noticed) == 0, d.Must(t, "group", "history", "mixed")
	})
}
