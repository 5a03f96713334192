package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/internal/linux/link"
)

// dockerLimit is a hundred times what a command of Docker's needs.
const dockerLimit = time.Minute

// dockerBridge is Docker's bridge with two containers: one serves, one sends.
// The zero value is one that cannot be had here, which has no flows.
type dockerBridge struct {
	e              *env
	name           string
	node           *os.File // namespace of the daemon
	server, client string   // ids
	address        netip.Addr
	gateway        netip.Addr
	stop           func() // ends what serves on the daemon's side
}

// dockersBridge sets it up, and says so where it cannot be.
func (e *env) dockersBridge(ctx context.Context) *dockerBridge {
	d := &dockerBridge{e: e}
	ctx, cancel := context.WithTimeout(ctx, 3*dockerLimit)
	defer cancel()
	if err := d.open(ctx); err != nil {
		fmt.Printf("  Docker's bridge is left out: %v\n", err)
		d.close()
		return &dockerBridge{}
	}
	return d
}

func (d *dockerBridge) open(ctx context.Context) error {
	if err := d.e.dockerd(ctx); err != nil {
		return err
	}
	if _, err := d.command(ctx, "image", "inspect", toolsImage); err != nil {
		if err := d.e.dockerImport(ctx, toolsImage, d.e.toolsRoot()); err != nil {
			return err
		}
	}
	var err error
	if d.node, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", d.e.dockerPID)); err != nil {
		return err
	}
	// From the daemon's namespace to its own addresses it is by loopback.
	c, err := link.Open(d.node)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Do(link.Up(1)); err != nil {
		return err
	}
	port := strconv.Itoa(iperfPort)
	if d.server, err = d.command(ctx, "run", "-d", "-p", port+":"+port, toolsImage, "iperf3", "-s"); err != nil {
		return err
	}
	if d.client, err = d.command(ctx, "run", "-d", toolsImage, "/bin/busybox", "sleep", "100000"); err != nil {
		return err
	}
	text, err := d.command(ctx, "inspect", "--format", "{{json .NetworkSettings}}", d.server)
	if err != nil {
		return err
	}
	var settings struct{ IPAddress, Gateway netip.Addr }
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		return err
	}
	d.address, d.gateway = settings.IPAddress, settings.Gateway
	d.name = "docker " + version(ctx, "dockerd")
	if err := listening(ctx, d.node, d.address); err != nil {
		return fmt.Errorf("the container does not serve: %w", err)
	}
	return nil
}

// command runs a command of Docker's and returns what it printed.
func (d *dockerBridge) command(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerLimit)
	defer cancel()
	cmd := d.e.dockerTool(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, tail(strings.TrimSpace(errs.String()), 200))
	}
	return strings.TrimSpace(out.String()), nil
}

// to sends from the client to an address.
func (d *dockerBridge) to(at netip.Addr, port int) func(context.Context, string) (float64, error) {
	return func(ctx context.Context, cores string) (float64, error) {
		ctx, cancel := context.WithTimeout(ctx, dockerLimit)
		defer cancel()
		return iperf(d.e.dockerTool(ctx, append([]string{"exec", d.client, "iperf3"}, iperfArgs(at, port, cores)...)...))
	}
}

// across is from container to container.
func (d *dockerBridge) across() []flow {
	if d.client == "" {
		return nil
	}
	return []flow{{"docker", d.to(d.address, iperfPort)}}
}

// dockerNodePort is where a program of the node serves: the other port is published.
const dockerNodePort = iperfPort + 1

// toNode is from container to node.
func (d *dockerBridge) toNode() []flow {
	if d.client == "" {
		return nil
	}
	cmd := exec.Command("iperf3", "-s", "-B", d.gateway.String(), "-p", strconv.Itoa(dockerNodePort))
	if err := startIn(d.node, cmd); err != nil {
		fmt.Printf("  Docker's bridge is left out: %v\n", err)
		return nil
	}
	d.stop = func() { end(cmd) }
	for deadline := time.Now().Add(10 * time.Second); tryConnect(d.node, netip.AddrPortFrom(d.gateway, dockerNodePort)) != nil && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	return []flow{{"docker", d.to(d.gateway, dockerNodePort)}}
}

// published is from the node to a published port.
func (d *dockerBridge) published() []flow {
	if d.client == "" {
		return nil
	}
	return []flow{{"docker", func(ctx context.Context, cores string) (float64, error) {
		ctx, cancel := context.WithTimeout(ctx, dockerLimit)
		defer cancel()
		return iperfIn(d.node, exec.CommandContext(ctx, "iperf3", iperfArgs(d.gateway, iperfPort, cores)...))
	}}}
}

// measured are its samples, if any, with what virga has to reach beside them.
func (d *dockerBridge) measured(s []samples) (out []measured) {
	for _, one := range s {
		out = append(out, measured{d.name, one, ratioAtLeast(1)})
	}
	return out
}

func (d *dockerBridge) close() {
	if d.stop != nil {
		d.stop()
	}
	for _, id := range []string{d.server, d.client} {
		if id != "" {
			_, _ = d.command(context.Background(), "rm", "-f", id) // the daemon ends with the benchmark anyway
		}
	}
	if d.node != nil {
		d.node.Close()
	}
}
