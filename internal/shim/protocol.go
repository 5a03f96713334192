package shim

import "github.com/virga-cloud/virga/internal/shim/wire"

// Start asks for a process.
type Start = wire.Start

// Process is what the supervisor knows of one process.
type Process = wire.Process

// Info is what a supervisor says of itself.
type Info = wire.Info

// What a supervisor refuses. A program whose step failed is a *launch.Error.
var (
	ErrNotFound = wire.ErrNotFound
	ErrExists   = wire.ErrExists
	ErrRunning  = wire.ErrRunning
)
