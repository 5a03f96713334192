package shim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/virga-cloud/virga/internal/shim/embed"
	"github.com/virga-cloud/virga/internal/shim/wire"
)

// Config says which supervisor a client wants.
type Config struct {
	// Dir holds the supervisor's socket, lock, log and binary: shim.sock,
	// shim.lock, shim.log, virga-shim-<hash>. It is absolute, private to root
	// and made when missing; the path of the socket must fit into 107 bytes.
	Dir string
	// Binary is the path of the executable; "" is the embedded one.
	Binary string
	Log    *slog.Logger
}

// Ensure connects to the supervisor of c.Dir and starts one when there is
// none. One of another build is replaced, unless it holds processes.
func Ensure(ctx context.Context, c Config) (*Client, error) {
	if !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("directory of the supervisor %q is not absolute", c.Dir)
	}
	binary, err := Install(c)
	if err != nil {
		return nil, err
	}
	client, err := Connect(ctx, c.Dir)
	if err == nil {
		if client.info.Build == filepath.Base(binary) || client.info.Processes > 0 {
			return client, nil
		}
		c.Log.Info("replacing the supervisor", "pid", client.info.PID, "was", client.info.Build)
		switch err := client.Stop(ctx); {
		case errors.Is(err, ErrRunning):
			return client, nil
		case err != nil:
			client.Close()
			return nil, fmt.Errorf("stop the old supervisor: %w", err)
		}
		client.Close()
	} else if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := launchSupervisor(ctx, binary, c.Dir); err != nil {
		// Another client may have been faster.
		if client, err := Connect(ctx, c.Dir); err == nil {
			return client, nil
		}
		return nil, err
	}
	client, err = Connect(ctx, c.Dir)
	if err == nil {
		c.Log.Info("supervisor started", "pid", client.info.PID, "build", client.info.Build)
	}
	return client, err
}

// Install puts the binary into the directory under a name that tells its
// contents, so that one in use is never written to. Everybody may execute it:
// it is also the init of instances.
func Install(c Config) (string, error) {
	body, err := embed.Binary()
	if c.Binary != "" {
		body, err = os.ReadFile(c.Binary)
	}
	if err != nil {
		return "", fmt.Errorf("binary of the supervisor: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	path := filepath.Join(c.Dir, "virga-shim-"+hex.EncodeToString(sum[:6]))
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, body) {
		return path, nil
	}
	tmp, err := os.CreateTemp(c.Dir, ".virga-shim-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(body)
	err = errors.Join(err, tmp.Chmod(0o755), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return path, nil
}

// launchSupervisor returns when the supervisor listens.
func launchSupervisor(ctx context.Context, binary, dir string) error {
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, binary, "start", dir)
		cmd.Env = []string{}
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		// A child that another thread is just forking may hold the binary
		// open for writing until it executes.
		if errors.Is(err, syscall.ETXTBSY) && try < 20 {
			select {
			case <-time.After(5 * time.Millisecond):
				continue
			case <-ctx.Done():
			}
		}
		return fmt.Errorf("start the supervisor: %w: %s", err, bytes.TrimSpace(out))
	}
}

// Connect connects to a supervisor that runs.
func Connect(ctx context.Context, dir string) (*Client, error) {
	path := filepath.Join(dir, "shim.sock")
	conn, err := wire.Dial(path)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, conn.Shutdown)
	defer stop()
	var info wire.Info
	if _, err = conn.Write(wire.Frame(wire.KindHello, nil)); err == nil {
		info, err = hello(conn)
	}
	if err == nil && info.Version != wire.Version {
		err = fmt.Errorf("supervisor %d speaks version %d, this program %d", info.PID, info.Version, wire.Version)
	}
	if err != nil {
		conn.Close()
		return nil, errors.Join(fmt.Errorf("talk to the supervisor: %w", err), ctx.Err())
	}
	return newClient(path, conn, info), nil
}

func hello(conn *wire.Conn) (info wire.Info, err error) {
	kind, body, _, err := wire.ReadFrame(conn, nil, wire.MaxData)
	if err != nil {
		return info, err
	}
	d := wire.Decoder{B: body}
	info.Decode(&d)
	if kind != wire.KindHello {
		return info, wire.ErrMalformed
	}
	return info, d.Err()
}
