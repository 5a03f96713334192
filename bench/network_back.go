package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const backRuns = 5

// back kills the daemon and starts it again, and records how long it takes
// from there until the service at a port and the name server answer.
func (e *env) back(ctx context.Context, port int) error {
	gateway, err := e.gateway(ctx)
	if err != nil {
		return err
	}
	web, names := samples{}, samples{}
	for range backRuns {
		if err := e.daemon.Process.Signal(syscall.SIGKILL); err != nil {
			return err
		}
		_ = e.daemon.Wait() // that it was killed
		if err := askPage(port); err == nil {
			return errors.New("somebody answers in the place of the daemon that was killed")
		}
		start := time.Now()
		if err := e.startDaemon(nil); err != nil {
			return err
		}
		took := make(chan samples, 2)
		go func() { took <- samples{0, until(start, func() error { return askPage(port) })} }()
		go func() {
			took <- samples{1, until(start, func() error { _, err := askAlone(gateway, nodeName, 1); return err })}
		}()
		for range 2 {
			s := <-took
			if s[1] < 0 {
				return errors.New("not back within 30 s")
			}
			if s[0] == 0 {
				web = append(web, s[1])
			} else {
				names = append(names, s[1])
			}
		}
		if err := e.ready(ctx); err != nil {
			return err
		}
	}
	if err := e.compare("network.l7.back", "ms", web, atMost(1000), nil); err != nil {
		return err
	}
	return e.compare("network.dns.back", "ms", names, atMost(1000), nil)
}

// until tries again and again, and returns how long after start it went well
// first, in ms; negative is never.
func until(start time.Time, try func() error) float64 {
	for time.Since(start) < 30*time.Second {
		if try() == nil {
			return ms(time.Since(start))
		}
		time.Sleep(2 * time.Millisecond)
	}
	return -1
}

// askPage asks a port of loopback for a page, over a connection of its own.
func askPage(port int) error {
	c, err := net.Dial("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port)).String())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: back\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	var head [12]byte
	if _, err := c.Read(head[:]); err != nil {
		return err
	}
	if string(head[9:]) != "200" {
		return fmt.Errorf("answer %q", head)
	}
	return nil
}
