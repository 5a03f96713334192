package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func (d *Daemon) credits(t *testing.T, name string, flags ...string) (c api.CPUCredits) {
	t.Helper()
	out := d.Must(t, append([]string{"credits", "--json", name}, flags...)...)
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return c
}

// An instance with credits may use its vCPUs; one that has none is held at its
// baseline by the kernel.
func TestCreditsDecideTheQuota(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.Must(t, "run", "-d", "--name", "burst", "--type", "burst.nano", image, "sh", "-c", "while :; do :; done")
	quota := func(want float64) {
		t.Helper()
		eventually(t, "the quota", func() (bool, string) {
			s, text := d.stats("burst")
			return s.CPU.Limit >= .9*want && s.CPU.Limit <= 1.2*want && s.Credits != nil, text
		})
	}
	quota(2)
	c := d.credits(t, "burst")
	if c.Mode != api.CreditStandard || c.Cap != 144 || c.EarnPerHour != 6 || c.Launch > 60 {
		t.Errorf("account %+v", c)
	}
	eventually(t, "credits that are spent", func() (bool, string) {
		now := d.credits(t, "burst", "--series", "1s")
		return now.Usage > c.Usage && len(now.Series) > 0 && now.Balance < 60, d.Must(t, "credits", "burst")
	})
	// Launch credits end with the change to unlimited, and standard again has
	// nothing left.
	d.Must(t, "update", "--credits", "unlimited", "burst")
	quota(2)
	d.Must(t, "update", "--credits", "standard", "burst")
	quota(.1)

	spent := d.credits(t, "burst").Usage
	d.Kill9(t)
	d.Restart(t)
	if now := d.credits(t, "burst"); now.Usage < spent || now.Launch > 0 {
		t.Errorf("after a kill of the daemon: %+v, spent before it %v", now, spent)
	}
	quota(.1)
	d.Must(t, "stop", "-t", "0", "burst")
	if now := d.credits(t, "burst"); now.Launch > 0 || now.Limit > 0 {
		t.Errorf("after a stop: %+v", now)
	}
	d.Must(t, "rm", "burst")
}

// What is dedicated is nobody else's, live, and after a restart too.
func TestDedicatedCoresAreExclusive(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	allowed := func(name string) string {
		return d.Must(t, "exec", name, "sh", "-c", "grep Cpus_allowed_list /proc/1/status")
	}
	d.Must(t, "run", "-d", "--name", "other", image, "sleep", "100000")
	before := allowed("other")
	if r := d.CLI("run", "-d", "--name", "mine", "--type", "dedicated.small", image, "sleep", "100000"); r.Code != 0 {
		t.Skip("the machine has no core to spare:", r)
	}
	mine := d.Must(t, "inspect", "--format", "{{.Status.CPUs}}", "mine")
	check := func(when string) {
		t.Helper()
		own, others := allowed("mine"), allowed("other")
		if mine == "" || !strings.HasSuffix(own, "\t"+mine) || own == others || others == before {
			t.Errorf("%s: dedicated %q runs on %q, the other on %q", when, mine, own, others)
		}
		// With cgroup version 1 the daemon keeps away too, with all its threads.
		if _, err := os.Stat("/sys/fs/cgroup/cpuset/cpuset.cpus"); err == nil {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.cmd.Process.Pid))
			for _, file := range threads {
				if status, err := os.ReadFile(file); err == nil && strings.Contains(string(status), "\nCpus_allowed_list:\t"+strings.TrimPrefix(before, "Cpus_allowed_list:\t")+"\n") {
					t.Errorf("%s: a thread of the daemon may use all CPUs", when)
				}
			}
		}
	}
	check("at first")
	d.Kill9(t)
	d.Restart(t)
	check("after a restart of the daemon")
	d.Must(t, "rm", "-f", "mine")
	equal(t, "the other's CPUs afterwards", allowed("other"), before)
}
