package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"syscall"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/endpoint"
)

// api returns the client of the daemon that flags and environment name.
func (a *App) api() *api.Client {
	if a.client != nil {
		return a.client
	}
	e, err := a.endpoint.Resolve(a.env)
	if err != nil {
		a.client = api.NewClient(func(context.Context) (net.Conn, error) { return nil, err })
		return a.client
	}
	a.client = e.Client(a.tunnel)
	return a.client
}

// tunnel connects to a daemon on another machine through the carried program,
// which knows TLS. It ends with the connection.
func (a *App) tunnel(ctx context.Context, e endpoint.Endpoint) (net.Conn, error) {
	file, err := a.carried()
	if err != nil {
		return nil, err
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", e.Address, err)
	}
	near, far := os.NewFile(uintptr(pair[0]), "near"), os.NewFile(uintptr(pair[1]), "far")
	defer near.Close() // the connection has a copy
	defer far.Close()
	cmd := osexec.Command(file, "tunnel", e.Address, e.CAFile)
	cmd.ExtraFiles = []*os.File{far}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's signals are for the command
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("execute %s: %w", file, err)
	}
	go func() { _ = cmd.Wait() }()
	conn, err := net.FileConn(near)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", e.Address, err)
	}
	_ = far.Close() // so that the end of the program is seen
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = connected(conn, e.Address)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// maxAnswer bounds the line that says how the connection went.
const maxAnswer = 16 << 10

// connected reads that line: it is empty, or an error.
func connected(conn net.Conn, address string) error {
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if n, err := conn.Read(b); n == 0 || len(line) == maxAnswer {
			return api.Errorf(api.CodeUnavailable, "connect to %s: the program that connects ended (%v)", address, err)
		}
		if b[0] == '\n' {
			break
		}
	}
	if len(line) == 0 {
		return nil
	}
	e := new(api.Error)
	if err := json.Unmarshal(line, e); err != nil {
		return fmt.Errorf("connect to %s: %q", address, line)
	}
	return e
}
