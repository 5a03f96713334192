package api

import "strings"

// Namespaces says which namespaces an instance shares instead of having its
// own. Each is "" or "private" for its own, "host" for the node's, or
// "instance:" and an instance, whose it then has: its name when it is asked for,
// its id in what is stored.
type Namespaces struct {
	PID     string `json:"pid,omitempty" doc:"Process ids: private, host, or instance:NAME"`
	IPC     string `json:"ipc,omitempty" doc:"Shared memory and message queues: private, host, or instance:NAME"`
	UTS     string `json:"uts,omitempty" doc:"Host name: private or host"`
	Network string `json:"network,omitempty" doc:"Instead of networks: instance:NAME"`
}

const (
	NamespacePrivate = "private"
	NamespaceHost    = "host"
	NamespaceOf      = "instance:" // begins one of another instance
)

// Instance is the instance that one of the namespaces is shared with, "" when
// there is none.
func (n Namespaces) Instance() string {
	for _, v := range []string{n.PID, n.IPC, n.Network} {
		if name, ok := strings.CutPrefix(v, NamespaceOf); ok {
			return name
		}
	}
	return ""
}

// SharesPIDs reports whether other processes than the instance's have ids in
// its namespace, which then goes on when its first process has ended.
func (n Namespaces) SharesPIDs() bool { return n.PID != "" && n.PID != NamespacePrivate }

// OwnUserNS reports whether an instance has a user namespace: its root is not
// the node's.
func (s Security) OwnUserNS() bool { return !s.Privileged && s.UserNS != NamespaceHost }
