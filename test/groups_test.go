package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// group reads a group.
func (d *Daemon) group(t *testing.T, name string) api.Group {
	t.Helper()
	var list []api.Group
	if err := json.Unmarshal([]byte(d.Must(t, "group", "inspect", name)), &list); err != nil || len(list) != 1 {
		t.Fatalf("inspect group %s: %v, %d of them", name, err, len(list))
	}
	return list[0]
}

// members are the instances of a group that are not on their way out.
func (d *Daemon) members(t *testing.T, name string) (list []api.Instance) {
	t.Helper()
	var all []api.Instance
	if err := json.Unmarshal([]byte(d.Must(t, "ps", "-a", "--json", "--filter", "group="+name)), &all); err != nil {
		t.Fatal(err)
	}
	for _, in := range all {
		if in.Desired.State == api.DesiredRunning && !in.Desired.Remove {
			list = append(list, in)
		}
	}
	return list
}

// noGroup sees to it that a group is gone when the test ends, before the
// daemon is looked at: else it would replace what is removed.
func (d *Daemon) noGroup(t *testing.T, name string) {
	t.Cleanup(func() {
		if !d.alive() {
			d.Restart(t)
		}
		d.CLI("group", "rm", "-f", "-v", name)
	})
}

func pids(list []api.Instance) map[int]bool {
	found := map[int]bool{}
	for _, in := range list {
		found[in.Status.PID] = true
	}
	return found
}

// A group that wanted more than there is room for is well again when the user
// wants less.
func TestGroupScaledBackAfterARefusal(t *testing.T) {
	d := Start(t)
	d.noGroup(t, "big")
	half := d.capacity(t).Free.Memory/2>>20 + 16
	d.Must(t, "group", "create", "big", "--replicas", "1", "--image", d.Busybox(t), "-m", fmt.Sprintf("%dm", half), "--stop-timeout", "0", "--wait", "--", "sleep", "1000")
	contains(t, d.Refused(t, "group", "scale", "big", "2", "--wait"), "memory")
	d.Must(t, "group", "scale", "big", "1", "--wait")
	equal(t, "phase", d.Must(t, "group", "inspect", "-f", "{{.Status.Phase}}", "big"), string(api.GroupSteady))
}

// A group makes its instances, replaces what ends, scales, and leaves nothing.
func TestGroupHealsAndScales(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--replicas", "3", "--image", image, "--stop-timeout", "0", "--wait", "--", "sleep", "1000")
	first := d.members(t, "web")
	if len(first) != 3 {
		t.Fatalf("%d instances, want 3", len(first))
	}
	contains(t, d.Must(t, "ps"), "web-")
	contains(t, d.Must(t, "group", "ls"), "3/3")

	victim := first[0]
	killProcess(t, victim.Status.PID)
	eventually(t, "another instance in the place of the killed one", func() (bool, string) {
		g, now := d.group(t, "web"), d.members(t, "web")
		replaced := len(now) == 3 && g.Status.Phase == api.GroupSteady
		for _, in := range now {
			replaced = replaced && in.ID != victim.ID
		}
		return replaced, fmt.Sprintf("%+v", g.Status)
	})
	contains(t, d.Must(t, "group", "history", "web"), victim.Name+": it ended")
	contains(t, d.Must(t, "events", "--filter", "type=group"), victim.Name)

	d.Must(t, "group", "scale", "web", "5", "--wait")
	if n := len(d.members(t, "web")); n != 5 {
		t.Errorf("%d instances after scaling to 5", n)
	}
	contains(t, d.Must(t, "group", "history", "web"), "3 → 5")
	keep := d.members(t, "web")[4].Name
	for _, in := range d.members(t, "web") {
		d.Must(t, "group", "protect", "--off", in.Name)
	}
	d.Must(t, "group", "protect", keep)
	d.Must(t, "group", "scale", "web", "1", "--wait")
	if left := d.members(t, "web"); len(left) != 1 || left[0].Name != keep {
		t.Errorf("the protected %s is not what is left: %d instances", keep, len(left))
	}

	d.Must(t, "group", "rm", "web")
	equal(t, "instances after the group", d.Must(t, "ps", "-aq"), "")
	equal(t, "groups", d.Must(t, "group", "ls", "-q"), "")
}

