package api

import (
	"errors"
	"fmt"
	"syscall"
)

// Code is the kind of an Error. It decides the HTTP status and the exit status
// of the command, each mapped once.
type Code string

const (
	CodeInvalid              Code = "Invalid"              // the request itself is wrong; repeating it cannot help
	CodeNotFound             Code = "NotFound"             // the object named does not exist
	CodeConflict             Code = "Conflict"             // the object's state forbids it, or the name or port is taken
	CodeForbidden            Code = "Forbidden"            // the caller may not do this
	CodeInsufficientCapacity Code = "InsufficientCapacity" // the node cannot hold it; Message names the short resource
	CodeUnavailable          Code = "Unavailable"          // a dependency does not answer; try again later
	CodeNotSupported         Code = "NotSupported"         // the kernel, hardware or isolation lacks the feature
	CodeInternal             Code = "Internal"             // a defect of virga's
)

// Error is what every virga call returns when it fails. Message says what is
// wrong and names field and value; Hint says what to do about it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Field is the path of the offending field, such as "spec.memory", or "".
	Field string `json:"field,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an Error of the given code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy of e that says what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// InField returns a copy of e that names the offending field.
func (e *Error) InField(path string) *Error {
	c := *e
	c.Field = path
	return &c
}

// Invalid is an Error about one field of a request.
func Invalid(field, format string, args ...any) *Error {
	return Errorf(CodeInvalid, format, args...).InField(field)
}

// FromOS says what an error of the operating system's means to who can mend
// it: a disk that is full, or no more open files. It returns nil for others.
func FromOS(err error) *Error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Errorf(CodeInsufficientCapacity, "the disk is full: %v", err).
			WithHint("remove instances, volumes or images that are not needed: virga system df, virga image prune")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return Errorf(CodeInsufficientCapacity, "too many open files: %v", err).
			WithHint("raise LimitNOFILE of the daemon's unit, or fs.file-max")
	}
	return nil
}

// CodeOf returns the code of the first Error in err's chain, "" for nil and
// CodeInternal for anything else.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// HTTPStatus is the HTTP status that carries c.
func (c Code) HTTPStatus() int {
	switch c {
	case CodeInvalid:
		return 422
	case CodeNotFound:
		return 404
	case CodeConflict:
		return 409
	case CodeForbidden:
		return 403
	case CodeInsufficientCapacity:
		return 507
	case CodeUnavailable:
		return 503
	case CodeNotSupported:
		return 501
	}
	return 500
}

// ExitStatus is the exit status of a command that failed with c. Statuses from
// 125 up are Docker's: a script that knows those knows these.
func (c Code) ExitStatus() int {
	switch c {
	case CodeInvalid:
		return 2
	case CodeNotFound:
		return 3
	case CodeConflict:
		return 4
	case CodeForbidden:
		return 5
	case CodeInsufficientCapacity:
		return 6
	case CodeUnavailable:
		return 7
	case CodeNotSupported:
		return 8
	}
	return 1
}
