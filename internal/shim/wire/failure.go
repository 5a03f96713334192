package wire

import (
	"errors"

	"github.com/virga-cloud/virga/internal/linux/launch"
)

// What a supervisor refuses.
var (
	ErrNotFound = errors.New("no such process")
	ErrExists   = errors.New("a process of that id exists")
	ErrRunning  = errors.New("the process still runs")
)

// Failure codes of a Reply.
const (
	failNone = iota
	failOther
	failStep
	failNotFound
	failExists
	failRunning
	failKilled
	failMax
)

// EncodeError appends err, nil included. What the other side can tell apart
// are launch.Error and the errors above.
func EncodeError(e *Encoder, err error) {
	var step launch.Error
	code, text := failOther, ""
	switch s, ok := errors.AsType[*launch.Error](err); {
	case err == nil:
		code = failNone
	case ok:
		code, step = failStep, *s
	case errors.Is(err, ErrNotFound):
		code = failNotFound
	case errors.Is(err, ErrExists):
		code = failExists
	case errors.Is(err, ErrRunning):
		code = failRunning
	case errors.Is(err, launch.ErrKilled):
		code = failKilled
	default:
		text = err.Error()
	}
	e.Uint(uint64(code))
	switch code {
	case failOther:
		e.String(text)
	case failStep:
		e.Uint(uint64(step.Step))
		e.String(step.Name)
		e.Uint(uint64(step.Errno))
		e.Bool(step.Exec)
	}
}

// DecodeError reads what EncodeError wrote.
func DecodeError(d *Decoder) error {
	switch d.Uint(failMax - 1) {
	case failOther:
		return errors.New(d.String())
	case failStep:
		return &launch.Error{
			Step: int(d.Uint(launch.MaxSteps)), Name: d.String(),
			Errno: uint16(d.Uint(4095)), Exec: d.Bool(),
		}
	case failNotFound:
		return ErrNotFound
	case failExists:
		return ErrExists
	case failRunning:
		return ErrRunning
	case failKilled:
		return launch.ErrKilled
	}
	return nil
}
