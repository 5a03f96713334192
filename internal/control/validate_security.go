package control

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/virga-cloud/virga/api"
)

var capabilities = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
	LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
	SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE
	AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
	CHECKPOINT_RESTORE`)

func validateSecurity(s *api.InstanceSpec) error {
	sec := &s.Security
	for _, l := range []struct {
		field string
		list  []string
	}{{"spec.security.capAdd", sec.CapAdd}, {"spec.security.capDrop", sec.CapDrop}} {
		for i, c := range l.list {
			name := strings.TrimPrefix(strings.ToUpper(c), "CAP_")
			if name != "ALL" && !slices.Contains(capabilities, name) {
				return api.Invalid(fmt.Sprintf("%s[%d]", l.field, i), "unknown capability %q", c).
					WithHint("a name such as NET_ADMIN, or ALL; see man 7 capabilities")
			}
		}
	}
	switch sec.Seccomp {
	case "", "default", "unconfined":
	default:
		var profile map[string]any
		if err := json.Unmarshal([]byte(sec.Seccomp), &profile); err != nil || profile["defaultAction"] == nil {
			return api.Invalid("spec.security.seccomp", "the seccomp profile is not a profile in JSON").
				WithHint("default, unconfined or a profile in Docker's form")
		}
	}
	if sec.UserNS != "" && sec.UserNS != "private" && sec.UserNS != "host" {
		return api.Invalid("spec.security.userns", "unknown user namespace %q", sec.UserNS).WithHint("private or host")
	}
	for i, d := range sec.Devices {
		if err := validateDevice(fmt.Sprintf("spec.security.devices[%d]", i), d); err != nil {
			return err
		}
	}
	hostNet := len(s.Networks) == 1 && s.Networks[0].Network == api.NetworkHost
	for k, v := range sec.Sysctls {
		if err := validateSysctl(k, v, hostNet); err != nil {
			return err
		}
	}
	return nil
}

func validateDevice(field string, d api.Device) error {
	if !absolute(d.Path) {
		return api.Invalid(field+".path", "device %q is not an absolute path", d.Path)
	}
	if d.Target != "" && !absolute(d.Target) {
		return api.Invalid(field+".target", "device target %q is not an absolute path", d.Target)
	}
	if strings.Trim(d.Access, "rwm") != "" || len(d.Access) > 3 {
		return api.Invalid(field+".access", "access %q is not made of r, w and m", d.Access)
	}
	return nil
}

// ipcSysctls are those outside net.* and fs.mqueue.* that belong to a
// namespace of the instance's.
var ipcSysctls = []string{"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
	"kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.hostname", "kernel.domainname"}

func validateSysctl(name, value string, hostNet bool) error {
	field := "spec.security.sysctls." + name
	isNet := strings.HasPrefix(name, "net.")
	switch {
	case strings.ContainsAny(name, "/\x00 ") || strings.Contains(name, ".."):
		return api.Invalid(field, "%q is not the name of a sysctl", name)
	case !isNet && !strings.HasPrefix(name, "fs.mqueue.") && !slices.Contains(ipcSysctls, name):
		return api.Invalid(field, "sysctl %s does not belong to the instance's namespaces", name).
			WithHint("net.*, fs.mqueue.* and the kernel.msg*, kernel.sem and kernel.shm* families can be set")
	case isNet && hostNet:
		return api.Invalid(field, "sysctl %s would change the node's own network", name)
	case len(value) > 4096 || strings.ContainsAny(value, "\n\x00"):
		return api.Invalid(field, "value %q of sysctl %s is not one line", value, name)
	}
	return nil
}

var signals = strings.Fields(`HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD
	CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS RTMIN RTMAX`)

// ValidSignal reports whether s names a signal, such as TERM, SIGTERM,
// RTMIN+3 or 15.
func ValidSignal(s string) bool {
	if n, err := strconv.Atoi(s); err == nil {
		return n >= 1 && n <= 64
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if slices.Contains(signals, name) {
		return true
	}
	for _, base := range []string{"RTMIN+", "RTMAX-"} {
		if d, ok := strings.CutPrefix(name, base); ok {
			n, err := strconv.ParseUint(d, 10, 8)
			return err == nil && n <= 30
		}
	}
	return false
}
