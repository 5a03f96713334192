package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
	"github.com/virga-cloud/virga/internal/command"
)

type stats struct {
	listFlags
	all      bool // those that do not run too
	once     bool
	interval time.Duration
}

func statsCommand(a *App) *command.Command {
	var s stats
	cmd := &command.Command{
		Use:      "stats [flags] [INSTANCE...]",
		Short:    "Show what running instances use, live",
		Example:  "  virga stats\n  virga stats -a\n  virga stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}}' web",
		Args:     arguments(0, -1),
		Complete: a.completeInstances(running, -1),
		Run:      func(cmd *command.Command, args []string) error { return s.run(cmd.Context(), a, args) },
	}
	s.register(cmd.Flags())
	cmd.Flags().BoolVarP(&s.all, "all", "a", false, "show those that do not run too")
	cmd.Flags().BoolVar(&s.once, "no-stream", false, "show it once and end")
	cmd.Flags().DurationVar(&s.interval, "interval", time.Second, "time between readings")
	return cmd
}

func (s *stats) run(ctx context.Context, a *App, args []string) error {
	if s.interval < 100*time.Millisecond {
		return api.Invalid("interval", "--interval %s is below 100ms", s.interval)
	}
	before, err := s.read(ctx, a, args)
	if err != nil {
		return err
	}
	_, tty := terminal(a.Out)
	live := tty && !s.json && s.format == "" && !s.once
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		// CPU shares are a difference, so even one table takes two readings.
		select {
		case <-tick.C:
		case <-ctx.Done():
			if s.once {
				return context.Cause(ctx)
			}
			return nil // interrupting is how it ends
		}
		now, err := s.read(ctx, a, args)
		if err != nil && ctx.Err() != nil && !s.once {
			return nil
		}
		if err != nil {
			return err
		}
		if live {
			fmt.Fprint(a.Out, "\x1b[H\x1b[2J") // home, clear
		}
		if err := s.show(a, before, now); err != nil || s.once {
			return err
		}
		before = now
	}
}

// read takes one reading of the instances named, or of all.
func (s *stats) read(ctx context.Context, a *App, args []string) ([]api.Stats, error) {
	list, err := a.api().AllStats(ctx)
	if err != nil {
		return nil, err
	}
	if s.all {
		others, err := a.api().Instances(ctx, api.InstanceFilter{})
		if err != nil {
			return nil, err
		}
		for _, i := range others {
			if !slices.ContainsFunc(list, func(v api.Stats) bool { return v.Instance == i.ID }) {
				list = append(list, api.Stats{Instance: i.ID, Name: i.Name})
			}
		}
	}
	slices.SortFunc(list, func(x, y api.Stats) int { return strings.Compare(x.Name, y.Name) })
	if len(args) == 0 {
		return list, nil
	}
	var chosen []api.Stats
	for _, arg := range args {
		i := slices.IndexFunc(list, func(v api.Stats) bool { return v.Name == arg || strings.HasPrefix(v.Instance, arg) })
		if i < 0 {
			return nil, api.Errorf(api.CodeNotFound, "instance %s does not run", arg).WithHint("see `virga ps -a`")
		}
		chosen = append(chosen, list[i])
	}
	return chosen, nil
}

func (s *stats) show(a *App, before, now []api.Stats) error {
	rows := make([]statsRow, len(now))
	for i, v := range now {
		rows[i] = statsRow{Stats: v, whole: s.noTrunc}
		if j := slices.IndexFunc(before, func(b api.Stats) bool { return b.Instance == v.Instance }); j >= 0 {
			rows[i].before = before[j]
		}
	}
	return listing[statsRow]{
		columns: statsColumns, rows: rows, objects: now,
		quiet:  statsRow.ID,
		object: func(r statsRow) any { return r.Stats },
	}.show(a, s.listFlags)
}

// statsRow is a reading with the one before it. Its time is zero for an instance
// that does not run.
type statsRow struct {
	api.Stats
	before api.Stats
	whole  bool
}

