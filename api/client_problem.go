package api

import (
	"encoding/json"
	"net/url"
	"strconv"
)

// problem is an RFC 9457 body. Validation by the daemon's front adds a list of
// what was wrong where.
type problem struct {
	Code   Code   `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
	Field  string `json:"field"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// decodeProblem makes an Error of an answer with an error status.
func decodeProblem(status int, body []byte) error {
	var p problem
	if json.Unmarshal(body, &p) != nil || p.Code == "" && p.Detail == "" && p.Title == "" {
		return Errorf(codeOfStatus(status), "the daemon answered with status %s", strconv.Itoa(status))
	}
	e := &Error{Code: p.Code, Message: p.Detail, Hint: p.Hint, Field: p.Field}
	if e.Code == "" {
		e.Code = codeOfStatus(status)
	}
	if e.Message == "" {
		e.Message = p.Title
	}
	for _, d := range p.Errors {
		if e.Field == "" {
			e.Field = d.Location
		}
		if d.Message != "" && d.Message != e.Message {
			e.Message += ": " + d.Message
			if d.Location != "" {
				e.Message += " (" + d.Location + ")"
			}
		}
	}
	return e
}

// codeOfStatus is the code that an HTTP status most likely stands for.
func codeOfStatus(status int) Code {
	for _, c := range []Code{CodeInvalid, CodeNotFound, CodeConflict, CodeForbidden, CodeInsufficientCapacity, CodeUnavailable, CodeNotSupported} {
		if c.HTTPStatus() == status {
			return c
		}
	}
	switch {
	case status == 401:
		return CodeForbidden
	case status < 500:
		return CodeInvalid
	}
	return CodeInternal
}

// esc makes one path segment of a name.
func esc(name string) string { return url.PathEscape(name) }
