package container

import (
	"strconv"
	"strings"
	"syscall"

	"github.com/virga-cloud/virga/api"
)

var signals = map[string]syscall.Signal{
	"ABRT": syscall.SIGABRT, "ALRM": syscall.SIGALRM, "BUS": syscall.SIGBUS, "CHLD": syscall.SIGCHLD,
	"CONT": syscall.SIGCONT, "FPE": syscall.SIGFPE, "HUP": syscall.SIGHUP, "ILL": syscall.SIGILL,
	"INT": syscall.SIGINT, "IO": syscall.SIGIO, "KILL": syscall.SIGKILL, "PIPE": syscall.SIGPIPE,
	"PROF": syscall.SIGPROF, "PWR": syscall.SIGPWR, "QUIT": syscall.SIGQUIT, "SEGV": syscall.SIGSEGV,
	"STKFLT": syscall.SIGSTKFLT, "STOP": syscall.SIGSTOP, "SYS": syscall.SIGSYS, "TERM": syscall.SIGTERM,
	"TRAP": syscall.SIGTRAP, "TSTP": syscall.SIGTSTP, "TTIN": syscall.SIGTTIN, "TTOU": syscall.SIGTTOU,
	"URG": syscall.SIGURG, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "VTALRM": syscall.SIGVTALRM,
	"WINCH": syscall.SIGWINCH, "XCPU": syscall.SIGXCPU, "XFSZ": syscall.SIGXFSZ,
}

// The range of real-time signals as programs count them.
const rtMin, rtMax = 34, 64

// parseSignal reads a name with or without SIG, RTMIN+n, RTMAX-n or a number.
func parseSignal(name string) (int, error) {
	s := strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n <= rtMax {
		return n, nil
	}
	if n, ok := signals[s]; ok {
		return int(n), nil
	}
	for prefix, base := range map[string]int{"RTMIN": rtMin, "RTMAX": rtMax} {
		rest, ok := strings.CutPrefix(s, prefix)
		if !ok {
			continue
		}
		n := 0
		if rest != "" {
			var err error
			if n, err = strconv.Atoi(rest); err != nil {
				break
			}
		}
		if n += base; n >= rtMin && n <= rtMax {
			return n, nil
		}
	}
	return 0, api.Invalid("signal", "unknown signal %q", name).WithHint("such as SIGTERM, TERM or 15")
}
