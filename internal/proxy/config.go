package proxy

import (
	"net/netip"
	"time"
)

// Config is everything a Proxy does. Set replaces it as a whole.
type Config struct {
	Routes []Route
	Pools  []Pool
}

// Route sends the requests for a host and a path to a pool. The longest path
// wins, an exact host before a wildcard, any host last.
type Route struct {
	Host string // lower case, "*.example.org" or "" for any
	Path string // prefix, "" for any; it matches whole segments
	Pool string // name of the pool
	// StripPath removes the prefix before the request goes on.
	StripPath bool
}

// Pool is a set of interchangeable backends. A zero duration or number means
// the default that its comment gives.
type Pool struct {
	Name     string
	Backends []Backend
	// Affinity is the name of a cookie that keeps a client at one backend; ""
	// has none.
	Affinity string
	// Source keeps a client at one backend by its address, where no cookie
	// says otherwise.
	Source bool
	// TrustedProxies are where proxies are that may say who asked: what they say
	// in X-Forwarded fields is passed on, and believed. What others say is not.
	TrustedProxies []netip.Prefix
	// AccessLog gives its requests to the access log.
	AccessLog bool
	// SlowStart is the time in which a new backend's share grows to its full
	// weight. Default none.
	SlowStart time.Duration
	// ConnectTimeout, default 2s. HeadTimeout is the wait for the head of an
	// answer, default 60s.
	ConnectTimeout, HeadTimeout time.Duration
	// Retries of a request that may be repeated, on other backends. Default 2;
	// negative has none.
	Retries int
	// EjectAfter failures in a row, a backend gets no requests for a while
	// that grows with each ejection. Default 5; negative never ejects.
	EjectAfter int
	// MaxBody refuses larger request bodies; 0 has no limit.
	MaxBody int64
	// Hold is how long a request waits for a first backend before it is
	// refused with 503. Default 0.
	Hold time.Duration
}

// Backend is one instance of a pool.
type Backend struct {
	ID     string
	Addr   netip.AddrPort
	Weight int // default 1
	// Down backends failed their health check; Draining ones finish what they
	// have. Neither gets new requests, but a draining one is used rather than
	// none.
	Down, Draining bool
}

const (
	defaultConnect = 2 * time.Second
	defaultHead    = time.Minute
	defaultRetries = 2
	defaultEject   = 5
)

func (p *Pool) withDefaults() {
	if p.ConnectTimeout == 0 {
		p.ConnectTimeout = defaultConnect
	}
	if p.HeadTimeout == 0 {
		p.HeadTimeout = defaultHead
	}
	if p.Retries == 0 {
		p.Retries = defaultRetries
	}
	if p.EjectAfter == 0 {
		p.EjectAfter = defaultEject
	}
}
