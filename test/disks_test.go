package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virga-cloud/virga/api"
)

// features are those of the node, by name.
func (d *Daemon) features(t *testing.T) map[string]api.Feature {
	t.Helper()
	var n api.Node
	if err := json.Unmarshal([]byte(d.Must(t, "node", "--json")), &n); err != nil {
		t.Fatal(err)
	}
	all := map[string]api.Feature{}
	for _, f := range n.Features {
		all[f.Name] = f
	}
	return all
}

func (d *Daemon) volume(t *testing.T, name string) (v api.Volume) {
	t.Helper()
	var all []api.Volume
	if err := json.Unmarshal([]byte(d.Must(t, "volume", "inspect", name)), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v: %d volumes", err, len(all))
	}
	return all[0]
}

// volumes makes volumes that are gone after the test, snapshots of them too.
func (d *Daemon) volumes(t *testing.T, names ...string) {
	t.Helper()
	t.Cleanup(func() {
		d.removeAll()
		for _, n := range names {
			d.CLI("volume", "rm", "-f", n)
		}
	})
}

// fillUp writes as much as goes to a file in an instance, and returns how much
// that was.
func (d *Daemon) fillUp(t *testing.T, instance, file string) int64 {
	t.Helper()
	r := d.CLI("exec", instance, "dd", "if=/dev/zero", "of="+file, "bs=64k", "count=8192")
	if r.Code == 0 || !strings.Contains(r.Stderr, "No space left") && !strings.Contains(r.Stderr, "quota exceeded") {
		t.Fatalf("512 MiB were written: %v", r)
	}
	var n int64
	fmt.Sscan(d.Must(t, "exec", instance, "stat", "-c", "%s", file), &n)
	return n
}

const mib = 1 << 20

func TestSizeOfTheWritableLayer(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	live := d.features(t)["live-growth"].Present
	d.Must(t, "run", "-d", "--name", "small", "--storage-opt", "size=32M", image, "sleep", "1000")
	d.Must(t, "run", "-d", "--name", "other", image, "sleep", "1000")
	if n := d.fillUp(t, "small", "/f"); n < 20*mib || n > 32*mib {
		t.Errorf("%d bytes went into a layer of 32 MiB", n)
	}
	d.Must(t, "exec", "other", "dd", "if=/dev/zero", "of=/f", "bs=1M", "count=40") // no matter to a neighbour
	s, text := d.stats("small")
	if s.Disk == nil || s.Disk.Size != 32*mib || s.Disk.Used < 20*mib {
		t.Errorf("stats: %s", text)
	}
	d.Refused(t, "resize", "--disk", "16m", "small")
	d.Refused(t, "resize", "--disk", "64m", "other") // made without a size
	if !live {
		d.Must(t, "stop", "-t", "0", "small")
	}
	d.Must(t, "resize", "--disk", "64m", "small")
	if !live {
		d.Must(t, "start", "small")
	}
	if n := d.fillUp(t, "small", "/g"); n < 28*mib || n > 32*mib {
		t.Errorf("%d more bytes fit after growing by 32 MiB", n)
	}
	d.Kill9(t)
	d.Restart(t)
	d.Must(t, "exec", "small", "rm", "/f")
	d.Must(t, "restart", "-t", "0", "small")
	if got := d.Must(t, "exec", "small", "ls", "/g"); got != "/g" {
		t.Errorf("the layer did not outlive the restart: %q", got)
	}
	for _, size := range []string{"-1", "1k", "many", "9000000t"} {
		d.Refused(t, "run", "--rm", "--disk", size, image, "true")
	}
}

