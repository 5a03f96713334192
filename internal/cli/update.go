package cli

import (
	"fmt"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

func updateCommand(a *App) *command.Command {
	var l limitFlags
	var restart, credits string
	cmd := &command.Command{
		Use:   "update [flags] INSTANCE...",
		Short: "Change the limits of instances while they run",
		Example: "  virga update --memory 1g --cpus 2 web\n  virga update --restart always web db\n  virga update --credits unlimited web\n" +
			"  virga update --device-write-bps 20m --device-read-iops 0 db",
		Args:     arguments(1, -1),
		Complete: a.completeInstances(anyPhase, -1),
		Values:   map[string]completion{"restart": a.specValues()["restart"], "credits": a.specValues()["credits"]},
	}
	f := cmd.Flags()
	l.registerLive(f)
	f.StringVar(&restart, "restart", "", "restart `policy`: no, always, unless-stopped, on-failure[:N]")
	f.StringVar(&credits, "credits", "", "what a burst type does without credits: standard, unlimited")
	cmd.Run = func(cmd *command.Command, args []string) error {
		if f.NFlag() == 0 {
			return api.Invalid("flags", "nothing is to be changed").WithHint("name a limit, such as --memory 1g; see `virga update --help`")
		}
		want, err := l.resources()
		if err != nil {
			return err
		}
		policy, err := parseRestart(restart)
		if err != nil {
			return err
		}
		return each(args, func(id string) error {
			i, err := a.api().Instance(cmd.Context(), id)
			if err != nil {
				return err
			}
			// The request carries all limits, so those that no flag
			// names are sent as they are.
			r := i.Spec.Resources
			l.merge(f.Changed, &r, want)
			u := api.UpdateRequest{Resources: &r, CreditMode: api.CreditMode(credits)}
			if f.Changed("restart") {
				u.Restart = &policy
			}
			if err := a.api().Update(cmd.Context(), i.ID, u); err != nil {
				return err
			}
			fmt.Fprintln(a.Out, id)
			return nil
		})
	}
	return cmd
}

// merge copies from want to r the limits whose flags were given.
func (l *limitFlags) merge(changed func(string) bool, r *api.Resources, want api.Resources) {
	if changed("cpus") || changed("cpu-quota") || changed("cpu-period") {
		r.CPUs = want.CPUs
	}
	if changed("cpu-shares") {
		r.CPUShares = want.CPUShares
	}
	if changed("cpuset-cpus") {
		r.CPUSet = want.CPUSet
	}
	if changed("memory") {
		r.Memory = want.Memory
	}
	if changed("memory-reservation") {
		r.MemoryReservation = want.MemoryReservation
	}
	if changed("memory-swap") {
		r.MemorySwap = want.MemorySwap
	}
	if changed("pids-limit") {
		r.PidsLimit = want.PidsLimit
	}
	if changed("network-rate") {
		r.NetworkRate = want.NetworkRate
	}
	if changed("blkio-weight") {
		r.BlockIO.Weight = want.BlockIO.Weight
	}
	for flag, v := range map[string]struct{ to, from *int64 }{
		"device-read-bps":   {&r.BlockIO.ReadBPS, &want.BlockIO.ReadBPS},
		"device-write-bps":  {&r.BlockIO.WriteBPS, &want.BlockIO.WriteBPS},
		"device-read-iops":  {&r.BlockIO.ReadOPS, &want.BlockIO.ReadOPS},
		"device-write-iops": {&r.BlockIO.WriteOPS, &want.BlockIO.WriteOPS},
	} {
		if changed(flag) {
			*v.to = *v.from
		}
	}
}
