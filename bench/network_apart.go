package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/virga-cloud/virga/internal/linux/link"
	"github.com/virga-cloud/virga/internal/linux/namespace"
)

// apart is a second daemon with a network namespace of its own, as the Docker
// beside it has: what other programs of the machine have in theirs, such as
// rules that every packet meets, is in neither.
func (e *env) apart(ctx context.Context) (*env, error) {
	dir, err := os.MkdirTemp(e.dir, "apart-")
	if err != nil {
		return nil, err
	}
	p := &env{out: e.out, dir: dir, binary: e.binary, runs: e.runs, only: e.only, socket: filepath.Join(dir, "virga.sock")}
	if err := p.prepareApart(ctx); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (e *env) prepareApart(ctx context.Context) error {
	var err error
	if e.net, err = namespace.NewNet(); err != nil {
		return err
	}
	e.closing(func() { e.net.Close() })
	c, err := link.Open(e.net)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Do(link.Up(1)); err != nil {
		return err
	}
	if err := e.prepare(ctx, nil); err != nil {
		return err
	}
	return e.importTools(ctx)
}

// inApart is a part whose daemon is apart and has the image toolsImage.
func inApart(run func(context.Context, *env) error) func(*env, context.Context) error {
	return func(e *env, ctx context.Context) error {
		p, err := e.apart(ctx)
		if err != nil {
			return err
		}
		defer p.close()
		return run(ctx, p)
	}
}
