package cgroup

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// Stats reads what the group has used. What this kernel does not count is 0.
func (g *Group) Stats() (api.Stats, error) {
	s := api.Stats{Time: time.Now()}
	err := errors.Join(g.cpuStats(&s.CPU), g.memoryStats(&s.Memory), g.pidStats(&s.Pids), g.ioStats(&s.BlockIO))
	return s, err
}

func (g *Group) cpuStats(c *api.CPUStats) error {
	if d := g.unified(); d != "" {
		t, err := readTable(d, "cpu.stat")
		if err != nil {
			return err
		}
		c.Usage = time.Duration(t["usage_usec"]) * time.Microsecond
		c.User = time.Duration(t["user_usec"]) * time.Microsecond
		c.System = time.Duration(t["system_usec"]) * time.Microsecond
		c.Periods, c.Throttled = t["nr_periods"], t["nr_throttled"]
		c.ThrottledTime = time.Duration(t["throttled_usec"]) * time.Microsecond
	} else if d := g.v1("cpuacct"); d != "" {
		n, err := readInt(d, "cpuacct.usage")
		if err != nil {
			return err
		}
		user, _ := readInt(d, "cpuacct.usage_user")
		c.Usage, c.User = time.Duration(n), time.Duration(user)
		c.System = c.Usage - c.User
	}
	d := g.v1("cpu")
	if d == "" {
		if max, err := read(g.unified(), "cpu.max"); err == nil {
			q, p, _ := strings.Cut(max, " ")
			c.Limit = ratio(q, p)
		}
		return nil
	}
	t, err := readTable(d, "cpu.stat")
	if err != nil {
		return err
	}
	c.Periods, c.Throttled, c.ThrottledTime = t["nr_periods"], t["nr_throttled"], time.Duration(t["throttled_time"])
	q, _ := read(d, "cpu.cfs_quota_us")
	p, _ := read(d, "cpu.cfs_period_us")
	c.Limit = ratio(q, p)
	return nil
}

// ratio is quota over period, 0 without a quota.
func ratio(quota, period string) float64 {
	q, qerr := strconv.ParseFloat(quota, 64)
	p, perr := strconv.ParseFloat(period, 64)
	if qerr != nil || perr != nil || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}

func (g *Group) memoryStats(m *api.MemStats) error {
	d, usage, peak, limit, prefix := g.v1("memory"), "memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes", "total_"
	file := "total_cache"
	if d == "" {
		d, usage, peak, limit, prefix, file = g.unified(), "memory.current", "memory.peak", "memory.max", "", "file"
	}
	used, err := readInt(d, usage)
	if err != nil {
		return ignoreGone(err)
	}
	t, err := readTable(d, "memory.stat")
	if err != nil {
		return err
	}
	m.Usage = max(used-t[prefix+"inactive_file"], 0)
	m.Cache = t[file]
	m.Max, _ = readInt(d, peak) // not before 5.19
	if m.Limit, err = readInt(d, limit); err != nil {
		return err
	}
	m.OOMKills, err = g.OOMKills()
	return err
}

func (g *Group) pidStats(p *api.PidStats) (err error) {
	d := g.v1("pids")
	if d == "" {
		d = g.unified()
	}
	if p.Current, err = readInt(d, "pids.current"); err != nil {
		return ignoreGone(err)
	}
	p.Limit, err = readInt(d, "pids.max")
	return err
}
