package host

import "testing"

func TestRead(t *testing.T) {
	h, err := Read(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if h.Kernel == "" || h.CPUs < 1 || h.Memory <= 0 || h.MemoryUsed <= 0 || h.MemoryUsed > h.Memory || h.Disk <= 0 || h.DiskUsed > h.Disk || h.Cgroup == "" {
		t.Errorf("Read = %+v", h)
	}
	if id, err := BootID(); err != nil || len(id) != 36 {
		t.Errorf("BootID = %q, %v", id, err)
	}
}

func TestMeminfo(t *testing.T) {
	total, available := meminfo([]byte("MemTotal:  1024 kB\nnonsense\nMemFree: x kB\nMemAvailable: 512 kB\n"))
	if total != 1<<20 || available != 512<<10 {
		t.Errorf("meminfo = %d, %d", total, available)
	}
}

func TestLoadavg(t *testing.T) {
	for in, want := range map[string]float64{"0.25 0.1 0.0 1/200 4242\n": 0.25, "": 0, "x": 0} {
		if got := loadavg([]byte(in)); got != want {
			t.Errorf("loadavg(%q) = %v, want %v", in, got, want)
		}
	}
}
