package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/config"
	"github.com/virga-cloud/virga/internal/engine/container"
	"github.com/virga-cloud/virga/internal/network"
	"github.com/virga-cloud/virga/internal/shim"
)

// settingsName is the file of what settings of the node were before virga
// changed them.
const settingsName = "settings"

// ground is what instances stand on, and what goes on without the daemon.
type ground struct {
	runDir  string
	network *network.Fabric
	engine  *container.Engine
}

func newGround(ctx context.Context, c config.Config, networks []api.Network, log *slog.Logger) (_ *ground, err error) {
	g := &ground{runDir: c.RunDir}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	if err := os.MkdirAll(c.RunDir, 0o711); err != nil {
		return nil, fmt.Errorf("make run directory: %w", err)
	}
	resolv, err := resolvConf(c)
	if err != nil {
		return nil, err
	}
	ready := c.Warm
	if ready == 0 {
		ready = -1
	}
	if g.network, err = network.New(ctx, network.Config{
		Prefix: c.Prefix, Table: c.Table, Subnet: c.Subnet, Networks: networks, Ready: ready, ResolvConf: resolv,
		Former: filepath.Join(c.DataDir, settingsName), Adopting: true, Log: log,
	}); err != nil {
		return nil, fmt.Errorf("set up networks: %w", err)
	}
	supervisor := shim.Config{Dir: filepath.Join(c.RunDir, "shim"), Log: log}
	init, err := shim.Install(supervisor)
	if err != nil {
		return nil, fmt.Errorf("install the supervisor: %w", err)
	}
	if g.engine, err = container.New(ctx, container.Config{
		Base: c.DataDir, Instances: filepath.Join(c.DataDir, "instances"), Trash: filepath.Join(c.DataDir, "trash"), Cgroup: c.Cgroup, OffCores: true, Init: init,
		LogSize: c.LogSize, LogFiles: c.LogKeep + 1, Log: log,
		Connect: func(ctx context.Context) (*shim.Client, error) { return shim.Ensure(ctx, supervisor) },
	}); err != nil {
		return nil, fmt.Errorf("start the container engine: %w", err)
	}
	return g, nil
}

// resolvConf is the file that names the name servers to forward to: the host's
// own, or one written for those configured.
func resolvConf(c config.Config) (string, error) {
	if len(c.DNS) == 0 {
		return "", nil
	}
	var b []byte
	for _, a := range c.DNS {
		b = fmt.Appendf(b, "nameserver %s\n", a)
	}
	path := filepath.Join(c.RunDir, "resolv.conf")
	return path, os.WriteFile(path, b, 0o644)
}

// close lets go. On a node that runs nothing, what was made for instances is
// taken away too.
func (g *ground) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if g.engine == nil {
		if g.network == nil {
			return nil
		}
		return g.network.Close()
	}
	lives, err := g.engine.Lives(ctx)
	if err != nil || len(lives) > 0 {
		return errors.Join(err, g.engine.Close(), g.network.Close())
	}
	err = errors.Join(g.engine.Dissolve(ctx), g.network.Dissolve())
	if err == nil {
		err = errors.Join(os.RemoveAll(filepath.Join(g.runDir, "shim")), os.RemoveAll(filepath.Join(g.runDir, "resolv.conf")))
		_ = os.Remove(g.runDir) // unless something else is in it
	}
	return err
}
