package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virga-cloud/virga/api"
)

func TestSystemCheckKnowsEveryResource(t *testing.T) {
	d := Start(t)
	image := d.Busybox(t)
	id := d.Must(t, "run", "-d", image, "sleep", "1000")
	d.WaitPhase(t, id, api.PhaseRunning)
	owned := strings.Join(d.Owned(t, id), "\n")
	contains(t, owned, "cgroup", "directory")
	contains(t, d.Must(t, "system", "check"), id[:8])
	d.Must(t, "rm", "-f", id)
	eventually(t, "nothing of it is left", func() (bool, string) {
		left := d.Owned(t, id)
		return len(left) == 0, strings.Join(left, "\n")
	})
}

// What has lost its owner is found and collected.
func TestStrayResourcesAreCollected(t *testing.T) {
	d := Start(t)
	d.Busybox(t)
	stray := "strayaaaaaaaaaaa"
	dirs := []string{filepath.Join(d.data(), "instances", stray)}
	for _, trace := range d.traces() {
		if root, ok := strings.CutPrefix(trace, "cgroup "); ok && strings.HasPrefix(filepath.Base(root), "virga-") {
			dirs = append(dirs, filepath.Join(root, stray))
		}
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The node collects by itself every minute; asking is quicker.
	eventually(t, "the strays are collected", func() (bool, string) {
		d.CLI("system", "check", "--repair")
		for _, dir := range dirs {
			if _, err := os.Stat(dir); err == nil {
				return false, dir + " is still there"
			}
		}
		return true, ""
	})
}
