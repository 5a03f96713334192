package api

import "time"

// Event is one change of state and its cause.
type Event struct {
	Seq     int64     `json:"seq"` // grows by one; a client resumes after it
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`   // "instance", "image", "volume", "network", "node"
	Action  string    `json:"action"` // "create", "start", "die", "oom", "health", …
	ID      string    `json:"id,omitempty"`
	Name    string    `json:"name,omitempty"`
	Project string    `json:"project,omitempty"`
	// Message explains the event to a person: "exit 137 because of the memory limit".
	Message string            `json:"message,omitempty"`
	Attrs   map[string]string `json:"attrs,omitempty"` // exitCode, signal, image, …
}
