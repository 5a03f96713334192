package cpu

import (
	"time"

	"github.com/virga-cloud/virga/internal/linux/cgroup"
	"github.com/virga-cloud/virga/internal/linux/host"
)

// Groups is the kernel's side of the instances. None of the calls fails
// because an instance's group does not exist (any more), but for Meter and its
// readings.
type Groups interface {
	Meter(instance string) (Meter, error)
	// SetQuota limits an instance to that many vCPUs.
	SetQuota(instance string, vcpus float64) error
	// CPUs is the list of CPUs the instance may use, SetCPUs changes it. "" is
	// what all share that have none of their own.
	CPUs(instance string) (string, error)
	SetCPUs(instance, list string) error
	// ShareCPUs changes what is shared, unless EachHasCPUs; "" is every CPU.
	ShareCPUs(list string) error
	EachHasCPUs() bool
	// Online is the list of CPUs that there are.
	Online() (string, error)
}

// Meter reads the CPU time an instance has used in its present life.
type Meter interface {
	Read() (time.Duration, error)
	Close() error
}

// Cgroups are the Groups of a real machine.
type Cgroups struct{ *cgroup.Root }

var _ Groups = Cgroups{}

// Meter implements Groups.
func (c Cgroups) Meter(instance string) (Meter, error) { return c.Group(instance).Meter() }

// SetQuota implements Groups.
func (c Cgroups) SetQuota(instance string, vcpus float64) error {
	if err := c.Group(instance).SetQuota(vcpus); !cgroup.Gone(err) {
		return err
	}
	return nil
}

// CPUs implements Groups.
func (c Cgroups) CPUs(instance string) (string, error) { return c.Group(instance).CPUs() }

// SetCPUs implements Groups.
func (c Cgroups) SetCPUs(instance, list string) error { return c.Group(instance).SetCPUs(list) }

// Moment is a point in time by two clocks.
type Moment struct {
	Boot string        // which boot of the machine
	Up   time.Duration // since then, by a clock that nobody sets
	Wall time.Time     // for what outlasts a boot
}

// since is the time from a to b, never negative. Within one boot a clock that
// was set does not change it.
func (b Moment) since(a Moment) time.Duration {
	if a.Boot == b.Boot {
		return max(b.Up-a.Up, 0)
	}
	return max(b.Wall.Round(0).Sub(a.Wall.Round(0)), 0)
}

// Clock returns a function that tells the machine's time.
func Clock() (func() Moment, error) {
	boot, err := host.BootID()
	if err != nil {
		return nil, err
	}
	return func() Moment { return Moment{boot, host.Uptime(), time.Now()} }, nil
}
