package api

import (
	"net/netip"
	"time"
)

// Service is a stable name and address in front of instances.
type Service struct {
	Meta
	Spec ServiceSpec `json:"spec"`
	// Address is the service's own on its network, for as long as it exists.
	Address netip.Addr `json:"address"`
	// Address6 ends in Address. It is computed when the service is read, and
	// invalid where the network has no IPv6.
	Address6 netip.Addr `json:"address6,omitzero"`
	// Status is computed when the service is read.
	Status ServiceStatus `json:"status"`
}

// ServiceSpec is what the user asked for.
type ServiceSpec struct {
	Selector ServiceSelector `json:"selector"`
	// Network is where the address is, and where backends are reached.
	Network string        `json:"network,omitempty" doc:"Default default"`
	Address netip.Addr    `json:"address,omitzero" doc:"Address wanted; default a free one at the network's end"`
	Ports   []ServicePort `json:"ports" minItems:"1" maxItems:"64"`
	// Routes share the HTTP ports between hosts and paths. Without any, every
	// request goes to the service's own instances.
	Routes  []ServiceRoute `json:"routes,omitempty" maxItems:"256"`
	Check   *ServiceCheck  `json:"check,omitempty" doc:"Default: a backend is up once it accepts connections"`
	Balance ServiceBalance `json:"balance,omitzero"`
	TLS     *ServiceTLS    `json:"tls,omitempty" doc:"Certificate of https ports; default one of virga's own CA"`
	// MaxBody refuses larger request bodies, in bytes.
	MaxBody int64 `json:"maxBody,omitempty" minimum:"0" doc:"Bytes; 0 has no limit"`
	// TrustedProxies may say who asked: what proxies at these addresses say in
	// X-Forwarded fields is passed on and believed.
	TrustedProxies []netip.Prefix `json:"trustedProxies,omitempty" maxItems:"64" doc:"Addresses of proxies in front of the service"`
	AccessLog      bool           `json:"accessLog,omitempty" doc:"Write a line for each HTTP request to a file on the node"`
}

// ServiceSelector chooses instances of the service's project. With both given
// an instance must fit both.
type ServiceSelector struct {
	Labels map[string]string `json:"labels,omitempty"`
	Group  string            `json:"group,omitempty" doc:"Name of a group"`
}

// ServicePort is one port of the service.
type ServicePort struct {
	Name     string `json:"name,omitempty" doc:"In SRV records; default http, https or the protocol"`
	Port     uint16 `json:"port" minimum:"1" maximum:"65535"`
	Target   uint16 `json:"target,omitempty" maximum:"65535" doc:"Port of the instances; default the same"`
	Protocol string `json:"protocol,omitempty" enum:"tcp,udp,http,https" doc:"Default tcp"`
	// Publish is a port of the node at which the service answers too.
	Publish uint16 `json:"publish,omitempty" maximum:"65535"`
}

// Protocols of a service's port. TCP and UDP are balanced by the kernel, the
// others by virga's proxy.
const (
	ProtocolTCP   = "tcp"
	ProtocolUDP   = "udp"
	ProtocolHTTP  = "http"  // HTTP/1.1, HTTP/2 without TLS, gRPC, WebSocket
	ProtocolHTTPS = "https" // the same behind TLS, which ends at the service
)

// HTTP reports whether the proxy serves the port.
func (p ServicePort) HTTP() bool { return p.Protocol == ProtocolHTTP || p.Protocol == ProtocolHTTPS }

// ServiceRoute sends requests for a host and a path to a service.
type ServiceRoute struct {
	Host    string `json:"host,omitempty" doc:"Host name, or *.example.org; default any"`
	Path    string `json:"path,omitempty" doc:"Beginning of the path, in whole segments; default any"`
	Strip   bool   `json:"strip,omitempty" doc:"Take the path's beginning away"`
	Service string `json:"service,omitempty" doc:"Another service of the project; default this one"`
}

// ServiceCheck asks backends whether they are well.
type ServiceCheck struct {
	Type     string   `json:"type" enum:"http,tcp,exec,none"`
	Path     string   `json:"path,omitempty" doc:"Of an http check; 200 to 399 is well. Default /"`
	Command  []string `json:"command,omitempty" doc:"Of an exec check, run in the instance; exit status 0 is well"`
	Interval Duration `json:"interval,omitempty" doc:"Default 2s"`
	Timeout  Duration `json:"timeout,omitempty" doc:"Default 2s"`
	Rise     int      `json:"rise,omitempty" minimum:"0" maximum:"100" doc:"Good checks in a row that bring a backend up; default 1"`
	Fall     int      `json:"fall,omitempty" minimum:"0" maximum:"100" doc:"Failed checks in a row that take it down; default 3"`
}

