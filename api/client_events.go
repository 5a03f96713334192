package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strconv"
)

// maxEvent bounds one server-sent event in bytes.
const maxEvent = 4 << 20

// stream sends r and yields the events of the answer. An event named "error"
// carries an Error and is the last.
func stream[T any](ctx context.Context, c *Client, r request) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		a, err := c.open(ctx, r)
		if err != nil {
			yield(none, err)
			return
		}
		defer a.Close()
		s := bufio.NewScanner(a.body)
		s.Buffer(nil, maxEvent)
		for {
			name, data, err := readEvent(s)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && name == "error" {
				err = decodeError(data)
			}
			if err != nil {
				if ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				yield(none, a.sendError(brokenError(err)))
				return
			}
			var v T
			if err := json.Unmarshal(data, &v); err != nil {
				yield(none, fmt.Errorf("decode event: %w", err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// readEvent reads one server-sent event that has data; io.EOF after the last.
func readEvent(s *bufio.Scanner) (name string, data []byte, err error) {
	for s.Scan() {
		line := s.Bytes()
		key, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0 && data != nil:
			return name, data, nil
		case string(key) == "event":
			name = string(value)
		case string(key) == "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
			if data == nil {
				data = []byte{}
			}
			if len(data) > maxEvent {
				return "", nil, fmt.Errorf("event of more than %d bytes", maxEvent)
			}
		}
	}
	if err := s.Err(); err != nil {
		return "", nil, err
	}
	return "", nil, io.EOF
}

func decodeError(data []byte) error {
	e := new(Error)
	if err := json.Unmarshal(data, e); err != nil || e.Code == "" {
		return decodeProblem(500, data)
	}
	return e
}

// Events yields events with a greater sequence number than since, oldest
// first; when following, until ctx ends.
func (c *Client) Events(ctx context.Context, since int64, follow bool) iter.Seq2[Event, error] {
	q := url.Values{"since": {strconv.FormatInt(since, 10)}}
	if follow {
		q.Set("follow", "true")
	}
	return stream[Event](ctx, c, request{method: "GET", target: c.target("/events", q)})
}
