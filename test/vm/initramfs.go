package vm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// WriteInitramfs writes what the kernel starts from: the program init, and
// the modules with the order to load them in.
func WriteInitramfs(path, init string, modules []string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	a := &cpio{w: bufio.NewWriter(f)}
	var order strings.Builder
	a.dir("modules")
	a.dir("dev")
	a.dir("root")
	for _, m := range modules {
		name := "modules/" + filepath.Base(m)
		fmt.Fprintln(&order, "/"+name)
		a.copy(name, m)
	}
	a.file("modules/order", 0o644, []byte(order.String()))
	a.copy("init", init)
	a.add("TRAILER!!!", 0, nil)
	if a.err == nil {
		a.err = a.w.Flush()
	}
	if a.err != nil {
		return fmt.Errorf("write initramfs: %w", a.err)
	}
	return f.Close()
}

// cpio writes an archive in the "newc" format: a header of a magic number and
// 13 fields of 8 hexadecimal digits, the name and the content, each padded to
// 4 bytes. The first error stays.
type cpio struct {
	w   *bufio.Writer
	ino int
	err error
}

func (a *cpio) dir(name string) { a.add(name, 0o040755, nil) }

func (a *cpio) file(name string, mode int, content []byte) { a.add(name, 0o100000|mode, content) }

func (a *cpio) copy(name, from string) {
	b, err := os.ReadFile(from)
	if err != nil && a.err == nil {
		a.err = err
	}
	a.file(name, 0o755, b)
}

func (a *cpio) add(name string, mode int, content []byte) {
	if a.err != nil {
		return
	}
	a.ino++
	const links, zero = 1, 0
	header := "070701"
	for _, field := range []int{a.ino, mode, zero, zero, links, zero, len(content), zero, zero, zero, zero, len(name) + 1, zero} {
		header += fmt.Sprintf("%08X", field)
	}
	a.padded(header + name + "\x00")
	a.padded(string(content))
}

func (a *cpio) padded(s string) {
	if a.err == nil {
		_, a.err = io.WriteString(a.w, s+strings.Repeat("\x00", -len(s)&3))
	}
}
