package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/virga-cloud/virga/api"
)

// Problem is an api.Error as RFC 9457 writes it.
type Problem struct {
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Code   api.Code `json:"code" doc:"The kind of the error"`
	Detail string   `json:"detail" doc:"What is wrong"`
	Hint   string   `json:"hint,omitempty" doc:"What to do about it"`
	Field  string   `json:"field,omitempty" doc:"Path of the field at fault"`
	// Errors are what else is wrong with the request.
	Errors []ProblemDetail `json:"errors,omitempty"`
}

// ProblemDetail is one of several faults of a request.
type ProblemDetail struct {
	Message  string `json:"message"`
	Location string `json:"location,omitempty"`
}

func (p *Problem) Error() string  { return p.Detail }
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes the answer a problem document.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problemOf maps any error to what the client sees.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e := errorOf(err)
	status := e.Code.HTTPStatus()
	return &Problem{
		Title: http.StatusText(status), Status: status,
		Code: e.Code, Detail: e.Message, Hint: e.Hint, Field: e.Field,
	}
}

// errorOf is the api.Error in err's chain with the words of the whole chain,
// or an internal one.
func errorOf(err error) *api.Error {
	e, ok := errors.AsType[*api.Error](err)
	if !ok {
		if e := api.FromOS(err); e != nil {
			return e
		}
		return api.Errorf(api.CodeInternal, "%v", err).WithHint("the daemon's log may say more")
	}
	if err == error(e) {
		return e
	}
	c := *e
	c.Message = err.Error()
	return &c
}

var problemsOnce sync.Once

// useProblems makes huma answer its own findings as problems too. Huma keeps
// that choice in a variable of its package.
func useProblems() {
	problemsOnce.Do(func() {
		huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
			return validationProblem(status, message, errs)
		}
	})
}

// validationProblem tells the first fault in the words of an api.Error and the
// others beside it.
func validationProblem(status int, message string, errs []error) *Problem {
	p := &Problem{Title: http.StatusText(status), Status: status, Code: codeOf(status), Detail: message}
	first := true
	for _, err := range errs {
		if err == nil {
			continue
		}
		d := ProblemDetail{Message: err.Error()}
		if h, ok := err.(huma.ErrorDetailer); ok {
			d = detail(h.ErrorDetail())
		}
		if first {
			first = false
			p.Detail, p.Field = d.Message, d.Location
			continue
		}
		p.Errors = append(p.Errors, d)
	}
	return p
}

func detail(d *huma.ErrorDetail) ProblemDetail {
	at := d.Location
	for _, where := range []string{"body.", "path.", "query.", "header."} {
		at = strings.TrimPrefix(at, where)
	}
	out := ProblemDetail{Message: d.Message, Location: at}
	if at != "" && at != "body" {
		out.Message = at + ": " + d.Message
	}
	if v := fmt.Sprint(d.Value); d.Value != nil && at != "body" && len(v) <= 64 && !strings.HasPrefix(v, "map[") {
		out.Message += fmt.Sprintf(", not %q", v)
	}
	return out
}

func codeOf(status int) api.Code {
	switch {
	case status == http.StatusNotFound:
		return api.CodeNotFound
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return api.CodeForbidden
	case status == http.StatusServiceUnavailable:
		return api.CodeUnavailable
	case status >= 400 && status < 500:
		return api.CodeInvalid
	}
	return api.CodeInternal
}
