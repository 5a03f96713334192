package volume

import "syscall"

func setXattr(path string) error { return syscall.Setxattr(path, "user.colour", []byte("blue"), 0) }