// A new template replaces every instance and never leaves fewer than desired
// in service; a broken one backs off and leaves the old ones alone.
func TestGroupRolls(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--replicas", "3", "--image", image, "-e", "V=1", "--stop-timeout", "0", "--wait", "--", "sleep", "1000")
	before := pids(d.members(t, "web"))

	d.Must(t, "group", "update", "web", "-e", "V=2")
	least := 3
	eventually(t, "the roll ends", func() (bool, string) {
		g := d.group(t, "web")
		running := 0
		for _, in := range d.members(t, "web") {
			if in.Status.Phase == api.PhaseRunning {
				running++
			}
		}
		least = min(least, running)
		return g.Status.Phase == api.GroupSteady && g.Status.Current == 3, fmt.Sprintf("%+v", g.Status)
	})
	if least < 3 {
		t.Errorf("only %d in service during the roll", least)
	}
	for _, in := range d.members(t, "web") {
		if before[in.Status.PID] || in.GroupRevision != 2 {
			t.Errorf("%s is of revision %d, process %d", in.Name, in.GroupRevision, in.Status.PID)
		}
		equal(t, "V in "+in.Name, d.Must(t, "exec", in.Name, "sh", "-c", "echo $V"), "2")
	}

	good := pids(d.members(t, "web"))
	d.Must(t, "group", "update", "web", "--", "false")
	eventually(t, "the group says that it fails", func() (bool, string) {
		g := d.group(t, "web")
		return g.Status.Phase == api.GroupFailing, fmt.Sprintf("%+v", g.Status)
	})
	contains(t, d.Refused(t, "group", "rollout", "status", "web"), "failing")
	still := 0
	for pid := range pids(d.members(t, "web")) {
		if good[pid] {
			still++
		}
	}
	if still != 3 {
		t.Errorf("%d of 3 old instances outlived a broken template", still)
	}
	d.Must(t, "group", "rollout", "undo", "web", "--wait")
	for pid := range pids(d.members(t, "web")) {
		if !good[pid] {
			t.Errorf("going back replaced an instance of the right revision")
		}
	}
	equal(t, "V", d.Must(t, "group", "inspect", "-f", "{{index .Spec.Template.Env 0}}", "web"), "V=2")
}

// A roll whose instances fail returns by itself when that is asked for.
func TestGroupRollsBack(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--replicas", "2", "--rollback", "2", "--image", image, "--stop-timeout", "0", "--wait", "--", "sleep", "1000")
	good := pids(d.members(t, "web"))
	d.Must(t, "group", "update", "web", "--", "sh", "-c", "exit 3")
	eventually(t, "the group has gone back", func() (bool, string) {
		g := d.group(t, "web")
		return g.Status.RolledBack == 2 && g.Status.Phase == api.GroupSteady, fmt.Sprintf("%+v", g.Status)
	})
	for pid := range pids(d.members(t, "web")) {
		if !good[pid] {
			t.Error("an instance that served was replaced")
		}
	}
	contains(t, d.Must(t, "group", "history", "web"), "rolled back to revision 1")
	contains(t, d.Refused(t, "group", "rollout", "status", "web"), "revision 2 was given up")
}

// A roll whose instances fail is held: the older ones serve on, what is resumed
// is tried again, and another template ends it.
func TestGroupHoldsARoll(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--replicas", "2", "--hold", "2", "--image", image, "--stop-timeout", "0", "--wait", "--", "sleep", "1000")
	good := pids(d.members(t, "web"))
	held := func() {
		t.Helper()
		eventually(t, "the roll is held", func() (bool, string) {
			g := d.group(t, "web")
			return g.Status.Held == 2 && g.Status.Phase == api.GroupFailing && g.Status.Ready == 2, fmt.Sprintf("%+v", g.Status)
		})
	}
	d.Must(t, "group", "update", "web", "--", "sh", "-c", "exit 3")
	held()
	contains(t, d.Refused(t, "group", "rollout", "status", "web"), "the roll to revision 2 is held")
	contains(t, d.Must(t, "group", "history", "web"), "the roll to revision 2 is held")
	d.Must(t, "group", "rollout", "resume", "web")
	held()
	for pid := range pids(d.members(t, "web")) {
		if !good[pid] {
			t.Error("an instance that served was replaced")
		}
	}
	contains(t, d.Refused(t, "group", "update", "web", "--rollback", "1"), "either rolled back")
	d.Must(t, "group", "update", "web", "--wait", "--", "sleep", "2000")
	if g := d.group(t, "web"); g.Status.Held != 0 || g.Status.Current != 2 {
		t.Errorf("after another template: %+v", g.Status)
	}
}

// An unhealthy instance is replaced.
func TestGroupReplacesTheUnhealthy(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--replicas", "2", "--image", image, "--stop-timeout", "0", "--wait",
		"--health-cmd", "test ! -e /tmp/ill", "--health-interval", "200ms", "--health-retries", "2", "--", "sleep", "1000")
	ill := d.members(t, "web")[0]
	if ill.Status.Health == nil || ill.Status.Health.State != api.HealthHealthy {
		t.Errorf("the group was steady before %s was healthy", ill.Name)
	}
	d.Must(t, "exec", ill.Name, "touch", "/tmp/ill")
	eventually(t, "the ill one is replaced", func() (bool, string) {
		now := d.members(t, "web")
		for _, in := range now {
			if in.ID == ill.ID {
				return false, in.Name
			}
		}
		return len(now) == 2, fmt.Sprint(len(now))
	})
	contains(t, d.Must(t, "group", "history", "web"), ill.Name+": it is unhealthy")
}

