package seccomp

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/launch"
)

// Filter is a compiled profile.
type Filter struct {
	Program []byte // the sock_filter instructions, little endian
	Len     int    // how many instructions
	Flags   uint32 // SECCOMP_FILTER_FLAG_*
}

// Install adds the step that confines the process. What comes after it is
// confined too, the execve included; it needs no_new_privs or CAP_SYS_ADMIN in
// the process's user namespace.
func (f *Filter) Install(b *launch.Builder) {
	prog := b.Words(launch.Int(f.Len), b.Bytes(f.Program))
	b.Syscall("load seccomp filter", unix.SYS_SECCOMP,
		launch.Int(unix.SECCOMP_SET_MODE_FILTER), launch.Int(f.Flags), prog)
}

// Profiles that have a name.
const (
	Default    = "default" // Docker's; "" is it too
	Unconfined = "unconfined"
)

// maxCached bounds the filters kept; each takes a few kilobytes.
const maxCached = 256

// Cache compiles profiles and keeps the filters. The zero value is ready; its
// methods may be called concurrently.
type Cache struct {
	mu      sync.Mutex
	filters map[[32]byte]*Filter // guarded by mu
}

// Filter returns the filter of a profile ("default", "unconfined" or JSON in
// Docker's form) for a process with the given capabilities (CAP_…), which a
// profile's rules may depend on. It is nil for an unconfined process. An error
// is an *api.Error about the profile.
func (c *Cache) Filter(profile string, capabilities []string) (*Filter, error) {
	if profile == Unconfined {
		return nil, nil
	}
	if profile == Default {
		profile = ""
	}
	caps := slices.Sorted(slices.Values(capabilities))
	key := sha256.Sum256([]byte(strings.Join(caps, ",") + "\x00" + profile))
	c.mu.Lock()
	f := c.filters[key]
	c.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := compileProfile(profile, caps)
	if err != nil {
		return nil, api.Invalid("security.seccomp", "seccomp profile: %v", err).
			WithHint(`use "default", "unconfined" or the contents of a profile in Docker's JSON form`)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.filters == nil || len(c.filters) >= maxCached {
		c.filters = map[[32]byte]*Filter{}
	}
	c.filters[key] = f
	return f, nil
}

func compileProfile(profile string, caps []string) (*Filter, error) {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps}}}
	var p *specs.LinuxSeccomp
	var err error
	if profile == "" {
		p, err = seccomp.GetDefaultProfile(spec)
	} else {
		p, err = seccomp.LoadProfile(profile, spec)
	}
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errors.New("it has neither a default action nor rules")
	}
	return Compile(p, native())
}
