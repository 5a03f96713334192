package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// What a trusted proxy says of who asked is passed on; the client is the last of
// its list that is no trusted proxy.
func TestTrustedProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("203.0.113.0/24")}
	both(t, func(t *testing.T, c *http.Client) {
		logged := make(chan string, 10)
		f := newFront(t, nil)
		f.access = func(a Access) { logged <- a.Client }
		f.Set(one(Pool{AccessLog: true, TrustedProxies: trusted, Backends: []Backend{backendOf(t, "b", func(w http.ResponseWriter, r *http.Request) {
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip"} {
				fmt.Fprintf(w, "%s ", strings.Join(r.Header.Values(name), "|"))
			}
		})}}))
		for _, q := range []struct {
			list        []string
			proto, host string
			want        string // of the fields
			client      string
		}{
			{nil, "", "", "127.0.0.1 http shop.example  ", "127.0.0.1"},
			{[]string{"198.51.100.7"}, "https", "front.example", "198.51.100.7, 127.0.0.1 https front.example  ", "198.51.100.7"},
			{[]string{"6.6.6.6, 198.51.100.7, 203.0.113.9"}, "HTTPS", "", "6.6.6.6, 198.51.100.7, 203.0.113.9, 127.0.0.1 https shop.example  ", "198.51.100.7"},
			{[]string{"6.6.6.6", "[2001:db8::7]:4711"}, "gopher", "", "6.6.6.6, [2001:db8::7]:4711, 127.0.0.1 http shop.example  ", "2001:db8::7"},
			{[]string{"198.51.100.7, unknown, 203.0.113.9"}, "", "", "198.51.100.7, unknown, 203.0.113.9, 127.0.0.1 http shop.example  ", "203.0.113.9"},
		} {
			r, _ := http.NewRequest("GET", "http://"+f.addr, nil)
			r.Host = "shop.example"
			r.Header["X-Forwarded-For"] = q.list
			r.Header.Set("X-Real-Ip", "6.6.6.6")
			if q.proto != "" {
				r.Header.Set("X-Forwarded-Proto", q.proto)
			}
			if q.host != "" {
				r.Header.Set("X-Forwarded-Host", q.host)
			}
			resp, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(b) != q.want {
				t.Errorf("%v: got  %s\nwant %s", q.list, b, q.want)
			}
			if got := <-logged; got != q.client {
				t.Errorf("%v: the client is %s, want %s", q.list, got, q.client)
			}
		}
	})
}

func FuzzClientIn(f *testing.F) {
	p := Pool{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	for _, s := range []string{"", ",", "1.2.3.4", "1.2.3.4, 192.0.2.7", "[::1]:80,192.0.2.1", "fe80::1%eth0", "x,192.0.2.1"} {
		f.Add([]byte(s))
	}
	peer := netip.MustParseAddr("192.0.2.1")
	f.Fuzz(func(t *testing.T, list []byte) {
		if a := p.clientIn(peer, list); !a.IsValid() || a.Zone() != "" {
			t.Errorf("%q: client %s", list, a)
		}
	})
}
