package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func env([]string) error {
	for _, e := range os.Environ() {
		fmt.Println(e)
	}
	return nil
}

func echo(args []string) error {
	fmt.Println(strings.Join(args, " "))
	return nil
}

// cat copies files, or standard input when there are none.
func cat(args []string) error {
	if len(args) == 0 {
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	}
	for _, name := range args {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(os.Stdout, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func write(args []string) error {
	return os.WriteFile(args[0], []byte(strings.Join(args[1:], " ")+"\n"), 0o644)
}

func ls(args []string) error {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		i, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Printf("%s %10d %s\n", i.Mode(), i.Size(), e.Name())
	}
	return nil
}

func id([]string) error {
	groups, err := os.Getgroups()
	if err != nil {
		return err
	}
	fmt.Printf("uid=%d gid=%d groups=%v\n", os.Getuid(), os.Getgid(), groups)
	return nil
}

func sleep(args []string) error {
	d, err := duration(args[0])
	if err != nil {
		return err
	}
	time.Sleep(d)
	return nil
}

func exitWith(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 || n > 255 {
		return fmt.Errorf("%q is not an exit status", args[0])
	}
	if n == 0 {
		return nil
	}
	return exit(n)
}

// spin keeps one processor busy, for ever or for a while.
func spin(args []string) error {
	end := time.Time{}
	if len(args) > 0 {
		d, err := duration(args[0])
		if err != nil {
			return err
		}
		end = time.Now().Add(d)
	}
	for n := 0; ; n++ {
		if n&0xfffff == 0 && !end.IsZero() && time.Now().After(end) {
			return nil
		}
	}
}

// alloc uses memory, and holds it until it is ended or for a while.
func alloc(args []string) error {
	mib, err := strconv.Atoi(args[0])
	if err != nil || mib < 0 {
		return fmt.Errorf("%q is not a number of MiB", args[0])
	}
	var hold [][]byte
	for i := range mib {
		b := make([]byte, 1<<20)
		for j := 0; j < len(b); j += 4096 {
			b[j] = byte(i + 1)
		}
		hold = append(hold, b)
	}
	fmt.Printf("holding %d MiB\n", mib)
	d := time.Duration(1<<63 - 1)
	if len(args) > 1 {
		if d, err = duration(args[1]); err != nil {
			return err
		}
	}
	time.Sleep(d)
	runtime.KeepAlive(hold)
	return nil
}

func resolve(args []string) error {
	addrs, err := net.LookupHost(args[0])
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(addrs, "\n"))
	return nil
}

func get(args []string) error {
	c := http.Client{Timeout: 30 * time.Second}
	r, err := c.Get(args[0])
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(os.Stdout, r.Body); err != nil {
		return err
	}
	if r.StatusCode >= 400 {
		return fmt.Errorf("%s", r.Status)
	}
	return nil
}

// lines writes numbered lines, as a source of logs.
func lines(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("%q is not a number", args[0])
	}
	var pause time.Duration
	if len(args) > 1 {
		if pause, err = duration(args[1]); err != nil {
			return err
		}
	}
	for i := range n {
		fmt.Printf("line %d\n", i+1)
		time.Sleep(pause)
	}
	return nil
}

// duration reads "1.5", in seconds, or "200ms"; "infinity" is as long as it gets.
func duration(s string) (time.Duration, error) {
	if s == "infinity" {
		return 1<<63 - 1, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return time.Duration(f * float64(time.Second)), nil
	}
	return time.ParseDuration(s)
}