var statsColumns = []column[statsRow]{
	{"ID", "INSTANCE ID", statsRow.ID},
	{"Name", "NAME", func(r statsRow) string { return r.Stats.Name }},
	{"CPUPerc", "CPU %", statsRow.CPUPerc},
	{"Throttled", "THROTTLED", statsRow.Throttled},
	{"CPUCredits", "CREDITS", statsRow.CPUCredits},
	{"MemUsage", "MEM USAGE / LIMIT", statsRow.MemUsage},
	{"MemPerc", "MEM %", statsRow.MemPerc},
	{"NetIO", "NET I/O", statsRow.NetIO},
	{"BlockIO", "BLOCK I/O", statsRow.BlockIO},
	{"Disk", "DISK", statsRow.Disk},
	{"PIDs", "PIDS", statsRow.PIDs},
}

// ID is the instance's id, shortened unless wanted whole.
func (r statsRow) ID() string {
	if r.whole {
		return r.Instance
	}
	return api.ShortID(r.Instance)
}

// Container is Docker's word for the id.
func (r statsRow) Container() string { return r.ID() }

// share is part of the time between the readings, in per cent.
func (r statsRow) share(part time.Duration) string {
	wall := r.Time.Sub(r.before.Time)
	if r.before.Time.IsZero() || wall <= 0 || part < 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(part)/float64(wall))
}

// CPUPerc is the CPU time used, in per cent of one CPU.
func (r statsRow) CPUPerc() string { return r.share(r.CPU.Usage - r.before.CPU.Usage) }

// Throttled is the time its own quota held it back, in per cent.
func (r statsRow) Throttled() string {
	return r.share(r.CPU.ThrottledTime - r.before.CPU.ThrottledTime)
}

// CPUCredits is the balance of a burst instance, and how long it lasts or when
// it is full.
func (r statsRow) CPUCredits() string {
	c := r.Stats.Credits
	switch {
	case c == nil:
		return "-"
	case c.Surplus > 0:
		return fmt.Sprintf("%.2f (surplus)", -c.Surplus)
	case c.LastsForSecond > 0 && c.Mode == api.CreditStandard:
		return fmt.Sprintf("%.1f (%s left)", c.Balance, span(seconds(c.LastsForSecond)))
	case c.FullInSecond > 0:
		return fmt.Sprintf("%.1f (full in %s)", c.Balance, span(seconds(c.FullInSecond)))
	}
	return fmt.Sprintf("%.1f", c.Balance)
}

// MemUsage is the memory in use and its limit.
func (r statsRow) MemUsage() string {
	if r.Time.IsZero() {
		return "-"
	}
	limit := "no limit"
	if r.Memory.Limit > 0 {
		limit = api.FormatBytes(r.Memory.Limit)
	}
	return api.FormatBytes(r.Memory.Usage) + " / " + limit
}

// MemPerc is the part of the limit that is in use.
func (r statsRow) MemPerc() string {
	if r.Memory.Limit <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(r.Memory.Usage)/float64(r.Memory.Limit))
}

// NetIO are the bytes received and sent.
func (r statsRow) NetIO() string {
	if r.Time.IsZero() {
		return "-"
	}
	return api.FormatBytes(r.Network.RxBytes) + " / " + api.FormatBytes(r.Network.TxBytes)
}

// BlockIO are the bytes read and written.
func (r statsRow) BlockIO() string {
	if r.Time.IsZero() {
		return "-"
	}
	return api.FormatBytes(r.Stats.BlockIO.ReadBytes) + " / " + api.FormatBytes(r.Stats.BlockIO.WriteBytes)
}

// Disk is what the writable layer holds and may hold, where it has a size.
func (r statsRow) Disk() string {
	if r.Stats.Disk == nil {
		return "-"
	}
	return api.FormatBytes(r.Stats.Disk.Used) + " / " + api.FormatBytes(r.Stats.Disk.Size)
}

// PIDs is the number of tasks.
func (r statsRow) PIDs() string {
	if r.Time.IsZero() {
		return "-"
	}
	return strconv.FormatInt(r.Pids.Current, 10)
}
