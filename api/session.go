package api

// ExecSpec is a further process in a running instance.
type ExecSpec struct {
	Command    []string `json:"command"`
	Env        []string `json:"env,omitempty"`
	WorkingDir string   `json:"workingDir,omitempty"`
	User       string   `json:"user,omitempty"`
	TTY        bool     `json:"tty,omitempty"`
	Stdin      bool     `json:"stdin,omitempty"`
	Detach     bool     `json:"detach,omitempty"`
	Privileged bool     `json:"privileged,omitempty"`
	Width      uint16   `json:"width,omitempty"`
	Height     uint16   `json:"height,omitempty"`
}

// A session (attach or exec) is a WebSocket. Binary messages carry a stream:
// their first byte is a Stream, the rest is data. Text messages carry a
// SessionControl as JSON.
type Stream byte

const (
	StreamStdin  Stream = 0 // client to server; an empty message closes it
	StreamStdout Stream = 1 // server to client
	StreamStderr Stream = 2
)

// SessionControl is a message beside the streams; one field is set.
type SessionControl struct {
	Resize *WindowSize `json:"resize,omitempty"` // client to server
	Signal string      `json:"signal,omitempty"` // client to server
	// ExitCode ends an exec or an attach to a process that ended.
	ExitCode *int `json:"exitCode,omitempty"`
	// Ready is sent once, when the streams are connected.
	Ready bool `json:"ready,omitempty"`
	// Instance is the id of the instance that a run has made; it comes with
	// Ready.
	Instance string `json:"instance,omitempty"`
	Error    *Error `json:"error,omitempty"`
}

// WindowSize is a terminal's size in characters.
type WindowSize struct {
	Width  uint16 `json:"width"`
	Height uint16 `json:"height"`
}

// LogOptions choose lines of a log.
type LogOptions struct {
	Follow     bool   `json:"follow,omitempty"`
	Since      string `json:"since,omitempty"` // RFC 3339 time or duration before now
	Until      string `json:"until,omitempty"`
	Tail       int    `json:"tail,omitempty"` // -1 is all
	Timestamps bool   `json:"timestamps,omitempty"`
}

// LogLine is one line of an instance's output.
type LogLine struct {
	Time   string `json:"time"`   // RFC 3339 with nanoseconds
	Stream string `json:"stream"` // "stdout" or "stderr"
	Text   string `json:"text"`   // without its newline unless Partial
	// Partial says that the line goes on in the next LogLine.
	Partial bool `json:"partial,omitempty"`
}
