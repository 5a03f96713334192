package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/config"
	"github.com/virga-cloud/virga/internal/control/store"
	"github.com/virga-cloud/virga/internal/cpu"
	"github.com/virga-cloud/virga/internal/disk"
	"github.com/virga-cloud/virga/internal/network"
	"github.com/virga-cloud/virga/internal/node"
	"github.com/virga-cloud/virga/internal/volume"
)

// resetTimeout bounds the end of all instances.
const resetTimeout = 60 * time.Second

// contents are what virga makes in a data directory. Nothing else in it is
// touched.
var contents = []string{"store", "events", "images", "instances", "trash", "volumes", "cpu", "ca", "services", "bin", "node", settingsName, lockName}

// Reset ends every instance, takes away all that virga made on the node, and
// empties the data directory. It is an agent over an empty store, for which
// nothing has an owner.
func Reset(ctx context.Context, c config.Config, log *slog.Logger) (err error) {
	if _, err := os.Stat(filepath.Join(c.DataDir, lockName)); err != nil {
		return api.Errorf(api.CodeNotFound, "%s is not the data directory of a daemon", c.DataDir).WithHint("name it with --data-dir")
	}
	l, err := lock(c.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, resetTimeout)
	defer cancel()
	g, err := newGround(ctx, c, nil, log)
	if err != nil {
		return err
	}
	if err := errors.Join(clearNode(ctx, c, g, log), g.close()); err != nil {
		return err
	}
	if err := network.RestoreSettings(filepath.Join(c.DataDir, settingsName), log); err != nil {
		return err
	}
	for _, name := range contents {
		if err := os.RemoveAll(filepath.Join(c.DataDir, name)); err != nil {
			return fmt.Errorf("empty the data directory: %w", err)
		}
	}
	_ = os.Remove(c.Socket)
	_ = os.Remove(c.RunDir)  // unless something else is in it
	_ = os.Remove(c.DataDir) // likewise
	log.Info("reset", "dataDir", c.DataDir)
	return nil
}

// clearNode runs an agent over an empty store until the node is empty too.
func clearNode(ctx context.Context, c config.Config, g *ground, log *slog.Logger) error {
	disks := disk.Open(c.DataDir, log)
	agent := node.New(node.Config{
		Name: "reset", DataDir: c.DataDir, Volumes: volume.New(filepath.Join(c.DataDir, "volumes"), disks, nil), Disks: disks,
		Store: store.Memory(), Engine: g.engine, Images: noImages{}, Network: g.network, CPU: noCPU{},
		Record: func(api.Event) {}, Log: log,
	})
	run, stop := context.WithCancel(ctx)
	defer stop()
	adopted, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- agent.Run(run, func() { close(adopted) }) }()
	select {
	case <-adopted:
	case err := <-ended:
		return err
	}
	err := agent.Clear(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// noCPU gives out nothing.
type noCPU struct{}

func (noCPU) Admit(cpu.Claim) (cpu.Grant, error)              { return cpu.Grant{}, nil }
func (noCPU) Change(cpu.Claim) (cpu.Grant, error)             { return cpu.Grant{}, nil }
func (noCPU) Adopt(cpu.Claim) (cpu.Grant, error)              { return cpu.Grant{}, nil }
func (noCPU) Started(string)                                  {}
func (noCPU) Ended(string)                                    {}
func (noCPU) Release(string)                                  {}
func (noCPU) Forget(string)                                   {}
func (noCPU) Credits(string) (api.CPUCredits, bool)           { return api.CPUCredits{}, false }
func (noCPU) Series(string, time.Duration) []api.CreditSample { return nil }

// noImages is the image store of a node that starts nothing.
type noImages struct{}

func (noImages) Resolve(context.Context, string) (api.Image, []string, error) {
	return api.Image{}, nil, api.Errorf(api.CodeNotFound, "no images while the node is reset")
}
func (noImages) Resources(context.Context) ([]api.Resource, error) { return nil, nil }
func (noImages) Collect(context.Context, api.Resource) error       { return nil }
