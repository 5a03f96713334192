package image

import (
	"testing"

	"golang.org/x/sys/unix"
)

func opaque(t testing.TB, path string) bool {
	t.Helper()
	b := make([]byte, 8)
	n, err := unix.Lgetxattr(path, "trusted.overlay.opaque", b)
	return err == nil && string(b[:n]) == "y"
}
