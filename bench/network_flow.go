package main

import (
	"encoding/binary"
	"net"
	"time"

	"github.com/virga-cloud/virga/internal/linux/link"
)

// echoFlow sends datagrams to and fro, and counts those that do not come back.
type echoFlow struct {
	client, server *net.UDPConn
	halt, done     chan struct{}
	sent, back     int
}

// startFlow begins a flow over loopback, whose packets pass all tables of the
// namespace. Datagrams are not sent again, so none is lost unseen.
func startFlow() (*echoFlow, error) {
	c, err := link.Open(nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Do(link.Up(1)); err != nil {
		return nil, err
	}
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	client, err := net.DialUDP("udp4", nil, server.LocalAddr().(*net.UDPAddr))
	if err != nil {
		server.Close()
		return nil, err
	}
	f := &echoFlow{client: client, server: server, halt: make(chan struct{}), done: make(chan struct{})}
	go f.echo()
	go f.run()
	return f, nil
}

// echo sends back what comes, until the socket is closed.
func (f *echoFlow) echo() {
	b := make([]byte, 64)
	for {
		n, from, err := f.server.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if _, err := f.server.WriteToUDPAddrPort(b[:n], from); err != nil {
			return
		}
	}
}

// run sends one datagram at a time and waits for it, a second at most.
func (f *echoFlow) run() {
	defer close(f.done)
	b := make([]byte, 8)
	for {
		select {
		case <-f.halt:
			return
		default:
		}
		f.sent++
		binary.BigEndian.PutUint64(b, uint64(f.sent))
		if _, err := f.client.Write(b); err != nil {
			continue
		}
		f.client.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := f.client.Read(b); err == nil && n == 8 && binary.BigEndian.Uint64(b) == uint64(f.sent) {
			f.back++
		}
	}
}

// stop ends the flow.
func (f *echoFlow) stop() (sent, lost int) {
	close(f.halt)
	<-f.done
	f.client.Close()
	f.server.Close()
	return f.sent, f.sent - f.back
}