// The instances of a stateful group keep their names and volumes.
func TestStatefulGroup(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "db")
	d.Must(t, "group", "create", "db", "--stateful", "--replicas", "2", "--image", image, "--stop-timeout", "0", "--wait",
		"--mount", "type=volume,source=data,target=/data,claim", "--", "sleep", "1000")
	d.Must(t, "exec", "db-1", "sh", "-c", "echo mine > /data/file")
	old := d.Inspect(t, "db-1")
	killProcess(t, old.Status.PID)
	eventually(t, "db-1 is there again", func() (bool, string) {
		in, problem := d.inspect("db-1")
		return problem == "" && in.ID != old.ID && in.Status.Phase == api.PhaseRunning, problem + string(in.Status.Phase)
	})
	equal(t, "its file", d.Must(t, "exec", "db-1", "cat", "/data/file"), "mine")
	claimed := func() string {
		var own []string
		for name := range strings.SplitSeq(d.Must(t, "volume", "ls", "-q"), "\n") {
			if strings.HasPrefix(name, "data-db-") {
				own = append(own, name)
			}
		}
		return strings.Join(own, " ")
	}
	equal(t, "volumes", claimed(), "data-db-0 data-db-1")
	d.Must(t, "group", "rm", "-v", "db")
	equal(t, "volumes after the group", claimed(), "")
}

// A roll goes on where it was when the daemon is killed in the middle of it.
func TestGroupRollSurvivesTheDaemon(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--replicas", "4", "--image", image, "-e", "V=1", "--stop-timeout", "0", "--wait", "--", "sleep", "1000")
	d.Must(t, "group", "update", "web", "-e", "V=2")
	for range 3 {
		d.Kill9(t)
		d.Restart(t)
		if n := len(d.members(t, "web")); n > 5 {
			t.Errorf("%d instances, more than desired and surge", n)
		}
	}
	eventually(t, "the roll ends", func() (bool, string) {
		g := d.group(t, "web")
		return g.Status.Phase == api.GroupSteady && g.Status.Current == 4, fmt.Sprintf("%+v", g.Status)
	})
	for _, in := range d.members(t, "web") {
		if in.GroupRevision != 2 {
			t.Errorf("%s is of revision %d", in.Name, in.GroupRevision)
		}
	}
}

// What makes no sense is refused with a hint.
func TestGroupBadInput(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	for _, args := range [][]string{
		{"create", "web"},
		{"create", "web", "--image", image, "--min", "3", "--max", "2"},
		{"create", "web", "--image", image, "--replicas", "5", "--max", "2"},
		{"create", "Web!", "--image", image},
		{"create", "web", "--image", image, "--replicas", "2", "-p", "8080:80"},
		{"create", "web", "--image", "no-such-image", "--pull", "never"},
		{"scale", "nobody", "3"},
		{"rm", "nobody"},
	} {
		d.Refused(t, append([]string{"group"}, args...)...)
	}
	if out := d.Must(t, "group", "ls", "-q"); strings.TrimSpace(out) != "" {
		t.Errorf("groups were made: %s", out)
	}
}

// A load makes a group grow, and the history says why.
func TestGroupFollowsItsLoad(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "work")
	d.Must(t, "group", "create", "work", "--image", image, "--cpus", "0.1", "--stop-timeout", "0", "--wait", "--", "sh", "-c", "while :; do :; done")
	d.Must(t, "group", "scale", "work", "--min", "1", "--max", "2", "--cpu", "20", "--warm-up", "1s", "--no-scale-in")
	eventually(t, "the group has grown to its maximum", func() (bool, string) {
		g := d.group(t, "work")
		return g.Spec.Desired == 2 && g.Status.Ready == 2, fmt.Sprintf("%+v", g)
	})
	contains(t, d.Must(t, "group", "history", "work"), "1 → 2 because CPU ")
	d.Must(t, "group", "scale", "work", "1", "--manual", "--wait")
	d.Must(t, "group", "rm", "work")
}

