package container

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guest is what the test binary does as a workload: one command per argument,
// each printing one line or more.
func guest(commands []string) int {
	for _, c := range commands {
		f := strings.Fields(c)
		if f[0] == "exit" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
		out, err := guestCommand(f)
		if err != nil {
			out = "error: " + err.Error()
		}
		fmt.Println(out)
	}
	return 0
}

func guestCommand(f []string) (string, error) {
	switch f[0] {
	case "echo":
		return strings.Join(f[1:], " "), nil
	case "cat":
		b, err := os.ReadFile(f[1])
		return strings.TrimSpace(string(b)), err
	case "ls":
		entries, err := os.ReadDir(f[1])
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " "), err
	case "write":
		return "written", os.WriteFile(f[1], []byte(strings.Join(f[2:], " ")), 0o644)
	case "stat":
		var st unix.Stat_t
		err := unix.Stat(f[1], &st)
		return fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode), err
	case "id":
		groups, err := os.Getgroups()
		return fmt.Sprint(os.Getuid(), os.Getgid(), groups), err
	case "pid":
		return fmt.Sprint(os.Getpid()), nil
	case "hostname":
		return os.Hostname()
	case "pwd":
		return os.Getwd()
	case "env":
		return os.Getenv(f[1]), nil
	case "mount":
		return "mounted", unix.Mount("none", f[1], "tmpfs", 0, "")
	case "keyctl":
		_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_PROCESS_KEYRING, true)
		return "done", err
	case "sethostname":
		return "done", unix.Sethostname([]byte("other"))
	case "unshare":
		return "unshared", unix.Unshare(unix.CLONE_NEWNS)
	case "mknod":
		return "made", unix.Mknod(f[1], unix.S_IFBLK|0o666, int(unix.Mkdev(254, 0)))
	case "open":
		file, err := os.OpenFile(f[1], os.O_RDWR, 0)
		if err == nil {
			file.Close()
		}
		return "opened", err
	case "links":
		all, err := net.Interfaces()
		var names []string
		for _, l := range all {
			names = append(names, l.Name)
		}
		return strings.Join(names, " "), err
	case "fds":
		entries, err := os.ReadDir("/proc/self/fd")
		var to []string
		for _, e := range entries {
			if l, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.Contains(l, "anon_inode") {
				to = append(to, e.Name()+"="+l)
			}
		}
		return strings.Join(to, " "), err
	case "tty":
		ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
		if err != nil {
			return "", err
		}
		c, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err == nil {
			c.Close()
		}
		return fmt.Sprint("tty ", ws.Col, "x", ws.Row), err
	case "rlimit":
		var l unix.Rlimit
		err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
		return fmt.Sprint(l.Cur, " ", l.Max), err
	case "eat":
		n, _ := strconv.Atoi(f[1])
		b := make([]byte, n<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		return fmt.Sprint("ate ", len(b)), nil
	case "fork":
		n, _ := strconv.Atoi(f[1])
		for i := range n {
			c := exec.Command(os.Args[0], "guest", "sleep 60")
			if err := c.Start(); err != nil {
				return fmt.Sprint("forked ", i), err
			}
		}
		return "forked all", nil
	case "spin":
		d, err := time.ParseDuration(f[1])
		for end := time.Now().Add(d); time.Now().Before(end); {
		}
		return "spun", err
	case "sleep":
		n, _ := strconv.Atoi(f[1])
		time.Sleep(time.Duration(n) * time.Second)
		return "slept", nil
	case "term":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("waiting")
		return (<-c).String(), nil
	case "find":
		var names []string
		err := filepath.WalkDir(f[1], func(p string, _ os.DirEntry, err error) error {
			names = append(names, p)
			return err
		})
		return strings.Join(names, " "), err
	}
	return "", fmt.Errorf("unknown command %q", f)
}
