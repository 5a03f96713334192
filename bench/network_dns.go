package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/virga-cloud/virga/api"
)

const (
	dnsRuns    = 5
	dnsSeconds = 3
	dnsAlone   = 2000 // queries one after the other
	nodeName   = "host.virga.internal."
)

// networkDNS asks the name server of a network, on one core: as much as
// dnsperf can, and one query after the other.
func networkDNS(ctx context.Context, e *env) error {
	if _, err := exec.LookPath("dnsperf"); err != nil {
		return fmt.Errorf("%w: install dnsperf", err)
	}
	p, err := e.pinned(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	made, err := p.client.Create(ctx, api.CreateRequest{Name: "db", Spec: api.InstanceSpec{Image: "bench", Command: []string{"/bin/busybox", "sleep", "100000"}}}, true)
	if err != nil {
		return err
	}
	in, err := p.client.Instance(ctx, made.ID)
	if err != nil {
		return err
	}
	gateway, err := p.gateway(ctx)
	if err != nil {
		return err
	}
	address := in.Status.Addresses[0].Address.As4()
	queries := filepath.Join(p.dir, "queries")
	text := fmt.Sprintf("db.default.virga.internal A\ndb A\nhost.virga.internal A\nnobody A\ndb.default.virga.internal AAAA\n%d.%d.%d.%d.in-addr.arpa PTR\n",
		address[3], address[2], address[1], address[0])
	if err := os.WriteFile(queries, []byte(text), 0o644); err != nil {
		return err
	}
	var rates samples
	for range dnsRuns {
		rate, err := dnsperf(ctx, gateway, queries)
		if err != nil {
			return err
		}
		rates = append(rates, rate)
	}
	if err := e.compare("network.dns", "answers/s", rates, atLeast(50_000), nil); err != nil {
		return err
	}
	alone, err := askAlone(gateway, "db.default.virga.internal.", dnsAlone)
	if err != nil {
		return err
	}
	return e.record(figure{Name: "network.dns.p99", Value: alone.quantile(.99), Unit: "ms", N: len(alone), About: "one query after the other"}, atMost(1))
}

func dnsperf(ctx context.Context, server netip.Addr, queries string) (float64, error) {
	out, err := on(ctx, askedCore, "dnsperf", "-s", server.String(), "-d", queries, "-l", strconv.Itoa(dnsSeconds), "-c", "16", "-q", "500").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("dnsperf: %w: %s", err, out)
	}
	rate, sent, lost := 0.0, 0.0, 0.0
	for line := range strings.Lines(string(out)) {
		label, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		f := strings.Fields(value)
		if len(f) == 0 {
			continue
		}
		switch label {
		case "Queries per second":
			rate, err = strconv.ParseFloat(f[0], 64)
		case "Queries sent":
			sent, err = strconv.ParseFloat(f[0], 64)
		case "Queries lost":
			lost, err = strconv.ParseFloat(f[0], 64)
		}
		if err != nil {
			return 0, err
		}
	}
	if lost > sent/100 {
		return 0, fmt.Errorf("dnsperf: %.0f of %.0f queries got no answer", lost, sent)
	}
	if rate == 0 {
		return 0, fmt.Errorf("dnsperf says no rate: %s", out)
	}
	return rate, nil
}

// askAlone asks for a name again and again, each time after the answer before,
// and returns how long each took, in ms.
func askAlone(server netip.Addr, name string, n int) (samples, error) {
	q := dnsmessage.Message{Header: dnsmessage.Header{RecursionDesired: true}, Questions: []dnsmessage.Question{
		{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	b, err := q.Pack()
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("udp", netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var took samples
	room := make([]byte, 1500)
	for i := range n {
		b[0], b[1] = byte(i>>8), byte(i)
		if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return nil, err
		}
		start := time.Now()
		if _, err := c.Write(b); err != nil {
			return nil, err
		}
		size, err := c.Read(room)
		took = append(took, ms(time.Since(start)))
		var m dnsmessage.Message
		if err != nil {
			return nil, err
		}
		if err := m.Unpack(room[:size]); err != nil || len(m.Answers) != 1 || m.ID != uint16(i) {
			return nil, fmt.Errorf("answer %d: %v, %v", i, m, err)
		}
	}
	return took, nil
}