// Types of check.
const (
	CheckHTTP = "http"
	CheckTCP  = "tcp"
	CheckExec = "exec"
	CheckNone = "none" // every running instance is taken for well
)

// ServiceBalance says how requests and connections are spread.
type ServiceBalance struct {
	// Affinity keeps a client at one backend: by its address, or of HTTP by a
	// cookie.
	Affinity string `json:"affinity,omitempty" enum:"source,cookie"`
	Cookie   string `json:"cookie,omitempty" doc:"Name of the cookie; default virga-backend"`
	// SlowStart is the time in which a new backend's share grows to its whole.
	SlowStart Duration `json:"slowStart,omitempty" doc:"HTTP only; default none"`
	// Drain is how long a stop waits for an instance's requests to end.
	Drain *Duration `json:"drain,omitempty" doc:"Default 10s"`
	// Hold is how long a request waits for a first backend.
	Hold    Duration `json:"hold,omitempty" doc:"HTTP only; default 0s"`
	Retries *int     `json:"retries,omitempty" minimum:"0" maximum:"10" doc:"Of requests that may be repeated; default 2"`
	// Timeout is the longest wait for the head of an answer.
	Timeout Duration `json:"timeout,omitempty" doc:"Default 1m"`
}

const (
	AffinitySource = "source"
	AffinityCookie = "cookie"

	// WeightLabel of an instance is its share of a service, from 0 to 1000;
	// default 1. With 0 it gets nothing new.
	WeightLabel = "virga.weight"
)

// ServiceTLS is where the certificate of https ports comes from.
type ServiceTLS struct {
	// ACME has a public authority make certificates for the hosts of the routes
	// and for Names, as far as they are full names.
	ACME bool `json:"acme,omitempty" doc:"Certificates of a public authority, such as Let's Encrypt"`
	// Certificate and Key are PEM. The key is never shown.
	Certificate string   `json:"certificate,omitempty"`
	Key         string   `json:"key,omitempty"`
	Names       []string `json:"names,omitempty" doc:"Further names in a certificate of virga's own CA, or of the public authority"`
}

// ServiceStatus is the state of a service at the moment it was read.
type ServiceStatus struct {
	Up       int              `json:"up"` // backends that get new requests
	Backends []ServiceBackend `json:"backends,omitempty"`
	// Problems say what keeps the service from being as asked.
	Problems []string       `json:"problems,omitempty"`
	Traffic  ServiceTraffic `json:"traffic,omitzero"`
}

// ServiceBackend is one instance behind a service.
type ServiceBackend struct {
	Instance    string       `json:"instance"` // id
	Name        string       `json:"name"`
	Address     netip.Addr   `json:"address,omitzero"`
	Address6    netip.Addr   `json:"address6,omitzero"`
	Weight      int          `json:"weight"`
	State       BackendState `json:"state"`
	Reason      string       `json:"reason,omitempty"`
	Outstanding int64        `json:"outstanding,omitempty"` // HTTP requests under way
}

// BackendState is whether an instance gets requests.
type BackendState string

const (
	BackendUp       BackendState = "up"
	BackendStarting BackendState = "starting" // runs, and was not well yet
	BackendDown     BackendState = "down"     // was well, and is no longer
	BackendDraining BackendState = "draining" // about to stop: finishes what it has
	BackendIdle     BackendState = "idle"     // does not run
)

// ServiceTraffic counts the HTTP requests since the daemon started.
type ServiceTraffic struct {
	// Requests are by class of their status: "2xx"; "none" got no answer.
	Requests map[string]int64 `json:"requests,omitempty"`
	Retries  int64            `json:"retries,omitempty"`
	Held     int64            `json:"held,omitempty"` // waited for a first backend
	// Latency are upper bounds of the time to a whole answer.
	Median Duration       `json:"median,omitempty"`
	P99    Duration       `json:"p99,omitempty"`
	Bucket []LatencyCount `json:"buckets,omitempty"`
	// Total is the time of all requests together.
	Total time.Duration `json:"totalNanoseconds,omitempty"`
}

// LatencyCount is how many requests took at most UpTo and more than the count
// before; UpTo 0 has no bound.
type LatencyCount struct {
	UpTo  Duration `json:"upTo,omitempty"`
	Count int64    `json:"count"`
}

// ServiceRequest asks for a service.
type ServiceRequest struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Spec   ServiceSpec       `json:"spec"`
}