func TestVolumesWithASize(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.volumes(t, "sized", "sized-2", "snap", "snap-2", "plain", "imported")
	d.Must(t, "volume", "create", "--size", "32m", "sized")
	d.Must(t, "run", "-d", "--name", "user", "-v", "sized:/data", image, "sleep", "1000")
	d.Must(t, "exec", "user", "sh", "-c", "echo old > /data/f; chown 7:8 /data/f")
	if n := d.fillUp(t, "user", "/data/big"); n < 20*mib || n > 32*mib {
		t.Errorf("%d bytes went into a volume of 32 MiB", n)
	}
	d.Must(t, "exec", "user", "rm", "/data/big")
	if u := d.volume(t, "sized").Usage; u == nil || u.Size != 32*mib || u.Used > 8*mib {
		t.Errorf("usage %+v", u)
	}

	// A snapshot of what is in use, and back.
	d.Must(t, "volume", "snapshot", "sized", "snap")
	snap := d.volume(t, "snap")
	if snap.Snapshot == nil || snap.Snapshot.Consistency == api.ConsistencyIdle || snap.Access != api.AccessReadOnly {
		t.Errorf("snapshot %+v", snap)
	}
	d.Must(t, "exec", "user", "sh", "-c", "echo new > /data/f")
	if m := d.Refused(t, "volume", "restore", "snap"); !strings.Contains(m, "user") {
		t.Errorf("%q does not say by whom the volume is used", m)
	}
	if m := d.Refused(t, "volume", "rm", "sized"); !strings.Contains(m, "user") {
		t.Errorf("%q does not say by whom the volume is used", m)
	}
	d.Must(t, "stop", "-t", "0", "user")
	d.Must(t, "volume", "restore", "snap")
	d.Must(t, "volume", "restore", "--size", "64m", "snap", "sized-2")
	d.Must(t, "start", "user")
	equal(t, "restored", d.Must(t, "exec", "user", "sh", "-c", "cat /data/f; stat -c %u:%g /data/f"), "old\n7:8")
	equal(t, "restored elsewhere", d.Must(t, "run", "--rm", "-v", "sized-2:/data:ro", image, "cat", "/data/f"), "old")
	d.Refused(t, "run", "--rm", "-v", "snap:/data", image, "true") // it is read-only
	equal(t, "snapshot", d.Must(t, "run", "--rm", "-v", "snap:/data:ro", image, "cat", "/data/f"), "old")

	// Out and in, into a volume without a size.
	tar := filepath.Join(t.TempDir(), "x.tar.zst")
	d.Must(t, "volume", "export", "--compress", "zstd", "-o", tar, "snap")
	d.Must(t, "volume", "import", tar, "imported")
	equal(t, "imported", d.Must(t, "run", "--rm", "-v", "imported:/data", image, "stat", "-c", "%u:%g", "/data/f"), "7:8")
	d.Refused(t, "volume", "import", tar, "imported")
	d.Must(t, "volume", "import", "--replace", tar, "imported")
	if r := d.Feed("nonsense", "volume", "import", "--replace", "-", "imported"); r.Code == 0 {
		t.Errorf("nonsense was imported: %v", r)
	}
	equal(t, "imported", d.Must(t, "run", "--rm", "-v", "imported:/data", image, "cat", "/data/f"), "old")
}

func TestEvilArchivesOfVolumes(t *testing.T) {
	d := Start(t)
	d.volumes(t, "evil")
	a := newArchive(t)
	a.symlink("out", "/tmp")
	a.file("../escaped", 0o644, "x")
	if r := d.Feed(string(a.bytes()), "volume", "import", "-", "evil"); r.Code == 0 || !strings.Contains(r.Stderr, "leaves the root") {
		t.Errorf("%v", r)
	}
	if r := d.CLI("volume", "inspect", "evil"); r.Code == 0 {
		t.Errorf("the volume is there: %v", r)
	}
}

func TestAnExclusiveVolume(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.volumes(t, "mine")
	d.Must(t, "volume", "create", "--access", "exclusive", "mine")
	d.Must(t, "run", "-d", "--name", "holder", "-v", "mine:/data", image, "sleep", "1000")
	if m := d.Refused(t, "run", "-d", "--name", "second", "-v", "mine:/data", image, "sleep", "1000"); !strings.Contains(m, "held by instance holder") {
		t.Errorf("%q", m)
	}
	d.Kill9(t) // who holds it is found again
	d.Restart(t)
	d.WaitPhase(t, "holder", api.PhaseRunning)
	d.CLI("rm", "-f", "second")
	d.Refused(t, "run", "-d", "--name", "second", "-v", "mine:/data", image, "sleep", "1000")
	d.CLI("rm", "-f", "second")
	d.Must(t, "stop", "-t", "0", "holder")
	d.Must(t, "run", "--rm", "-v", "mine:/data", image, "true")
}

