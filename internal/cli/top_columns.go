package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virga-cloud/virga/api"
)

// psColumn is a column under the names that ps has for it.
type psColumn struct {
	names string // separated by spaces
	column[processRow]
}

var (
	uidColumn   = column[processRow]{"UID", "UID", func(r processRow) string { return r.Process.UID }}
	pidColumn   = column[processRow]{"PID", "PID", processRow.pid}
	ppidColumn  = column[processRow]{"PPID", "PPID", func(r processRow) string { return strconv.Itoa(r.PPID) }}
	stateColumn = column[processRow]{"State", "STAT", func(r processRow) string { return first(r.Process.State, "-") }}
	startColumn = column[processRow]{"Started", "START", processRow.start}
	timeColumn  = column[processRow]{"Time", "TIME", func(r processRow) string { return clock(r.Process.CPU) }}
	shareColumn = column[processRow]{"CPUPerc", "%CPU", processRow.share}
	virtColumn  = column[processRow]{"Virtual", "VSZ", func(r processRow) string { return kibibytes(r.Process.Virtual) }}
	rssColumn   = column[processRow]{"RSS", "RSS", func(r processRow) string { return kibibytes(r.Process.Memory) }}
	argsColumn  = column[processRow]{"Command", "COMMAND", func(r processRow) string { return r.Process.Command }}
)

// topColumns are shown when ps has no say.
var topColumns = []column[processRow]{
	uidColumn, pidColumn, ppidColumn,
	{"CPU", "CPU", func(r processRow) string { return r.Process.CPU.Round(10 * time.Millisecond).String() }},
	{"Memory", "MEMORY", func(r processRow) string { return api.FormatBytes(r.Process.Memory) }},
	argsColumn,
}

// psKnown are the columns that -o may name.
var psKnown = []psColumn{
	{"pid", pidColumn}, {"ppid", ppidColumn},
	{"user uid euser euid uname", uidColumn},
	{"stat s state", stateColumn},
	{"start stime start_time lstart", startColumn},
	{"etime", column[processRow]{"Elapsed", "ELAPSED", func(r processRow) string { return clock(r.age()) }}},
	{"time cputime", timeColumn},
	{"%cpu pcpu c", shareColumn},
	{"rss rssize", rssColumn}, {"vsz vsize", virtColumn},
	{"nlwp thcount", column[processRow]{"Threads", "NLWP", func(r processRow) string { return strconv.Itoa(r.Process.Threads) }}},
	{"comm ucmd ucomm", column[processRow]{"Name", "COMMAND", func(r processRow) string { return r.Process.Name }}},
	{"args cmd command", argsColumn},
}

func psColumnNames() string {
	var names []string
	for _, c := range psKnown {
		name, _, _ := strings.Cut(c.names, " ")
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// psColumns are the columns that -o of top's own, and the options of ps, ask for.
func psColumns(only string, options []string) ([]column[processRow], error) {
	var chosen []column[processRow]
	take := func(list string) error {
		for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			name, _, _ = strings.Cut(name, "=") // a heading of one's own
			i := slices.IndexFunc(psKnown, func(c psColumn) bool { return slices.Contains(strings.Fields(c.names), name) })
			if i < 0 {
				return api.Invalid("columns", "there is no column %q of ps", name).WithHint("use %s", psColumnNames())
			}
			chosen = append(chosen, psKnown[i].column)
		}
		return nil
	}
	if err := take(only); err != nil {
		return nil, err
	}
	for i := 0; i < len(options); i++ {
		o, list := options[i], ""
		switch name, value, joined := strings.Cut(o, "="); {
		case name == "-o" || name == "o" || name == "-eo" || name == "-Ao" || name == "axo" || name == "--format":
			if list = value; !joined {
				if i++; i == len(options) {
					return nil, api.Invalid("columns", "ps option %s: the columns are missing", o).WithHint("use %s", psColumnNames())
				}
				list = options[i]
			}
		case strings.HasPrefix(o, "-o"):
			list = o[2:]
		case strings.Trim(strings.TrimPrefix(o, "-"), "aux") == "" && strings.ContainsRune(o, 'u'):
			list = "user,pid,pcpu,vsz,rss,stat,start,time,args"
		case strings.HasPrefix(o, "-") && strings.Trim(o[1:], "eAafFxw") == "" && strings.ContainsAny(o, "fF"):
			list = "user,pid,ppid,pcpu,stime,time,args"
		case strings.Trim(strings.TrimPrefix(o, "-"), "eAaxw") == "":
			list = "pid,stat,time,comm" // whose processes is not for ps to choose
		default:
			return nil, api.Invalid("columns", "ps option %s is not known", o).WithHint("use -ef, aux or -o with %s; flags of `virga top` go before the instance", psColumnNames())
		}
		if err := take(list); err != nil {
			return nil, err
		}
	}
	if chosen == nil {
		return topColumns, nil
	}
	return chosen, nil
}

func (r processRow) pid() string { return strconv.Itoa(r.PID) }

// age is how long the process has existed.
func (r processRow) age() time.Duration {
	if r.Process.Started.IsZero() {
		return 0
	}
	return max(0, r.now.Sub(r.Process.Started))
}

// start is the time of day it was started at, or on another day the date.
func (r processRow) start() string {
	switch at := r.Process.Started.Local(); {
	case r.Process.Started.IsZero():
		return "-"
	case at.Format(time.DateOnly) == r.now.Local().Format(time.DateOnly):
		return at.Format("15:04")
	default:
		return at.Format("Jan02")
	}
}

// share is the part of its life that it has used of one CPU, as ps has it.
func (r processRow) share() string {
	if r.age() <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*float64(r.Process.CPU)/float64(r.age()))
}

// clock writes a duration as [DAYS-]HH:MM:SS.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		text = fmt.Sprintf("%d-%s", days, text)
	}
	return text
}

func kibibytes(n int64) string { return strconv.FormatInt(n/1024, 10) }
