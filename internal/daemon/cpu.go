package daemon

import (
	"fmt"
	"log/slog"
	"math"
	"os"

	"github.com/virga-cloud/virga/internal/cpu"
	"github.com/virga-cloud/virga/internal/engine/container"
)

// newCPU makes the controller of the CPUs, of which at least reserve always
// stay shared: the system's and virga's own. prompt has quotas end within the
// kernel's tick. changed tells of instances that have others than they were
// given.
func newCPU(dir string, reserve float64, prompt bool, e *container.Engine, changed func(instance, message string), log *slog.Logger) (*cpu.Controller, error) {
	now, err := cpu.Clock()
	if err != nil {
		return nil, fmt.Errorf("read the clock: %w", err)
	}
	var turns cpu.Turns = cpu.NoTurns{}
	if prompt {
		if turns, err = cpu.NewKeeper(e.Groups(), log); err != nil {
			return nil, err
		}
	}
	return cpu.New(cpu.Config{
		Dir: dir, Groups: cpu.Cgroups{Root: e.Groups()}, Sys: os.DirFS(cpu.SysCPU), Reserve: int(math.Ceil(reserve)),
		Turns: turns, Now: now, Changed: changed, Log: log,
	})
}
