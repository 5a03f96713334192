package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/url"
)

// transfer yields the progress of a long call; an Error within it ends it.
func (c *Client) transfer(ctx context.Context, path string, q url.Values, in any, body io.Reader) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		r := request{method: "POST", target: c.target(path, q), stream: body}
		if body == nil {
			b, err := json.Marshal(in)
			if err != nil {
				yield(Progress{}, fmt.Errorf("encode request: %w", err))
				return
			}
			r.body = b
		}
		for p, err := range stream[Progress](ctx, c, r) {
			if err == nil && p.Error != nil {
				err = p.Error
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
