package cli

import (
	"strings"

	"github.com/spf13/pflag"
	"github.com/virga-cloud/virga/api"
)

// limitFlags are an instance's resources; update shares the first part.
type limitFlags struct {
	cpus        float64
	cpuPeriod   int64
	cpuQuota    int64
	shares      int64
	cpuSet      string
	memory      string
	reservation string
	swap        string
	pids        int64
	weight      uint16
	network     string

	ulimits  []string
	oomScore int
	disk     string
	options  []string
	readBPS  string
	writeBPS string
	readOPS  string
	writeOPS string
}

// registerLive adds the flags of what can be changed while it runs.
func (l *limitFlags) registerLive(f *pflag.FlagSet) {
	decimalVar(f, &l.cpus, "cpus", 0, "CPU quota in vCPUs, such as 1.5")
	f.Int64Var(&l.cpuPeriod, "cpu-period", 0, "microseconds of the period of --cpu-quota (default 100000)")
	f.Int64Var(&l.cpuQuota, "cpu-quota", 0, "microseconds of CPU per period")
	f.Int64VarP(&l.shares, "cpu-shares", "c", 0, "relative weight under contention (default 1024)")
	f.StringVar(&l.cpuSet, "cpuset-cpus", "", "host `CPUs` it may use, such as 0-1,3")
	f.StringVarP(&l.memory, "memory", "m", "", "memory limit in `bytes`, such as 512m")
	f.StringVar(&l.reservation, "memory-reservation", "", "soft memory limit in `bytes`")
	f.StringVar(&l.swap, "memory-swap", "", "memory plus swap in `bytes`; -1 is unlimited")
	f.Int64Var(&l.pids, "pids-limit", 0, "most tasks (default 4096); -1 is unlimited")
	f.StringVar(&l.network, "network-rate", "", "limit each interface to `bits` per second each way, such as 10m, or in=10m,out=2m; 0 is no limit")
	f.Uint16Var(&l.weight, "blkio-weight", 0, "block I/O weight, 10 to 1000")
	f.StringVar(&l.readBPS, "device-read-bps", "", "limit reading to `bytes` per second")
	f.StringVar(&l.writeBPS, "device-write-bps", "", "limit writing to `bytes` per second")
	f.StringVar(&l.readOPS, "device-read-iops", "", "limit reading to `operations` per second")
	f.StringVar(&l.writeOPS, "device-write-iops", "", "limit writing to `operations` per second")
}

func (l *limitFlags) register(f *pflag.FlagSet) {
	l.registerLive(f)
	listVar(f, &l.ulimits, "ulimit", "", "set a `NAME=SOFT[:HARD]` limit of the process")
	f.IntVar(&l.oomScore, "oom-score-adj", 0, "preference of the OOM killer, -1000 to 1000")
	f.StringVar(&l.disk, "disk", "", "most `bytes` the writable layer may hold, such as 10g")
	listVar(f, &l.options, "storage-opt", "", "size=`BYTES` is the same as --disk")
}

func (l *limitFlags) apply(s *api.InstanceSpec) (err error) {
	s.Resources, err = l.resources()
	return err
}

func (l *limitFlags) resources() (r api.Resources, err error) {
	const at = "spec.resources."
	r = api.Resources{CPUs: l.cpus, CPUShares: l.shares, CPUSet: l.cpuSet, PidsLimit: l.pids, OOMScoreAdj: l.oomScore}
	r.BlockIO.Weight = l.weight
	quota, err := l.quota()
	if err != nil {
		return r, err
	}
	if quota > 0 {
		r.CPUs = quota
	}
	steps := []func() error{
		func() (err error) { r.Disk, err = l.diskSize(at + "disk"); return },
		func() (err error) { r.Memory, err = api.ParseSize(at+"memory", l.memory); return },
		func() (err error) {
			r.MemoryReservation, err = api.ParseSize(at+"memoryReservation", l.reservation)
			return
		},
		func() (err error) { r.MemorySwap, err = parseSwap(l.swap); return },
		func() (err error) { r.NetworkRate, err = parseNetworkRate(l.network); return },
		func() (err error) { r.BlockIO.ReadBPS, err = rate(at+"blockIO.readBps", l.readBPS, true); return },
		func() (err error) { r.BlockIO.WriteBPS, err = rate(at+"blockIO.writeBps", l.writeBPS, true); return },
		func() (err error) { r.BlockIO.ReadOPS, err = rate(at+"blockIO.readOps", l.readOPS, false); return },
		func() (err error) { r.BlockIO.WriteOPS, err = rate(at+"blockIO.writeOps", l.writeOPS, false); return },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return r, err
		}
	}
	for _, text := range l.ulimits {
		u, err := parseUlimit(text)
		if err != nil {
			return r, err
		}
		r.Ulimits = append(r.Ulimits, u)
	}
	return r, nil
}

// The kernel's bounds of the period of a quota, in microseconds, and what it is
// unless somebody says otherwise.
const (
	minPeriod     = 1_000
	maxPeriod     = 1_000_000
	defaultPeriod = 100_000
)

// quota is what --cpu-quota and --cpu-period amount to in vCPUs, 0 for no limit.
func (l *limitFlags) quota() (float64, error) {
	const at = "spec.resources.cpus"
	period := l.cpuPeriod
	switch {
	case l.cpuQuota > 0 && l.cpus != 0:
		return 0, api.Invalid(at, "--cpus and --cpu-quota exclude each other")
	case l.cpuQuota < -1:
		return 0, api.Invalid(at, "--cpu-quota %d is negative", l.cpuQuota).WithHint("-1 is no limit")
	case period != 0 && (period < minPeriod || period > maxPeriod):
		return 0, api.Invalid(at, "--cpu-period %d is not between %d and %d microseconds", period, minPeriod, maxPeriod)
	case period != 0 && l.cpuQuota == 0:
		return 0, api.Invalid(at, "--cpu-period %d needs --cpu-quota", period).WithHint("--cpus says the same in one number: it is quota/period")
	case l.cpuQuota <= 0:
		return 0, nil
	case period == 0:
		period = defaultPeriod
	}
	return float64(l.cpuQuota) / float64(period), nil
}

// diskSize reads --disk and Docker's --storage-opt size=.
func (l *limitFlags) diskSize(field string) (int64, error) {
	text := l.disk
	for _, o := range l.options {
		size, ok := strings.CutPrefix(o, "size=")
		if !ok {
			return 0, api.Invalid(field, "storage option %q is not known", o).WithHint("size=BYTES is")
		}
		if text != "" && text != size {
			return 0, api.Invalid(field, "the size is given twice: %s and %s", text, size)
		}
		text = size
	}
	return api.ParseSize(field, text)
}

func rate(field, s string, bytes bool) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return parseRate(field, s, bytes)
}