// A daemon that is killed while content is made leaves the old or the new.
func TestVolumesAndRandomKills(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.volumes(t, "live", "one", "two", "fresh")
	size := []string{"--size", "48m"}
	d.Must(t, append([]string{"volume", "create", "live"}, size...)...)
	write := func(v, text string) {
		d.Must(t, "run", "--rm", "-v", v+":/d", image, "sh", "-c",
			"for i in $(seq 40); do echo "+text+" > /d/$i; done; dd if=/dev/urandom of=/d/data bs=1M count=16 2>/dev/null")
	}
	for _, v := range []string{"one", "two"} {
		write("live", v)
		d.Must(t, "volume", "snapshot", "live", v)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 8 {
		from := []string{"one", "two"}[i%2]
		work := [][]string{{"volume", "restore", from, "live"}, {"volume", "snapshot", "live", "fresh"}, {"volume", "restore", from, "fresh"}}[i%3]
		done := make(chan Result)
		go func() { done <- d.CLI(work...) }()
		// The moment is random on purpose; nothing is concluded from it.
		time.Sleep(time.Duration(rng.IntN(120)) * time.Millisecond)
		d.Kill9(t)
		result := <-done
		d.Restart(t)
		for _, v := range []string{"live", "fresh"} {
			if v == "fresh" && d.CLI("volume", "inspect", v).Code != 0 {
				if result.Code == 0 && work[len(work)-1] == v {
					t.Errorf("%v went well and there is no %s", work, v)
				}
				continue
			}
			got := d.Must(t, "run", "--rm", "-v", v+":/d:ro", image, "sh", "-c", "cat /d/[0-9]* | sort | uniq -c; ls /d | wc -l")
			f := strings.Fields(got)
			if len(f) != 3 || f[0] != "40" || f[2] != "41" {
				t.Errorf("after %v (%d): %s holds a mixture: %q", work, result.Code, v, got)
			}
			if result.Code == 0 && work[1] == "restore" && work[3] == v && f[1] != from {
				t.Errorf("%v went well and %s holds %q", work, v, got)
			}
		}
		d.CLI("volume", "rm", "-f", "fresh")
		d.CheckClean(t)
	}
}

// Direct I/O is never faster than its limit, whatever else the machine does,
// on the writable layer and on one that is a disk of its own.
func TestBlockIORates(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	for _, flags := range [][]string{nil, {"--disk", "64m"}} {
		name := fmt.Sprint("io", len(flags))
		d.Must(t, append(append([]string{"run", "-d", "--name", name, "--device-write-bps", "1m"}, flags...), image, "sleep", "1000")...)
		write := func(mib int) time.Duration {
			began := time.Now()
			d.Must(t, "exec", name, "dd", "if=/dev/zero", "of=/f", "bs=256k", fmt.Sprint("count=", 4*mib), "oflag=direct")
			return time.Since(began)
		}
		// The kernel lets the first slice of time through at once.
		if took := write(4); took < 2500*time.Millisecond {
			t.Errorf("%v: 4 MiB at 1 MiB/s took %v", flags, took)
		}
		// 32 MiB at that rate would take half a minute.
		d.Must(t, "update", "--device-write-bps", "0", name)
		if took := write(32); took > 20*time.Second {
			t.Errorf("%v: 32 MiB without a limit took %v", flags, took)
		}
		d.Must(t, "update", "--device-read-iops", "20", name)
		began := time.Now()
		d.Must(t, "exec", name, "dd", "if=/f", "of=/dev/null", "bs=4k", "count=80", "iflag=direct")
		if took := time.Since(began); took < 2500*time.Millisecond {
			t.Errorf("%v: 80 reads at 20 a second took %v", flags, took)
		}
	}
}

// Sizes add up to what disk is allocated, and more than there is is refused.
func TestCapacityOfDisk(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	d.volumes(t, "promised")
	before := d.capacity(t)
	d.Must(t, "volume", "create", "--size", "64m", "promised")
	d.Must(t, "create", "--name", "layer", "--disk", "32m", image, "true")
	c := d.capacity(t)
	if c.Disk.Volumes-before.Disk.Volumes != 64*mib || c.Disk.Layers-before.Disk.Layers != 32*mib || before.Free.Disk-c.Free.Disk != 96*mib {
		t.Errorf("disk %+v, free %d; before %+v, free %d", c.Disk, c.Free.Disk, before.Disk, before.Free.Disk)
	}
	for _, args := range [][]string{
		{"volume", "create", "--size", "4096t", "absurd"}, {"volume", "update", "--size", "4096t", "promised"},
		{"create", "--disk", "4096t", image, "true"}, {"resize", "--disk", "4096t", "layer"},
	} {
		r := d.CLI(args...)
		if r.Code != 6 || !strings.Contains(r.Stderr, "free of") || !strings.Contains(r.Stderr, "disk-overcommit") {
			t.Errorf("%v: %v", args, r)
		}
	}
	d.Must(t, "rm", "layer")
	d.Must(t, "volume", "rm", "promised")
	if now := d.capacity(t); now.Disk != before.Disk {
		t.Errorf("disk afterwards %+v, before %+v", now.Disk, before.Disk)
	}
}
