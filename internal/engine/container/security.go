package container

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/engine"
	"github.com/virga-cloud/virga/internal/linux/caps"
	"github.com/virga-cloud/virga/internal/linux/confine"
	"github.com/virga-cloud/virga/internal/linux/mount"
)

// security confines the process as the spec says.
func (e *Engine) security(_ context.Context, t engine.Task, _ *view, p *prepared) error {
	s := t.Spec.Security
	if err := e.rights(t, p); err != nil {
		return err
	}
	if !s.Privileged && !s.SystemPathsOpen {
		p.Start.Masked, p.Start.Protected = e.mask, e.protect
	}
	for name, value := range s.Sysctls {
		if strings.HasPrefix(name, "net.") {
			continue // set in the network namespace when it was made
		}
		if !namespaced(name) {
			return api.Invalid("spec.security.sysctls", "sysctl %s is the whole node's, not the instance's", name).
				WithHint("set it on the node; kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* and net.* can be set here")
		}
		if p.Start.Sysctls == nil {
			p.Start.Sysctls = map[string]string{}
		}
		p.Start.Sysctls[name] = value
	}
	if err := e.sysfs(t, p); err != nil {
		return err
	}
	return e.rlimits(t, p)
}

// rights sets capabilities, seccomp and the way to new privileges: what an
// exec has in common with a start.
func (e *Engine) rights(t engine.Task, p *prepared) error {
	s := t.Spec.Security
	base := caps.Default
	if s.Privileged {
		base = caps.All
	}
	held, err := base.Apply(s.CapAdd, s.CapDrop)
	if err != nil {
		return api.Invalid("spec.security.capAdd", "%v", err).WithHint("see capabilities(7) for their names")
	}
	if p.UserNS == nil && p.Join == nil || p.Join != nil && !p.Join.UserNS {
		held &= e.bounds
	}
	p.Bounding = held
	for _, name := range s.CapAdd {
		if c, _ := caps.Parse(name); c != caps.All {
			p.Ambient |= c
		}
	}
	p.NoNewPrivs = !s.NewPrivileges && !s.Privileged
	if s.Privileged {
		return nil
	}
	p.Seccomp, err = e.seccomp.Filter(s.Seccomp, held.Names())
	return err
}

// namespaced reports whether a sysctl belongs to an instance's own namespaces.
func namespaced(name string) bool {
	exact := []string{"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
		"kernel.shmmni", "kernel.shm_rmid_forced", "kernel.domainname"}
	return slices.Contains(exact, name) || strings.HasPrefix(name, "fs.mqueue.")
}

// sysfs mounts the host's /sys where the network namespace is not the
// instance's to show.
func (e *Engine) sysfs(t engine.Task, p *prepared) error {
	p.Start.Sys.Writable = t.Spec.Security.Privileged
	if t.Sandbox.UserNS == nil || t.Sandbox.NetNS != nil {
		return nil
	}
	f, err := mount.Clone("/sys", true)
	if err != nil {
		return err
	}
	p.keep(f)
	p.Start.Sys.Host = f
	if err := mount.Private(f); err != nil {
		return err
	}
	return mount.SetAttr(f, mount.ReadOnly|mount.NoSuid|mount.NoDev|mount.NoExec, true)
}

func (e *Engine) rlimits(t engine.Task, p *prepared) error {
	for i, u := range t.Spec.Resources.Ulimits {
		field := fmt.Sprintf("spec.resources.ulimits[%d]", i)
		l, ok := confine.ParseRlimit(u.Name, u.Soft, u.Hard)
		if !ok {
			return api.Invalid(field+".name", "unknown ulimit %q", u.Name).WithHint("such as nofile, nproc, core, memlock, stack")
		}
		if l.Soft > l.Hard {
			return api.Invalid(field, "ulimit %s: soft limit %d is above the hard limit %d", u.Name, u.Soft, u.Hard)
		}
		l.Raise = l.Hard > confine.Highest(l.Resource)
		p.Rlimits = append(p.Rlimits, l)
	}
	adj := t.Spec.Resources.OOMScoreAdj
	if adj == e.adjust {
		return nil
	}
	resource, _ := caps.Parse("SYS_RESOURCE")
	if adj < e.adjust && !e.bounds.Has(resource) {
		p.warn("oomScoreAdj stays %d: the node may not lower it to %d", e.adjust, adj)
		return nil
	}
	p.OOMScoreAdj = &adj
	return nil
}

// oomScoreAdj reads this process's own.
func oomScoreAdj() int {
	b, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}
