// Package probe finds out what the kernel can do, by trying it harmlessly, and
// says what a node loses where it cannot.
//
// Every trial cleans up after itself: namespaces and mounts are made detached
// and vanish with their descriptors.
package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/linux/cgroup"
)

// trial is one feature and how it is tried: detail says what was found.
type trial struct {
	name, since, cost string
	try               func(p *probe) (detail string, err error)
}

// probe is what trials share.
type probe struct {
	dir    string // scratch directory on the node's file system
	userns *os.File
	layout cgroup.Layout
}

// trials are in the order they are shown in.
var trials = []trial{
	{"user-namespaces", "3.8", "instances run with the node's own ids: root inside is root outside, kept back by capabilities and seccomp alone", userNamespace},
	{"idmapped-mounts", "5.12", "instances cannot have a user namespace on this file system, for nothing is ever chowned", idMap},
	{"overlay", "3.18", "images with layers cannot run", overlay},
	{"overlay-layers-by-descriptor", "6.13", "layers are attached for a moment at each start, which is slower", overlayByFile},
	{"proc-mount", "3.8", "instances cannot have a user namespace: something covers a part of this node's /proc", procVisible},
	{"cgroup-controllers", "", "limits of the missing controllers are not kept", controllers},
	{"cgroup-kill", "5.14", "killing an instance takes one signal for each process", cgroupKill},
	{"prompt-quotas", "2.6.39", "where the kernel's tick is long, an instance with a small CPU quota stands still for several periods at a time", promptQuotas},
	{"swap-accounting", "", "an instance with a memory limit may use swap beyond it", swapAccounting},
	{"project-quota", "5.14", "a writable layer or volume with a size gets a file system of its own in an image file, which takes tens of milliseconds to make", projectQuota},
	{"disk-images", "5.8", "where there are no project quotas either, writable layers and volumes cannot have a size", diskImages},
	{"live-growth", "", "a disk image in use cannot grow; one that is not can", liveGrowth},
	{"reflink", "4.5", "a snapshot of a volume copies its data", reflink},
	{"seccomp", "3.17", "instances may call every system call", seccomp},
	{"landlock", "5.13", "nothing now: virga does not need it yet", landlock},
	{"pidfd", "5.3", "exec may meet another process under a pid that was used again", pidfd},
	{"exit-of-reaped-process", "6.15", "nothing: the supervisor waits for every process", pidfdInfo},
	{"nftables", "3.13", "instances have no network but the node's own, and ports cannot be published", nftablesTables},
	{"token-bucket", "2.6", "an instance cannot have a network rate: a start that asks for one is refused", tokenBucket},
	{"lead-through-ifb", "2.6", "what an instance sends cannot be held to a rate: a start with a network rate is refused", lead},
	{"kvm", "", "virtual machines are emulated, ten times slower or more", kvm},
	{"oom-score", "", "an instance's oomScoreAdj cannot be lowered", oomScore},
}

// Features tries everything once. dir is the node's data directory.
func Features(dir string) []api.Feature {
	p := &probe{}
	defer p.close()
	setUp := p.open(dir)
	var all []api.Feature
	for _, t := range trials {
		f := api.Feature{Name: t.name, Since: t.since}
		detail, err := "", setUp
		if setUp == nil {
			detail, err = t.try(p)
		}
		f.Present, f.Detail = err == nil, detail
		if err != nil {
			f.Detail, f.Cost = err.Error(), t.cost
		}
		all = append(all, f)
	}
	return all
}

func (p *probe) open(dir string) (err error) {
	if p.dir, err = os.MkdirTemp(dir, ".probe-"); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	for _, d := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(p.dir, d), 0o755); err != nil {
			return err
		}
	}
	p.layout, err = cgroup.Discover()
	return err
}

func (p *probe) close() {
	if p.userns != nil {
		p.userns.Close()
	}
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

var errNoUserNS = errors.New("needs user namespaces")
