package mount

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Below lists what is mounted below dir, dir itself left out, in the order it
// was mounted. It is empty when the list cannot be read.
func Below(dir string) []string {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if at := unescape(f[4]); strings.HasPrefix(at, dir+"/") {
			all = append(all, at)
		}
	}
	return all
}

// unescape reads the octal escapes of a path in mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// IsRoot reports whether dir is the root of a mount: something is mounted on
// it. It is false when dir is missing.
func IsRoot(dir string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