// Steps follow a number in an answer of JSON, the bounds a schedule, and the
// history has what each decision was made from. A group that predicts says that
// it does not know enough yet.
func TestGroupStepsFollowAQueue(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "work")
	var length atomic.Int64
	queue := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"queues":{"mail":{"ready":%d}}}`, length.Load())
	}))
	defer queue.Close()
	d.Must(t, "group", "create", "work", "--image", image, "--stop-timeout", "0", "--wait", "--", "sleep", "1000")
	d.Refused(t, "group", "scale", "work", "--max", "3", "--step", "queue:10")
	d.Refused(t, "group", "scale", "work", "--max", "3", "--warm-up", "1s")
	d.Must(t, "group", "scale", "work", "--min", "1", "--max", "3", "--step", "queue:10=+1,100=+5", "--step", "queue:<5=-1", "--window", "1s", "--warm-up", "1s",
		"--out-cooldown", "1s", "--in-cooldown", "2s", "--stabilization", "2s", "--queue-url", queue.URL, "--queue-pointer", "/queues/mail/ready")
	number := func(want int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d instances", want), func() (bool, string) {
			g := d.group(t, "work")
			return g.Spec.Desired == want && g.Status.Ready == want, fmt.Sprintf("%d, %+v", g.Spec.Desired, g.Status)
		})
	}
	length.Store(50)
	number(3)
	contains(t, d.Must(t, "group", "history", "work"), "1 → 2 because queue per instance 50 ≥ 10 for 1 s")
	length.Store(0)
	number(1)
	for _, h := range d.group(t, "work").Status.History {
		if in := h.Inputs; strings.Contains(h.Message, "because queue") && (in["max"] != 3 || in["ready"] == 0) {
			t.Errorf("%s was decided from %v", h.Message, in)
		}
	}
	d.Must(t, "group", "scale", "work", "--max", "3", "--cpu", "70", "--predict", "forecast")
	contains(t, d.CLI("group", "forecast", "work").Stderr, "nothing can be forecast")
}

// Warm instances wait, serve nothing, and are taken first when the group grows.
func TestGroupWarmPool(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "web")
	d.Must(t, "group", "create", "web", "--image", image, "--stop-timeout", "0", "--warm-pool", "2", "--warm-state", "paused", "--wait", "--", "sleep", "1000")
	waiting := func(phase api.Phase) (list []api.Instance) {
		for _, in := range d.all(t, "web") {
			if in.Warm && in.Status.Phase == phase {
				list = append(list, in)
			}
		}
		return list
	}
	eventually(t, "two are warm", func() (bool, string) {
		return len(waiting(api.PhasePaused)) == 2 && d.group(t, "web").Status.Warm == 2, d.Must(t, "ps", "-a")
	})
	contains(t, d.Must(t, "group", "ls"), "1/1 +2/2 warm")
	contains(t, d.Must(t, "ps"), "(warm)")
	warm := pids(waiting(api.PhasePaused))
	d.Must(t, "group", "scale", "web", "3", "--wait")
	taken := 0
	for _, in := range d.all(t, "web") {
		if !in.Warm && warm[in.Status.PID] {
			taken++
		}
	}
	if taken != 2 {
		t.Errorf("%d of the two warm ones serve", taken)
	}
	d.Must(t, "group", "update", "web", "--warm-state", "stopped", "--wait")
	eventually(t, "two are warm, and made only", func() (bool, string) {
		return len(waiting(api.PhaseCreated)) == 2 && len(d.all(t, "web")) == 5, d.Must(t, "ps", "-a")
	})
	d.Must(t, "group", "scale", "web", "4", "--wait")
	d.Must(t, "group", "update", "web", "--warm-pool", "0", "--wait")
	eventually(t, "none is warm", func() (bool, string) { return len(d.all(t, "web")) == 4, d.Must(t, "ps", "-a") })
	d.Refused(t, "group", "create", "db", "--stateful", "--image", image, "--warm-pool", "1")
}

// all are the instances of a group.
func (d *Daemon) all(t *testing.T, name string) (all []api.Instance) {
	t.Helper()
	if err := json.Unmarshal([]byte(d.Must(t, "ps", "-a", "--json", "--filter", "group="+name)), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A group that is scaled to nothing comes back when a request waits for it.
func TestGroupComesBackFromZero(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.noGroup(t, "idle")
	t.Cleanup(func() { d.CLI("service", "rm", "idle") })
	d.Must(t, "group", "create", "idle", "--replicas", "0", "--image", "virga/hello", "--stop-timeout", "0", "--", "serve")
	d.Must(t, "service", "create", "idle", "--group", "idle", "--port", "80:8080/http", "--hold", "60s")
	d.Must(t, "group", "scale", "idle", "--min", "0", "--max", "2", "--requests", "1000")
	equal(t, "desired before a request", fmt.Sprint(d.group(t, "idle").Spec.Desired), "0")
	contains(t, d.Must(t, "run", "--rm", image, "wget", "-qO-", "http://idle/"), "Hello from virga")
	contains(t, d.Must(t, "group", "history", "idle"), "0 → 1 because a request waits")
}
