package network

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
)

// A port is free when its last user has closed it, also while connections of
// before wait there; and it is held then as any other is.
func TestPortOfClosedConnections(t *testing.T) {
	newFabric(t, Config{}) // with the loopback link up
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	taken := func(what string) {
		t.Helper()
		if fd, _, err := bind(syscall.SOCK_STREAM, netip.IPv4Unspecified(), port); !errors.Is(err, syscall.EADDRINUSE) {
			syscall.Close(fd)
			t.Errorf("bound beside %s: %v", what, err)
		}
	}
	taken("a listener")
	// Who closes first waits.
	server.Close()
	if _, err := io.ReadAll(client); err != nil {
		t.Fatal(err)
	}
	client.Close()
	l.Close()
	for _, host := range []netip.Addr{netip.IPv4Unspecified(), netip.MustParseAddr("127.0.0.1")} {
		fd, _, err := bind(syscall.SOCK_STREAM, host, port)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		taken("a holder")
		if l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))); err == nil {
			l.Close()
			t.Errorf("%s: another program listens at a port that is held", host)
		}
		syscall.Close(fd)
	}
}
