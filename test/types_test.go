package test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/virga-cloud/virga/api"
)

// control reads a control file of an instance's cgroup: of version 1's
// controller, or of version 2 under the name it has there.
func (d *Daemon) control(t *testing.T, id, controller, v1, v2 string) string {
	t.Helper()
	in := d.Inspect(t, id)
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", in.Status.PID))
	if err != nil {
		t.Fatal(err)
	}
	file := ""
	for line := range strings.Lines(string(list)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for c := range strings.SplitSeq(f[1], ",") {
			if c == controller {
				file = filepath.Join("/sys/fs/cgroup", controller, f[2], v1)
			}
		}
		if f[1] == "" && file == "" {
			file = filepath.Join("/sys/fs/cgroup", f[2], v2)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// capacity is the arithmetic of the node.
func (d *Daemon) capacity(t *testing.T) api.NodeCapacity {
	t.Helper()
	var list []api.NodeCapacity
	if err := json.Unmarshal([]byte(d.Must(t, "capacity", "--json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("capacity: %v", err)
	}
	return list[0]
}

func TestAnInstanceHasWhatItsTypePromises(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "small", "--type", "shared.micro", image, "sleep", "1000")
	equal(t, "memory", d.control(t, "small", "memory", "memory.limit_in_bytes", "memory.max"), fmt.Sprint(512<<20))
	if w := d.control(t, "small", "cpu", "cpu.shares", "cpu.weight"); w != "256" && w != "42" {
		t.Errorf("weight %s", w)
	}
	equal(t, "type in ps", d.Must(t, "ps", "--format", "{{.Type}}"), "shared.micro")

	d.Must(t, "type", "create", "--family", "shared", "--vcpus", "0.3", "--memory", "64m", "--quota", "shared.e2e")
	defer d.CLI("type", "rm", "shared.e2e")
	d.Must(t, "run", "-d", "--name", "quota", "--type", "shared.e2e", image, "sleep", "1000")
	d.Must(t, "type", "rm", "shared.e2e")
	in := d.Inspect(t, "quota")
	if in.Type == nil || in.Type.Name != "shared.e2e" || in.Type.VCPUs != .3 {
		t.Errorf("a removed type took the instance's copy away: %+v", in.Type)
	}
	if l := in.Limits(); l.CPUs != .3 {
		t.Errorf("limits %+v", l)
	}
	quota := d.control(t, "quota", "cpu", "cpu.cfs_quota_us", "cpu.max")
	if strings.HasPrefix(quota, "-1") || strings.HasPrefix(quota, "max") {
		t.Errorf("no quota: %s", quota)
	}

	d.Must(t, "run", "-d", "--name", "free", "--cpus", "0.5", "--memory", "256m", image, "sleep", "1000")
	d.Must(t, "run", "-d", "--name", "plain", image, "sleep", "1000")
	equal(t, "a custom type", d.Must(t, "ps", "--filter", "name=free", "--format", "{{.Type}}"), "custom-0.5-256m")
	equal(t, "no limits", d.Must(t, "ps", "--filter", "name=plain", "--format", "{{.Type}}"), "custom")
}

func TestCapacityAddsUp(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	before := d.capacity(t)
	if before.Allocatable.Memory != before.Physical.Memory-before.Reserved.Memory || before.Allocated.Memory != 0 {
		t.Errorf("an empty node: %+v", before)
	}
	d.Must(t, "run", "-d", "--name", "a", "--type", "burst.nano", image, "sleep", "1000")
	d.Must(t, "run", "-d", "--name", "b", "--type", "shared.nano", image, "sleep", "1000")
	d.Must(t, "create", "--name", "c", "--type", "shared.nano", image, "sleep", "1000")
	d.Must(t, "run", "-d", "--name", "e", image, "sleep", "1000")
	now := d.capacity(t)
	if now.Allocated.Memory != (512+128)<<20 || now.Free.Memory != before.Free.Memory-now.Allocated.Memory {
		t.Errorf("allocated %+v, free %+v, before %+v", now.Allocated, now.Free, before.Free)
	}
	for _, c := range now.Classes {
		want := map[api.Family]api.ClassCapacity{
			api.FamilyBurst:     {Instances: 1, VCPUs: 2, Baseline: .1, Memory: 512 << 20},
			api.FamilyShared:    {Instances: 1, VCPUs: .1, Memory: 128 << 20},
			api.FamilyDedicated: {},
			api.FamilyCustom:    {Instances: 1, Unlimited: 1},
		}[c.Class]
		want.Class = c.Class
		if c != want {
			t.Errorf("class %+v, want %+v", c, want)
		}
	}
	if text := d.Must(t, "capacity"); !strings.Contains(text, "allocatable") || !strings.Contains(text, "1 without a memory limit") {
		t.Error(text)
	}
	d.Must(t, "stop", "-t", "1", "a")
	if c := d.capacity(t); c.Allocated.Memory != 128<<20 {
		t.Errorf("a stopped instance counts: %+v", c.Allocated)
	}
}

func TestRefusedRequestsSayWhatIsShort(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "type", "create", "--family", "dedicated", "--vcpus", "1024", "--memory", "16m", "dedicated.e2e-huge")
	defer d.CLI("type", "rm", "dedicated.e2e-huge")
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"vCPUs", []string{"run", "--cpus", "8000", image, "true"}},
		{"memory", []string{"run", "--memory", "4t", image, "true"}},
		{"the machine has", []string{"run", "--type", "dedicated.e2e-huge", image, "true"}},
		{"the machine has", []string{"create", "--type", "dedicated.e2e-huge", image, "true"}},
		{"--cpus \"NaN\": want a number", []string{"run", "--cpus", "NaN", image, "true"}},
		{"cpus", []string{"run", "--cpus", "-1", image, "true"}},
		{"part of a byte", []string{"run", "--memory", "0.5", image, "true"}},
		{"--network-bps: network rate \"-5\"", []string{"type", "create", "--memory", "1g", "--network-bps", "-5", "shared.minus-net"}},
		{"want a number", []string{"run", "--memory", "-1g", image, "true"}},
		{"no instance type", []string{"run", "--type", "burst.huge", image, "true"}},
		{"contradicts the type", []string{"run", "--type", "shared.nano", "--memory", "64m", image, "true"}},
		{"contradicts the type", []string{"run", "--type", "shared.nano", "--cpus", "2", image, "true"}},
		{"credits belong to burst types", []string{"run", "--type", "shared.nano", "--credits", "unlimited", image, "true"}},
		{"vcpus 0", []string{"type", "create", "--vcpus", "0", "--memory", "1g", "shared.zero"}},
		{"vcpus -2", []string{"type", "create", "--vcpus", "-2", "--memory", "1g", "shared.minus"}},
		{"must be from", []string{"type", "create", "--vcpus", "1", "--memory", "9999t", "shared.absurd"}},
		{"neither weight nor quota", []string{"type", "create", "--family", "dedicated", "--quota", "--memory", "1g", "own.quota"}},
		{"--vcpus \"NaN\": want a number", []string{"type", "create", "--vcpus", "NaN", "--memory", "1g", "shared.nan"}},
		{"whole vCPUs", []string{"type", "create", "--family", "burst", "--vcpus", "0.5", "--baseline", "0.1", "--memory", "1g", "burst.half"}},
		{"belong to burst types", []string{"type", "create", "--baseline", "0.1", "--memory", "1g", "shared.earning"}},
		{"has no weight", []string{"type", "create", "--family", "burst", "--vcpus", "1", "--baseline", "0.1", "--weight", "5", "--memory", "1g", "burst.heavy"}},
		{"pricePerHour -1", []string{"type", "create", "--memory", "1g", "--price", "-1", "shared.gift"}},
		{"--price \"NaN\": want a number", []string{"type", "create", "--memory", "1g", "--price", "NaN", "shared.unsure"}},
		{"built in", []string{"type", "rm", "shared.nano"}},
	} {
		if said := d.Refused(t, tt.args...); !strings.Contains(said, tt.want) {
			t.Errorf("virga %s said %q, not %q", strings.Join(tt.args, " "), said, tt.want)
		}
	}
	if left := d.Must(t, "ps", "-aq"); left != "" {
		t.Errorf("refused and yet there: %s", left)
	}
}

// Two of a type that fills the node ask at once: one of them gets in.
func TestTheLastOfTheMemory(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	half := d.capacity(t).Free.Memory/2 + 1<<20
	d.Must(t, "type", "create", "--vcpus", "0.1", "--memory", fmt.Sprint(half), "shared.half")
	defer d.CLI("type", "rm", "shared.half")
	results := make([]Result, 2)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = d.CLI("run", "-d", "--type", "shared.half", image, "sleep", "1000") })
	}
	wg.Wait()
	if a, b := results[0].Code, results[1].Code; a+b == 0 || a*b != 0 {
		t.Errorf("both or none got in: %v", results)
	}
	for _, r := range results {
		if r.Code != 0 && (!strings.Contains(r.Stderr, "memory: ") || !strings.Contains(r.Stderr, "largest type that fits")) {
			t.Errorf("the refusal says: %s", r.Stderr)
		}
	}
}

