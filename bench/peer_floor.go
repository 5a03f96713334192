package main

import (
	"context"

	"github.com/virga-cloud/virga/bench/floor"
)

// floor is what the kernel takes for a container, made by hand.
func (e *env) floor(context.Context) (*peer, error) {
	f, err := floor.New(e.rootfs, parallel)
	if err != nil {
		return nil, err
	}
	e.closing(func() { _ = f.Close() }) // what is left is named after this process
	return &peer{name: "floor", direct: f.Cycle}, nil
}
