package wire

import (
	"encoding/binary"
	"time"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

const (
	maxString = 4096
	maxList   = 1 << 20
)

// Encoder appends the items of a body.
type Encoder struct{ B []byte }

// Uint appends a number.
func (e *Encoder) Uint(v uint64) { e.B = binary.AppendUvarint(e.B, v) }

// Bool appends a truth value.
func (e *Encoder) Bool(v bool) {
	n := uint64(0)
	if v {
		n = 1
	}
	e.Uint(n)
}

// Bytes appends p with its length.
func (e *Encoder) Bytes(p []byte) {
	e.Uint(uint64(len(p)))
	e.B = append(e.B, p...)
}

// String appends s with its length, at most 4096 bytes of it.
func (e *Encoder) String(s string) {
	s = s[:min(len(s), maxString)]
	e.Uint(uint64(len(s)))
	e.B = append(e.B, s...)
}

// Time appends a time of nanosecond resolution.
func (e *Encoder) Time(t time.Time) {
	if t.IsZero() {
		e.Uint(0)
		return
	}
	e.Uint(uint64(t.UnixNano()))
}

// Decoder consumes B. After the first malformed item it yields zeros and Err
// says so.
type Decoder struct {
	B   []byte
	bad bool
}

// Err is ErrMalformed when an item was malformed or something is left.
func (d *Decoder) Err() error {
	if d.bad || len(d.B) != 0 {
		return ErrMalformed
	}
	return nil
}

// Uint reads a number of at most limit.
func (d *Decoder) Uint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.B)
	if n <= 0 || v > limit {
		d.B, d.bad = nil, true
		return 0
	}
	d.B = d.B[n:]
	return v
}

// Bool reads a truth value.
func (d *Decoder) Bool() bool { return d.Uint(1) == 1 }

// Bytes reads bytes, which lie in B.
func (d *Decoder) Bytes(limit int) []byte {
	n := d.Uint(uint64(limit))
	if n > uint64(len(d.B)) {
		d.B, d.bad = nil, true
		return nil
	}
	p := d.B[:n]
	d.B = d.B[n:]
	return p
}

// String reads a string.
func (d *Decoder) String() string { return string(d.Bytes(maxString)) }

// Time reads a time.
func (d *Decoder) Time() time.Time {
	ns := d.Uint(1<<63 - 1)
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(ns))
}

// Encode appends s.
func (s *Start) Encode(e *Encoder) {
	e.String(s.ID)
	e.Bool(s.TTY)
	e.Bool(s.Stdin)
	e.Bool(s.StdinOnce)
	e.String(s.Log)
	e.Uint(uint64(s.LogSize))
	e.Uint(uint64(s.LogFiles))
	e.Bool(s.KillOnClose)
	e.Uint(uint64(s.Width))
	e.Uint(uint64(s.Height))
	e.Bytes(s.Program.Append(nil))
}

// DecodeStart reads what Encode wrote.
func DecodeStart(d *Decoder) (*Start, error) {
	s := &Start{
		ID: d.String(), TTY: d.Bool(), Stdin: d.Bool(), StdinOnce: d.Bool(),
		Log: d.String(), LogSize: int64(d.Uint(1<<62 - 1)), LogFiles: int(d.Uint(1 << 16)),
		KillOnClose: d.Bool(), Width: uint16(d.Uint(1<<16 - 1)), Height: uint16(d.Uint(1<<16 - 1)),
	}
	program := d.Bytes(MaxFrame)
	if err := d.Err(); err != nil {
		return nil, err
	}
	var err error
	s.Program, err = launch.Decode(program)
	return s, err
}

// Encode appends p.
func (p *Process) Encode(e *Encoder) {
	e.String(p.ID)
	e.Uint(uint64(p.PID))
	e.Time(p.Started)
	e.Bool(p.Ended)
	e.Uint(uint64(p.Status))
	e.Time(p.Finished)
}

// Decode reads what Encode wrote.
func (p *Process) Decode(d *Decoder) {
	*p = Process{
		ID: d.String(), PID: int(d.Uint(1<<31 - 1)), Started: d.Time(), Ended: d.Bool(),
		Status: uint32(d.Uint(1<<32 - 1)), Finished: d.Time(),
	}
}

// EncodeProcesses appends a list of processes.
func EncodeProcesses(e *Encoder, ps []Process) {
	e.Uint(uint64(len(ps)))
	for i := range ps {
		ps[i].Encode(e)
	}
}

// DecodeProcesses reads a list of processes.
func DecodeProcesses(d *Decoder) []Process {
	n := d.Uint(maxList)
	var ps []Process
	for ; n > 0 && !d.bad; n-- {
		var p Process
		p.Decode(d)
		ps = append(ps, p)
	}
	return ps
}

// Encode appends i.
func (i *Info) Encode(e *Encoder) {
	e.Uint(uint64(i.Version))
	e.String(i.Build)
	e.Uint(uint64(i.PID))
	e.Uint(uint64(i.Processes))
}

// Decode reads what Encode wrote.
func (i *Info) Decode(d *Decoder) {
	*i = Info{
		Version: int(d.Uint(1 << 16)), Build: d.String(),
		PID: int(d.Uint(1<<31 - 1)), Processes: int(d.Uint(1 << 31)),
	}
}