// Two ask for the last core that can be dedicated: one of them gets it.
func TestTheLastCore(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	c := d.capacity(t)
	free := int(c.Free.Dedicated)
	if free == 0 {
		t.Skip("the machine has no core to spare:", c.Free)
	}
	d.Must(t, "type", "create", "--family", "dedicated", "--vcpus", fmt.Sprint(free), "--memory", "16m", "dedicated.rest")
	defer d.CLI("type", "rm", "dedicated.rest")
	results := make([]Result, 3)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = d.CLI("run", "-d", "--type", "dedicated.rest", image, "sleep", "1000") })
	}
	wg.Wait()
	in := 0
	for _, r := range results {
		switch {
		case r.Code == 0:
			in++
		case r.Code != 125 || !strings.Contains(r.Stderr, "dedicated vCPUs: ") || !strings.Contains(r.Stderr, ", 0 free"):
			t.Errorf("the refusal says: %v", r)
		}
	}
	if left := d.capacity(t).Free.Dedicated; in != 1 || left != 0 {
		t.Errorf("%d got in, %v cores are left", in, left)
	}
}

func TestResizeWhileItRuns(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "web", "--type", "shared.nano", image, "sleep", "1000")
	pid := d.Inspect(t, "web").Status.PID
	d.Must(t, "resize", "--type", "shared.small", "web")
	eventually(t, "the larger limits", func() (bool, string) {
		m := d.control(t, "web", "memory", "memory.limit_in_bytes", "memory.max")
		w := d.control(t, "web", "cpu", "cpu.shares", "cpu.weight")
		return m == fmt.Sprint(1<<30) && w != "102", m + " " + w
	})
	if in := d.Inspect(t, "web"); in.Status.PID != pid || in.TypeName() != "shared.small" {
		t.Errorf("restarted, or not of the new type: %+v", in.Type)
	}
	d.Must(t, "update", "--pids-limit", "77", "web")
	eventually(t, "a limit that no type fixes", func() (bool, string) {
		p := d.control(t, "web", "pids", "pids.max", "pids.max")
		return p == "77", p
	})
	if said := d.Refused(t, "update", "--memory", "64m", "web"); !strings.Contains(said, "contradicts") {
		t.Error(said)
	}

	d.Must(t, "stop", "-t", "1", "web")
	d.Must(t, "resize", "--type", "shared.micro", "web")
	d.Must(t, "start", "web")
	equal(t, "memory after the next start", d.control(t, "web", "memory", "memory.limit_in_bytes", "memory.max"), fmt.Sprint(512<<20))
}

func TestResizeBelowWhatIsInUse(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "full", "--type", "shared.micro", "--tmpfs", "/data", image,
		"sh", "-c", "head -c 200m /dev/zero > /data/x && exec sleep 1000")
	eventually(t, "200 MiB in use", func() (bool, string) {
		s, text := d.stats("full")
		return s.Memory.Usage > 200<<20, text
	})
	said := d.Refused(t, "resize", "--type", "shared.nano", "full")
	if !strings.Contains(said, "uses 20") || !strings.Contains(said, "128 MiB") {
		t.Errorf("the figures are missing: %s", said)
	}
	if in := d.Inspect(t, "full"); in.TypeName() != "shared.micro" || in.Status.Phase != api.PhaseRunning {
		t.Errorf("changed in spite of it: %s, %s", in.TypeName(), in.Status.Phase)
	}
}

func TestTypesOutliveTheDaemon(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "type", "create", "--vcpus", "0.2", "--memory", "64m", "shared.kept")
	defer d.CLI("type", "rm", "shared.kept")
	d.Must(t, "run", "-d", "--name", "on", "--type", "shared.kept", image, "sleep", "1000")
	d.Kill9(t)
	d.Restart(t)
	if names := d.Must(t, "type", "ls", "-q"); !strings.Contains(names, "shared.kept") {
		t.Errorf("types after a crash: %s", names)
	}
	if c := d.capacity(t); c.Allocated.Memory != 64<<20 {
		t.Errorf("allocated after a crash: %+v", c.Allocated)
	}
}

// metrics is what Prometheus would see.
func (d *Daemon) metrics(t *testing.T) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.Socket)
	}}}
	r, err := client.Get("http://virga/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", r.Status, err)
	}
	return string(b)
}

func TestMetrics(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "seen", "--type", "shared.nano", image, "sleep", "1000")
	b := d.metrics(t)
	for _, want := range []string{
		`virga_instance_phase{id="` + d.Inspect(t, "seen").ID + `",name="seen",phase="running",project="default"} 1`,
		`virga_instance_memory_limit_bytes{`, `type="shared.nano"`, `virga_node_free_memory_bytes{`, `virga_scrape_failures 0`,
	} {
		if !strings.Contains(b, want) {
			t.Errorf("lacks %s", want)
		}
	}
}
